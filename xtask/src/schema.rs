//! `cargo xtask schema`: writes the JSON Schema of the configuration, as the daemon prints it.

use std::{fs, process::Command};

use anyhow::Context;

use crate::{
    process::{self, Interrupt},
    workspace::{Profile, Workspace},
};

/// Builds the daemon and writes `envoy/config.schema.json` from its types.
///
/// # Errors
/// The daemon does not build, or the file cannot be written.
pub(crate) fn schema(workspace: &Workspace, interrupt: &Interrupt) -> anyhow::Result<()> {
    workspace.build(Profile::Dev, interrupt)?;
    let mut daemon = Command::new(workspace.bin(Profile::Dev).join("catalystd"));
    let schema = process::output("printing the schema", daemon.arg("schema"))?;
    let path = workspace.root.join("envoy/config.schema.json");
    fs::write(&path, schema).with_context(|| path.display().to_string())?;
    eprintln!("wrote {}", workspace.show(&path));
    Ok(())
}
