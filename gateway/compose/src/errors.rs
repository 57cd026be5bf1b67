//! Why a set of subgraphs does not compose.

use std::fmt;

/// One reason for refusal. A composition reports all it can find in the phase that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[{code}] {message}")]
pub struct CompositionError {
    /// The class of the error, as the reference composers name it.
    pub code: ErrorCode,
    /// What is wrong, naming the elements and the subgraphs.
    pub message: String,
    /// Schema coordinate of the element (`Type`, `Type.field`, `Type.field(argument:)`, `@directive`),
    /// where the error is about one.
    pub coordinate: Option<String>,
    /// The subgraphs at fault, in name order.
    pub subgraphs: Vec<String>,
    /// Line and column (from 1) in the SDL of `subgraphs[0]`, where known.
    pub location: Option<(u32, u32)>,
    /// What to try.
    pub hint: Option<&'static str>,
}

impl CompositionError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> CompositionError {
        CompositionError {
            code,
            message: message.into(),
            coordinate: None,
            subgraphs: Vec::new(),
            location: None,
            hint: code.hint(),
        }
    }

    pub(crate) fn at(mut self, coordinate: impl Into<String>) -> CompositionError {
        self.coordinate = Some(coordinate.into());
        self
    }

    pub(crate) fn within<'a>(mut self, subgraphs: impl IntoIterator<Item = &'a str>) -> CompositionError {
        self.subgraphs = subgraphs.into_iter().map(String::from).collect();
        self
    }
}

macro_rules! error_codes {
    ($($variant:ident $text:literal $hint:expr;)*) => {
        /// The classes of composition errors, with the names the reference composers give them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "each variant is documented by the code it prints")]
        pub enum ErrorCode { $($variant,)* }

        impl ErrorCode {
            /// The code as operators know it, such as `INVALID_FIELD_SHARING`.
            pub fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$variant => $text,)* }
            }

            fn hint(self) -> Option<&'static str> {
                match self { $(ErrorCode::$variant => $hint,)* }
            }
        }
    };
}

error_codes! {
    InvalidGraphql "INVALID_GRAPHQL" None;
    InvalidSubgraphName "INVALID_SUBGRAPH_NAME" Some("use a name that is not empty and does not begin with `__`");
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
