//! From the planner's plan to ours.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hive_router_query_planner::ast::operation::SubgraphFetchOperation;
use hive_router_query_planner::planner::plan_nodes::{
    BatchFetchNode, ConditionNode, FetchNode, FetchRewrite, FlattenNodePath, FlattenNodePathSegment,
    PlanNode, QueryPlan,
};
use hive_router_query_planner::state::supergraph_state::OperationKind;

use super::{
    Entities, Fetch, InputRewrite, OutputRewrite, Path, PathStep, Plan, Requires, Spread, Step, Target,
};
use crate::json::{Shape, ShapeBuilder, Symbol, TYPENAME};
use crate::schema::{Schema, TypeId, TypeSet};

/// Why a plan can't be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CompileError {
    #[error("the plan has {0}, which this gateway does not run")]
    Unsupported(&'static str),
    #[error("the plan names the type `{0}`, which the schema does not have")]
    UnknownType(String),
}

/// Names of one operation, numbered.
#[derive(Debug)]
pub(crate) struct Symbols<'a> {
    schema: &'a Schema,
    numbers: HashMap<Box<str>, Symbol>,
    names: Vec<Box<str>>,
    /// The variables that `@skip` and `@include` ask.
    conditions: Vec<Box<str>>,
}

impl<'a> Symbols<'a> {
    pub(crate) fn new(schema: &'a Schema) -> Self {
        let mut symbols = Self { schema, numbers: HashMap::new(), names: Vec::new(), conditions: Vec::new() };
        let typename = symbols.intern("__typename");
        debug_assert_eq!(typename, TYPENAME);
        symbols
    }

    pub(crate) fn intern(&mut self, name: &str) -> Symbol {
        if let Some(symbol) = self.numbers.get(name) {
            return *symbol;
        }
        let symbol = self.names.len() as Symbol;
        self.names.push(name.into());
        self.numbers.insert(name.into(), symbol);
        symbol
    }

    /// The index of a condition variable, for the flags of an execution.
    pub(crate) fn condition(&mut self, variable: &str) -> usize {
        if let Some(index) = self.conditions.iter().position(|known| **known == *variable) {
            return index;
        }
        self.conditions.push(variable.into());
        self.conditions.len() - 1
    }

    /// The names by symbol, and the condition variables by index.
    pub(crate) fn into_names(self) -> (Vec<Box<str>>, Vec<Box<str>>) {
        (self.names, self.conditions)
    }

    pub(super) fn ty(&self, name: &str) -> Result<TypeId, CompileError> {
        self.schema.id(name).ok_or_else(|| CompileError::UnknownType(name.to_owned()))
    }

    /// Every type that satisfies a condition on one of `names`.
    pub(super) fn types(&self, names: &BTreeSet<String>) -> Result<TypeSet, CompileError> {
        let mut types = TypeSet::default();
        for name in names {
            types.extend(self.schema.members(self.ty(name)?));
        }
        Ok(types)
    }
}

/// Makes a query plan ready to run.
pub(crate) fn compile(plan: &QueryPlan, symbols: &mut Symbols<'_>) -> Result<Plan, CompileError> {
    let mut compiler = Compiler { symbols, fetches: Vec::new() };
    let root = plan.node.as_ref().map(|node| compiler.step(node)).transpose()?;
    let mut fetches = compiler.fetches;
    decide_spreads(&mut fetches);
    Ok(Plan { root, fetches: fetches.into_iter().map(Arc::new).collect() })
}

struct Compiler<'a, 's> {
    symbols: &'a mut Symbols<'s>,
    fetches: Vec<Fetch>,
}

