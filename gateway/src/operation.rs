//! An operation made ready to run, once per query text: parsed, measured, validated, planned, projected.

mod measure;

use std::sync::Arc;

use graphql_tools::static_graphql::query as ast;
use hive_router_query_planner::ast::normalization::normalize_operation;
use hive_router_query_planner::ast::operation::OperationDefinition;
use hive_router_query_planner::ast::selection_item::SelectionItem;
use hive_router_query_planner::ast::selection_set::SelectionSet;
use hive_router_query_planner::graph::PlannerOverrideContext;
use hive_router_query_planner::planner::plan_nodes::QueryPlan;
use hive_router_query_planner::utils::cancellation::CancellationToken;
use hive_router_query_planner::utils::parsing::safe_parse_operation_with_token_limit;

use crate::engine::Engine;
use crate::error::{Code, GraphqlError};
use crate::plan::{self, Plan, Symbols};
use crate::projection::{self, Selection, Source};
use crate::schema::TypeId;
use crate::variables::VariableDef;

/// How many validation errors a response tells of.
const MAX_VALIDATION_ERRORS: usize = 20;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Reads.
    Query,
    /// Changes, in series.
    Mutation,
    /// Listens.
    Subscription,
}

/// An operation ready to run.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) kind: Kind,
    pub(crate) variables: Vec<VariableDef>,
    /// The variables that `@skip` and `@include` ask, in the order of the flags.
    pub(crate) conditions: Vec<Box<str>>,
    /// Response keys by symbol.
    pub(crate) symbols: Vec<Box<str>>,
    pub(crate) plan: Plan,
    pub(crate) selection: Arc<Selection>,
    pub(crate) root: TypeId,
}

/// The parts of an operation definition that all kinds have.
struct Definition<'a> {
    kind: Kind,
    name: Option<&'a str>,
    variables: &'a [ast::VariableDefinition],
    selection: &'a ast::SelectionSet,
}

impl<'a> Definition<'a> {
    fn read(operation: &'a ast::OperationDefinition) -> Self {
        match operation {
            ast::OperationDefinition::SelectionSet(selection) => {
                Self { kind: Kind::Query, name: None, variables: &[], selection }
            }
            ast::OperationDefinition::Query(query) => Self {
                kind: Kind::Query,
                name: query.name.as_deref(),
                variables: &query.variable_definitions,
                selection: &query.selection_set,
            },
            ast::OperationDefinition::Mutation(mutation) => Self {
                kind: Kind::Mutation,
                name: mutation.name.as_deref(),
                variables: &mutation.variable_definitions,
                selection: &mutation.selection_set,
            },
            ast::OperationDefinition::Subscription(subscription) => Self {
                kind: Kind::Subscription,
                name: subscription.name.as_deref(),
                variables: &subscription.variable_definitions,
                selection: &subscription.selection_set,
            },
        }
    }
}

impl Operation {
    /// Prepares the operation `name` of `query`, or its only one. Takes CPU time, up to the limits' plan time.
    pub(crate) fn prepare(
        engine: &Engine,
        query: &str,
        name: Option<&str>,
    ) -> Result<Self, Vec<GraphqlError>> {
        let limits = &engine.settings.limits;
        let document = safe_parse_operation_with_token_limit(query, limits.tokens)
            .map_err(|error| vec![parse_error(&error.to_string())])?;
        let definition = choose(&document, name).map_err(|error| vec![error])?;
        measure::check(&document, definition.selection, limits).map_err(|error| vec![error])?;
        validate(engine, &document)?;
        Self::of_valid(engine, &document, &definition).map_err(|error| vec![error])
    }

    fn of_valid(
        engine: &Engine,
        document: &ast::Document,
        definition: &Definition<'_>,
    ) -> Result<Self, GraphqlError> {
        let schema = &engine.schema;
        let root = match definition.kind {
            Kind::Query => Some(schema.query),
            Kind::Mutation => schema.mutation,
            Kind::Subscription => schema.subscription,
        };
        let unsupported = |message: String| GraphqlError::new(Code::OperationNotSupported, message);
        let root = root.ok_or_else(|| {
            unsupported(format!("the schema has no {} type", format!("{:?}", definition.kind).to_lowercase()))
        })?;
        let mut symbols = Symbols::new(schema);
        let selection = projection::compile(schema, &mut symbols, document, definition.selection, root)
            .map_err(|error| match error {
                projection::ProjectionError::TooComplex => {
                    GraphqlError::new(Code::LimitExceeded, error.to_string())
                }
                projection::ProjectionError::UnknownField { .. } => {
                    GraphqlError::new(Code::GraphqlValidationFailed, error.to_string())
                }
            })?;
        let asks_for_schema =
            selection.fields.iter().any(|field| matches!(field.source, Source::Introspection(_)));
        if asks_for_schema && !engine.settings.allows_introspection() {
            let message = "introspection is off; ask whoever runs this gateway for its schema";
            return Err(GraphqlError::new(Code::IntrospectionDisabled, message));
        }
        let variables = VariableDef::read(definition.variables, schema)?;
        let plan = match query_plan(engine, document, definition.name)? {
            Some(plan) => plan::compile(&plan, &mut symbols)
                .map_err(|error| GraphqlError::new(Code::OperationNotSupported, error.to_string()))?,
            None => Plan { root: None, fetches: Vec::new() },
        };
        if plan.fetches.len() > engine.settings.limits.fetches {
            return Err(GraphqlError::new(
                Code::LimitExceeded,
                format!(
                    "the operation takes {} requests to subgraphs; {} are allowed",
                    plan.fetches.len(),
                    engine.settings.limits.fetches
                ),
            ));
        }
        let (symbols, conditions) = symbols.into_names();
        Ok(Self { kind: definition.kind, variables, conditions, symbols, plan, selection, root })
    }
}

