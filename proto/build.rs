//! Generates the Rust code from the .proto files, without protoc.

use std::error::Error;
use std::path::PathBuf;

const PEERING: &str = "catalyst/peering/v1/peering.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile([PEERING], ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    let messages = out.join("messages");
    std::fs::create_dir_all(&messages)?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_server(false)
        .bytes(".")
        .out_dir(messages)
        .compile_fds(files.clone())?;

    // The service passes frames rather than messages: one that is the same for many peers is encoded once, and one that
    // can't be read is answered by the session, not by the transport.
    let services = out.join("services");
    std::fs::create_dir_all(&services)?;
    tonic_prost_build::configure()
        .build_transport(false)
        .extern_path(".catalyst.peering.v1.SessionMessage", "crate::Frame")
        .extern_path(".catalyst.peering.v1", "crate::peering::v1")
        .codec_path("crate::FrameCodec")
        .out_dir(services)
        .compile_fds(files)?;
    Ok(())
}
