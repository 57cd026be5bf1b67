//! What nodes say to each other, as protobuf (see `proto/`) and as the Rust code made from it when this crate is built.
//!
//! Only the wire is here. What the messages mean, their bounds, and which of them are refused is the business of those
//! who turn them into domain types.

mod frame;

pub use self::frame::{Frame, FrameCodec};

/// Peering: routes and keys between nodes.
pub mod peering {
    /// The first version.
    #[allow(
        missing_docs,
        unused_qualifications,
        clippy::allow_attributes_without_reason,
        clippy::default_constructed_unit_structs,
        clippy::wildcard_imports,
        reason = "generated"
    )]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/messages/catalyst.peering.v1.rs"));
        include!(concat!(env!("OUT_DIR"), "/services/catalyst.peering.v1.rs"));
    }
}