fn parse_error(text: &str) -> GraphqlError {
    let message = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    if message.contains("Token limit exceeded") {
        return GraphqlError::new(Code::LimitExceeded, "the query has too many tokens");
    }
    if message.contains("Recursion limit") || message.contains("recursion limit") {
        return GraphqlError::new(Code::LimitExceeded, "the query nests too deep");
    }
    let error = GraphqlError::new(Code::GraphqlParseFailed, message);
    match position(text) {
        Some((line, column)) => error.at(line, column),
        None => error,
    }
}

/// The position that the parser's message tells: `Parse error at LINE:COLUMN`.
fn position(text: &str) -> Option<(usize, usize)> {
    let (_, rest) = text.split_once(" at ")?;
    let (line, rest) = rest.split_once(':')?;
    let column = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((line.parse().ok()?, column.parse().ok()?))
}

fn choose<'a>(document: &'a ast::Document, name: Option<&str>) -> Result<Definition<'a>, GraphqlError> {
    let mut operations = document.definitions.iter().filter_map(|definition| match definition {
        ast::Definition::Operation(operation) => Some(Definition::read(operation)),
        ast::Definition::Fragment(_) => None,
    });
    let unresolved = |message: String| GraphqlError::new(Code::OperationResolutionFailure, message);
    match name {
        Some(name) => operations
            .find(|operation| operation.name == Some(name))
            .ok_or_else(|| unresolved(format!("the query has no operation named `{name}`"))),
        None => {
            let only =
                operations.next().ok_or_else(|| unresolved("the query has no operation".to_owned()))?;
            if operations.next().is_some() {
                return Err(unresolved(
                    "the query has several operations; name one in `operationName`".to_owned(),
                ));
            }
            Ok(only)
        }
    }
}

fn validate(engine: &Engine, document: &ast::Document) -> Result<(), Vec<GraphqlError>> {
    let consumer_schema = &engine.planner.consumer_schema.document;
    let errors = graphql_tools::validation::validate::validate(consumer_schema, document, &engine.validation);
    if errors.is_empty() {
        return Ok(());
    }
    let errors = errors.into_iter().take(MAX_VALIDATION_ERRORS).map(|error| {
        let mut told = GraphqlError::new(Code::GraphqlValidationFailed, error.message);
        for position in &error.locations {
            told = told.at(position.line, position.column);
        }
        told
    });
    Err(errors.collect())
}

/// The plan for what subgraphs have to answer; `None` if that is nothing.
fn query_plan(
    engine: &Engine,
    document: &ast::Document,
    name: Option<&str>,
) -> Result<Option<QueryPlan>, GraphqlError> {
    let unsupported = |error: String| GraphqlError::new(Code::OperationNotSupported, error);
    let normalized = normalize_operation(&engine.planner.supergraph, document, name)
        .map_err(|error| unsupported(error.to_string()))?;
    let mut operation: OperationDefinition = normalized.operation;
    remove_meta_fields(&mut operation.selection_set);
    if operation.selection_set.items.is_empty() {
        return Ok(None);
    }
    let token = CancellationToken::with_timeout(engine.settings.limits.plan_time);
    engine
        .planner
        .plan_from_normalized_operation(&operation, PlannerOverrideContext::default(), &token)
        .map(Some)
        .map_err(|error| match error {
            hive_router_query_planner::planner::PlannerError::CancellationError(_) => GraphqlError::new(
                Code::LimitExceeded,
                format!("planning took longer than {:?}; select less", engine.settings.limits.plan_time),
            ),
            other => unsupported(format!("the operation can't be planned: {other}")),
        })
}

/// Removes `__typename`, `__schema` and `__type` of the root type, which the gateway answers itself.
fn remove_meta_fields(selections: &mut SelectionSet) {
    selections.items.retain_mut(|item| match item {
        SelectionItem::Field(field) => !field.name.starts_with("__"),
        SelectionItem::InlineFragment(fragment) => {
            remove_meta_fields(&mut fragment.selections);
            !fragment.selections.items.is_empty()
        }
        SelectionItem::FragmentSpread(_) => true,
    });
}