impl Compiler<'_, '_> {
    fn step(&mut self, node: &PlanNode) -> Result<Step, CompileError> {
        match node {
            PlanNode::Sequence(sequence) => Ok(Step::Sequence(self.steps(&sequence.nodes)?)),
            PlanNode::Parallel(parallel) => Ok(Step::Parallel(self.steps(&parallel.nodes)?)),
            PlanNode::Condition(ConditionNode { condition, if_clause, else_clause }) => Ok(Step::Condition {
                condition: self.symbols.condition(condition),
                then: if_clause.as_ref().map(|node| self.step(node).map(Box::new)).transpose()?,
                otherwise: else_clause.as_ref().map(|node| self.step(node).map(Box::new)).transpose()?,
            }),
            PlanNode::Fetch(fetch) => self.root_fetch(fetch),
            PlanNode::Subscription(subscription) => self.root_fetch(&subscription.primary),
            PlanNode::Flatten(flatten) => match &*flatten.node {
                PlanNode::Fetch(fetch) => self.flatten(&flatten.path, fetch),
                PlanNode::BatchFetch(_)
                | PlanNode::Sequence(_)
                | PlanNode::Parallel(_)
                | PlanNode::Flatten(_)
                | PlanNode::Condition(_)
                | PlanNode::Subscription(_)
                | PlanNode::Defer(_) => Err(CompileError::Unsupported("a flattened node that is no fetch")),
            },
            PlanNode::BatchFetch(batch) => self.batch(batch),
            PlanNode::Defer(_) => Err(CompileError::Unsupported("a deferred part")),
        }
    }

    fn steps(&mut self, nodes: &[PlanNode]) -> Result<Vec<Step>, CompileError> {
        nodes.iter().map(|node| self.step(node)).collect()
    }

    fn root_fetch(&mut self, fetch: &FetchNode) -> Result<Step, CompileError> {
        let rewrites = self.output_rewrites(fetch.output_rewrites.as_deref())?;
        self.fetch(fetch, &fetch.operation, Target::Root, rewrites)
    }

    fn flatten(&mut self, path: &FlattenNodePath, fetch: &FetchNode) -> Result<Step, CompileError> {
        let path = self.path(path)?;
        let rewrites = self.output_rewrites(fetch.output_rewrites.as_deref())?;
        let Some(requires) = &fetch.requires else {
            return self.fetch(fetch, &fetch.operation, Target::Objects(path), rewrites);
        };
        let entities = Entities {
            symbol: self.symbols.intern("_entities"),
            key: "_entities".into(),
            variable: "representations".into(),
            paths: vec![path],
            requires: Requires::compile(requires, self.symbols)?,
            input_rewrites: self.input_rewrites(fetch.input_rewrites.as_deref())?,
            output_rewrites: rewrites,
            spread: Spread::All,
        };
        self.fetch(fetch, &fetch.operation, Target::Entities(vec![entities]), Vec::new())
    }

