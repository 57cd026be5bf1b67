//! Why a set of subgraphs does not compose.

use std::fmt;

use crate::model::Pos;

/// One reason for refusal. A composition reports all it finds in the phase that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}[{code}] {message}", prefix(.subgraphs))]
pub struct CompositionError {
    /// The class of the error, as the reference composers name it.
    pub code: ErrorCode,
    /// What is wrong, naming the elements and the subgraphs.
    pub message: String,
    /// Schema coordinate of the element (`Type`, `Type.field`, `Type.field(argument:)`, `@directive`),
    /// where the error is about one.
    pub coordinate: Option<String>,
    /// The subgraphs at fault, in name order; empty where the fault is in how all fit together.
    pub subgraphs: Vec<String>,
    /// Line and column (from 1) in the SDL of the one subgraph at fault, where known.
    pub location: Option<(u32, u32)>,
    /// What to try.
    pub hint: Option<&'static str>,
}

fn prefix(subgraphs: &[String]) -> String {
    match subgraphs {
        [one] => format!("{one}: "),
        _ => String::new(),
    }
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

/// A fault of one document, before it is known which subgraph's.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub code: ErrorCode,
    pub message: String,
    pub coordinate: Option<String>,
    pub pos: Pos,
}

impl Fault {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>, pos: Pos) -> Fault {
        Fault { code, message: message.into(), coordinate: None, pos }
    }

    pub(crate) fn graphql(message: impl Into<String>, pos: Pos) -> Fault {
        Fault::new(ErrorCode::InvalidGraphql, message, pos)
    }

    pub(crate) fn at(mut self, coordinate: impl Into<String>) -> Fault {
        self.coordinate = Some(coordinate.into());
        self
    }
}

