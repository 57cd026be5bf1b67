//! The two tables, as types: a value of one can't be handed in where one of the other is wanted.

/// Which table a route is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableKind {
    /// Routes of this organisation's own services: trusted.
    Internal,
    /// Routes of other organisations' services, however they came here: untrusted.
    External,
}

impl TableKind {
    /// The table's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
        }
    }
}

impl std::fmt::Display for TableKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Internal {}
    impl Sealed for super::External {}
}

/// One of the two tables, at the level of types.
pub trait Table: sealed::Sealed + 'static {
    /// The same as a value.
    const KIND: TableKind;
}

/// The table of this organisation's own services.
#[derive(Debug, Clone, Copy)]
pub enum Internal {}

/// The table of other organisations' services.
#[derive(Debug, Clone, Copy)]
pub enum External {}

impl Table for Internal {
    const KIND: TableKind = TableKind::Internal;
}

impl Table for External {
    const KIND: TableKind = TableKind::External;
}