    fn batch(&mut self, batch: &BatchFetchNode) -> Result<Step, CompileError> {
        let mut entities = Vec::with_capacity(batch.entity_batch.aliases.len());
        for alias in &batch.entity_batch.aliases {
            let mut paths = Vec::with_capacity(alias.merge_paths.len());
            for path in &alias.merge_paths {
                let path = self.path(path)?;
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
            entities.push(Entities {
                symbol: self.symbols.intern(&alias.alias),
                key: alias.alias.as_str().into(),
                variable: alias.representations_variable_name.as_str().into(),
                paths,
                requires: Requires::compile(&alias.requires, self.symbols)?,
                input_rewrites: self.input_rewrites(alias.input_rewrites.as_deref())?,
                output_rewrites: self.output_rewrites(alias.output_rewrites.as_deref())?,
                spread: Spread::All,
            });
        }
        self.fetch(batch, &batch.operation, Target::Entities(entities), Vec::new())
    }

    fn fetch(
        &mut self,
        node: &impl FetchLike,
        operation: &SubgraphFetchOperation,
        target: Target,
        rewrites: Vec<OutputRewrite>,
    ) -> Result<Step, CompileError> {
        let shape = self.shape(operation);
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let head = serde_json::to_string(&operation.document_str)
            .map_err(|_| CompileError::Unsupported("an operation that is no text"))?;
        self.fetches.push(Fetch {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            subgraph: node.subgraph().into(),
            is_query: matches!(node.kind(), None | Some(OperationKind::Query)),
            head: Bytes::from(format!("{{\"query\":{head}")),
            variables: client_variables(operation, &target),
            shape,
            target,
            rewrites,
        });
        Ok(Step::Fetch(self.fetches.len() - 1))
    }

    fn shape(&mut self, operation: &SubgraphFetchOperation) -> Shape {
        let document = &operation.document;
        let mut intern = |name: &str| self.symbols.intern(name);
        ShapeBuilder::build(&document.operation.selection_set, &document.fragments, &mut intern)
    }

    fn path(&mut self, path: &FlattenNodePath) -> Result<Path, CompileError> {
        let steps = path.as_slice().iter().map(|segment| {
            Ok(match segment {
                FlattenNodePathSegment::Field(name) => PathStep::Field(self.symbols.intern(name)),
                FlattenNodePathSegment::List => PathStep::List,
                FlattenNodePathSegment::TypeCondition(types) => PathStep::Type(self.symbols.types(types)?),
            })
        });
        Ok(Path { steps: steps.collect::<Result<_, CompileError>>()? })
    }

    fn input_rewrites(&self, rewrites: Option<&[FetchRewrite]>) -> Result<Vec<InputRewrite>, CompileError> {
        rewrites
            .unwrap_or_default()
            .iter()
            .map(|rewrite| InputRewrite::compile(rewrite, self.symbols))
            .collect()
    }

    fn output_rewrites(
        &mut self,
        rewrites: Option<&[FetchRewrite]>,
    ) -> Result<Vec<OutputRewrite>, CompileError> {
        rewrites
            .unwrap_or_default()
            .iter()
            .map(|rewrite| OutputRewrite::compile(rewrite, self.symbols))
            .collect()
    }
}

/// What the two kinds of fetching nodes have in common.
trait FetchLike {
    fn subgraph(&self) -> &str;
    fn kind(&self) -> Option<&OperationKind>;
}

impl FetchLike for FetchNode {
    fn subgraph(&self) -> &str {
        &self.service_name
    }
    fn kind(&self) -> Option<&OperationKind> {
        self.operation_kind.as_ref()
    }
}

impl FetchLike for BatchFetchNode {
    fn subgraph(&self) -> &str {
        &self.service_name
    }
    fn kind(&self) -> Option<&OperationKind> {
        self.operation_kind.as_ref()
    }
}

/// The variables that the fetch declares, but for those that take representations.
fn client_variables(operation: &SubgraphFetchOperation, target: &Target) -> Vec<Box<str>> {
    let takes_representations = |name: &str| match target {
        Target::Root | Target::Objects(_) => false,
        Target::Entities(entities) => entities.iter().any(|entities| *entities.variable == *name),
    };
    let declared = operation.document.operation.variable_definitions.iter().flatten();
    declared
        .map(|definition| definition.name.as_str())
        .filter(|name| !takes_representations(name))
        .map(Box::from)
        .collect()
}

/// Finds out which places that get the same entity later fetches treat alike.
fn decide_spreads(fetches: &mut [Fetch]) {
    let all: Vec<Path> = fetches
        .iter()
        .flat_map(|fetch| match &fetch.target {
            Target::Root => Vec::new(),
            Target::Objects(path) => vec![path.clone()],
            Target::Entities(entities) => {
                entities.iter().flat_map(|entities| entities.paths.clone()).collect()
            }
        })
        .collect();
    for fetch in fetches {
        let Target::Entities(groups) = &mut fetch.target else { continue };
        for entities in groups {
            entities.spread = entities.paths.iter().map(|path| spread_of(path, &all)).fold(
                Spread::All,
                |widest, spread| match (widest, spread) {
                    (Spread::Place, _) | (_, Spread::Place) => Spread::Place,
                    (Spread::Path, _) | (_, Spread::Path) => Spread::Path,
                    (Spread::All, Spread::All) => Spread::All,
                },
            );
        }
    }
}

/// How the objects at `path` are treated by the fetches at `all` paths: nothing goes on below them; or all
/// that does passes through this very path; or through one that reaches only some of them.
fn spread_of(path: &Path, all: &[Path]) -> Spread {
    let fields = |steps: &[PathStep]| -> Vec<PathStep> {
        steps.iter().filter(|step| !matches!(step, PathStep::Type(_))).cloned().collect()
    };
    let plain = fields(&path.steps);
    let mut spread = Spread::All;
    for other in all {
        let other_plain = fields(&other.steps);
        if other_plain.len() <= plain.len() || !other_plain.starts_with(&plain) {
            continue;
        }
        if !other.steps.starts_with(&path.steps) {
            return Spread::Place;
        }
        spread = Spread::Path;
    }
    spread
}