macro_rules! error_codes {
    ($($variant:ident $text:literal $hint:expr;)*) => {
        /// The classes of composition errors, with the names the reference composers give them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant is the code it prints")]
        pub enum ErrorCode { $($variant,)* }

        impl ErrorCode {
            /// Every code, in name order.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant,)*];

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
    AuthRequirementsAppliedOnInterface "AUTH_REQUIREMENTS_APPLIED_ON_INTERFACE"
        Some("put the directive on the object types that implement the interface");
    CompositionLimitExceeded "COMPOSITION_LIMIT_EXCEEDED"
        Some("split the supergraph, or remove subgraphs that are no longer needed");
    CostAppliedToInterfaceField "COST_APPLIED_TO_INTERFACE_FIELD"
        Some("put @cost on the fields of the object types that implement the interface");
    DefaultValueUsesInaccessible "DEFAULT_VALUE_USES_INACCESSIBLE" None;
    DirectiveCompositionError "DIRECTIVE_COMPOSITION_ERROR"
        Some("every subgraph that composes the directive must link the same specification and name");
    EmptyMergedEnumType "EMPTY_MERGED_ENUM_TYPE" Some("define at least one value in every subgraph");
    EmptyMergedInputType "EMPTY_MERGED_INPUT_TYPE" Some("define at least one field in every subgraph");
    EnumValueMismatch "ENUM_VALUE_MISMATCH"
        Some("define the value in every subgraph, or do not use the enum for both input and output");
    ExtensionWithNoBase "EXTENSION_WITH_NO_BASE" Some("write `type` instead of `extend type` in one subgraph");
    ExternalArgumentDefaultMismatch "EXTERNAL_ARGUMENT_DEFAULT_MISMATCH" None;
    ExternalArgumentMissing "EXTERNAL_ARGUMENT_MISSING" None;
    ExternalArgumentTypeMismatch "EXTERNAL_ARGUMENT_TYPE_MISMATCH" None;
    ExternalMissingOnBase "EXTERNAL_MISSING_ON_BASE"
        Some("one subgraph must resolve the field: remove @external there");
    ExternalOnInterface "EXTERNAL_ON_INTERFACE" Some("put @external on the fields of the implementing types");
    ExternalUnused "EXTERNAL_UNUSED" Some("remove the field, or its @external");
    FieldArgumentDefaultMismatch "FIELD_ARGUMENT_DEFAULT_MISMATCH" Some("use the same default in every subgraph");
    FieldArgumentTypeMismatch "FIELD_ARGUMENT_TYPE_MISMATCH" Some("use the same type in every subgraph");
    FieldTypeMismatch "FIELD_TYPE_MISMATCH" Some("use the same type in every subgraph");
    ImplementedByInaccessible "IMPLEMENTED_BY_INACCESSIBLE" Some("make the interface's element @inaccessible too");
    InputFieldDefaultMismatch "INPUT_FIELD_DEFAULT_MISMATCH" Some("use the same default in every subgraph");
    InterfaceFieldNoImplem "INTERFACE_FIELD_NO_IMPLEM" Some("add the field to the implementing type");
    InterfaceKeyMissingImplementationType "INTERFACE_KEY_MISSING_IMPLEMENTATION_TYPE"
        Some("define all implementing types there, or add `resolvable: false` to the interface's @key");
    InterfaceKeyNotOnImplementation "INTERFACE_KEY_NOT_ON_IMPLEMENTATION" Some("add the @key to the implementing type");
    InterfaceObjectUsageError "INTERFACE_OBJECT_USAGE_ERROR" None;
    InvalidFieldSharing "INVALID_FIELD_SHARING"
        Some("mark the field @shareable in every subgraph that resolves it, or @override it in one");
    InvalidGraphql "INVALID_GRAPHQL" None;
    InvalidLinkDirectiveUsage "INVALID_LINK_DIRECTIVE_USAGE" None;
    InvalidLinkIdentifier "INVALID_LINK_IDENTIFIER" Some("write `https://host/name/v1.0`");
    InvalidShareableUsage "INVALID_SHAREABLE_USAGE" Some("put @shareable on object types and their fields");
    InvalidSubgraphName "INVALID_SUBGRAPH_NAME" Some("choose another name");
    KeyDirectiveInFieldsArg "KEY_DIRECTIVE_IN_FIELDS_ARG" None;
    KeyFieldsHasArgs "KEY_FIELDS_HAS_ARGS" None;
    KeyFieldsSelectInvalidType "KEY_FIELDS_SELECT_INVALID_TYPE" None;
    KeyInvalidFields "KEY_INVALID_FIELDS" None;
    KeyInvalidFieldsType "KEY_INVALID_FIELDS_TYPE" None;
    KeyUnsupportedOnInterface "KEY_UNSUPPORTED_ON_INTERFACE" Some("link federation v2.3 or newer");
    LinkImportNameMismatch "LINK_IMPORT_NAME_MISMATCH" Some("import it by the same name in every subgraph");
    ListSizeAppliedToNonList "LIST_SIZE_APPLIED_TO_NON_LIST" None;
    ListSizeInvalidAssumedSize "LIST_SIZE_INVALID_ASSUMED_SIZE" None;
    ListSizeInvalidSizedField "LIST_SIZE_INVALID_SIZED_FIELD" None;
    ListSizeInvalidSlicingArgument "LIST_SIZE_INVALID_SLICING_ARGUMENT" None;
    MergedDirectiveApplicationOnExternal "MERGED_DIRECTIVE_APPLICATION_ON_EXTERNAL"
        Some("put the directive where the field is resolved");
    MissingTransitiveAuthRequirements "MISSING_TRANSITIVE_AUTH_REQUIREMENTS"
        Some("put the requirements of the fields in @requires on the requiring field too");
    NoQueries "NO_QUERIES" Some("define `type Query` with a field in at least one subgraph");
    OnlyInaccessibleChildren "ONLY_INACCESSIBLE_CHILDREN" Some("make the type @inaccessible too");
    OverrideCollisionWithAnotherDirective "OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE" None;
    OverrideFromSelfError "OVERRIDE_FROM_SELF_ERROR" Some("name another subgraph in `from:`");
    OverrideLabelInvalid "OVERRIDE_LABEL_INVALID"
        Some("labels begin with a letter and hold letters, digits, `_`, `-`, `:`, `.`, `/`; or `percent(0..100)`");
    OverrideOnInterface "OVERRIDE_ON_INTERFACE" Some("override the fields of the implementing types");
    OverrideSourceHasOverride "OVERRIDE_SOURCE_HAS_OVERRIDE" None;
    ProvidesDirectiveInFieldsArg "PROVIDES_DIRECTIVE_IN_FIELDS_ARG" None;
    ProvidesFieldsHasArgs "PROVIDES_FIELDS_HAS_ARGS" None;
    ProvidesFieldsMissingExternal "PROVIDES_FIELDS_MISSING_EXTERNAL" Some("mark the provided field @external");
    ProvidesInvalidFields "PROVIDES_INVALID_FIELDS" None;
    ProvidesInvalidFieldsType "PROVIDES_INVALID_FIELDS_TYPE" None;
    ProvidesOnNonObjectField "PROVIDES_ON_NON_OBJECT_FIELD" None;
    ProvidesUnsupportedOnInterface "PROVIDES_UNSUPPORTED_ON_INTERFACE" None;
    QueryRootTypeInaccessible "QUERY_ROOT_TYPE_INACCESSIBLE" None;
    ReferencedInaccessible "REFERENCED_INACCESSIBLE" Some("make the element that refers to it @inaccessible too");
    RequiredArgumentMissingInSomeSubgraph "REQUIRED_ARGUMENT_MISSING_IN_SOME_SUBGRAPH"
        Some("add the argument in every subgraph, or make it optional");
    RequiredInaccessible "REQUIRED_INACCESSIBLE" Some("make it optional, or give it a default");
    RequiredInputFieldMissingInSomeSubgraph "REQUIRED_INPUT_FIELD_MISSING_IN_SOME_SUBGRAPH"
        Some("add the field in every subgraph, or make it optional");
    RequiresDirectiveInFieldsArg "REQUIRES_DIRECTIVE_IN_FIELDS_ARG" None;
    RequiresFieldsMissingExternal "REQUIRES_FIELDS_MISSING_EXTERNAL" Some("mark the required field @external");
    RequiresInvalidFields "REQUIRES_INVALID_FIELDS" None;
    RequiresInvalidFieldsType "REQUIRES_INVALID_FIELDS_TYPE" None;
    RequiresUnsupportedOnInterface "REQUIRES_UNSUPPORTED_ON_INTERFACE" None;
    RootMutationUsed "ROOT_MUTATION_USED" Some("rename the type that is no root type");
    RootQueryUsed "ROOT_QUERY_USED" Some("rename the type that is no root type");
    RootSubscriptionUsed "ROOT_SUBSCRIPTION_USED" Some("rename the type that is no root type");
    SatisfiabilityError "SATISFIABILITY_ERROR"
        Some("give the type a @key in the subgraph that has the field, with fields the other subgraphs resolve");
    TypeKindMismatch "TYPE_KIND_MISMATCH" Some("define the type as the same kind in every subgraph");
    TypeWithOnlyUnusedExternal "TYPE_WITH_ONLY_UNUSED_EXTERNAL" None;
    UnknownFederationLinkVersion "UNKNOWN_FEDERATION_LINK_VERSION" None;
    UnsupportedFeature "UNSUPPORTED_FEATURE" None;
    UnsupportedLinkedFeature "UNSUPPORTED_LINKED_FEATURE" Some("remove the @link, or its `for:`");
    UnknownLinkVersion "UNKNOWN_LINK_VERSION" Some("link https://specs.apollo.dev/link/v1.0");
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
