//! What a policy says in a form that a table can answer.

use cedar_policy_core::ast::{
    ActionConstraint, BinaryOp, EntityReference, EntityType, EntityUID, Expr, ExprKind, Literal, Pattern,
    PatternElem, Policy, PrincipalOrResourceConstraint, UnaryOp, Var,
};
use smol_str::SmolStr;

/// Something about a request that policies compare with constants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Feature {
    /// The type of an entity. Never fails.
    Type(Var),
    /// Which entity it is. Never fails.
    Identity(Var),
    /// Which entities it is in, itself included. Never fails.
    Ancestors(Var),
    /// The value at a path. Fails where there is none.
    Value(Path),
    /// The elements of the set at a path. Fails where there is no set.
    Elements(Path),
    /// The beginning of the string at a path. Fails where there is no string.
    Beginning(Path),
    /// Whether there is a value at a path. The first `certain` steps must be there, or it fails.
    Presence { path: Path, certain: usize },
}

/// A way from a variable to a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Path {
    pub(super) root: Var,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Attribute(SmolStr),
    Tag(SmolStr),
}

/// A constant that a feature is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Type(EntityType),
    Entity(EntityUID),
    Literal(Literal),
    Beginning(SmolStr),
    Present,
}

/// "The feature has one of these keys", or, negated, none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) feature: Feature,
    pub(super) any_of: Vec<Key>,
    pub(super) negated: bool,
    /// Whether the clause says all that its part of the policy says. Otherwise it is a consequence of it.
    exact: bool,
}

/// The clauses of a policy in the order of evaluation: each is one conjunct, up to the first that is none.
#[derive(Debug)]
pub(super) struct Analysis {
    pub(super) clauses: Vec<Clause>,
    /// Whether the policy is satisfied exactly if all clauses hold.
    pub(super) complete: bool,
}

pub(super) fn analyse(policy: &Policy) -> Analysis {
    let mut clauses = scope(policy);
    let mut complete = true;
    if let Some(conditions) = policy.non_scope_constraints() {
        let mut conjuncts = Vec::new();
        flatten(conditions, &mut conjuncts);
        for conjunct in conjuncts {
            if is_true(conjunct) {
                continue;
            }
            // What follows a conjunct that is no clause is out of reach: the conjunct might fail first.
            let Some(clause) = clause(conjunct) else {
                complete = false;
                break;
            };
            complete &= clause.exact;
            clauses.push(clause);
        }
    }
    Analysis { clauses, complete }
}

impl Clause {
    fn exact(feature: Feature, any_of: Vec<Key>) -> Self {
        Self { feature, any_of, negated: false, exact: true }
    }

    /// The path that is sure to have a value once the clause holds.
    pub(super) fn ensures(&self) -> Option<&Path> {
        match &self.feature {
            Feature::Presence { .. } if self.negated => None,
            Feature::Presence { path, .. }
            | Feature::Value(path)
            | Feature::Elements(path)
            | Feature::Beginning(path) => Some(path),
            Feature::Type(_) | Feature::Identity(_) | Feature::Ancestors(_) => None,
        }
    }
}

impl Feature {
    /// The path that must have a value.
    pub(super) fn needs(&self) -> Option<&Path> {
        match self {
            Self::Value(path) | Self::Elements(path) | Self::Beginning(path) => Some(path),
            Self::Presence { .. } | Self::Type(_) | Self::Identity(_) | Self::Ancestors(_) => None,
        }
    }

    pub(super) fn can_fail(&self) -> bool {
        match self {
            Self::Type(_) | Self::Identity(_) | Self::Ancestors(_) => false,
            Self::Value(_) | Self::Elements(_) | Self::Beginning(_) | Self::Presence { .. } => true,
        }
    }
}

fn scope(policy: &Policy) -> Vec<Clause> {
    let mut clauses = Vec::new();
    entity_scope(Var::Principal, policy.principal_constraint().as_inner(), &mut clauses);
    match policy.template().action_constraint() {
        ActionConstraint::Any => {}
        ActionConstraint::Eq(uid) => clauses.push(identity(Var::Action, uid)),
        ActionConstraint::In(uids) => {
            let any_of = uids.iter().map(|uid| Key::Entity(uid.as_ref().clone())).collect();
            clauses.push(Clause::exact(Feature::Ancestors(Var::Action), any_of));
        }
    }
    entity_scope(Var::Resource, policy.resource_constraint().as_inner(), &mut clauses);
    clauses
}

fn entity_scope(var: Var, constraint: &PrincipalOrResourceConstraint, clauses: &mut Vec<Clause>) {
    let (entity_type, reference) = match constraint {
        PrincipalOrResourceConstraint::Any => (None, None),
        PrincipalOrResourceConstraint::Eq(EntityReference::EUID(uid)) => {
            clauses.push(identity(var, uid));
            (None, None)
        }
        PrincipalOrResourceConstraint::In(reference) => (None, Some(reference)),
        PrincipalOrResourceConstraint::Is(entity_type) => (Some(entity_type), None),
        PrincipalOrResourceConstraint::IsIn(entity_type, reference) => (Some(entity_type), Some(reference)),
        // The slots of a linked template are filled in; an open one cannot be evaluated anyway.
        PrincipalOrResourceConstraint::Eq(EntityReference::Slot(_)) => (None, None),
    };
    if let Some(entity_type) = entity_type {
        clauses.push(Clause::exact(Feature::Type(var), vec![Key::Type(entity_type.as_ref().clone())]));
    }
    if let Some(EntityReference::EUID(uid)) = reference {
        clauses.push(Clause::exact(Feature::Ancestors(var), vec![Key::Entity(uid.as_ref().clone())]));
    }
}

fn identity(var: Var, uid: &EntityUID) -> Clause {
    Clause::exact(Feature::Identity(var), vec![Key::Entity(uid.clone())])
}

/// The conjuncts of nested `&&`, in the order of evaluation.
fn flatten<'e>(expr: &'e Expr, conjuncts: &mut Vec<&'e Expr>) {
    match expr.expr_kind() {
        ExprKind::And { left, right } => {
            flatten(left, conjuncts);
            flatten(right, conjuncts);
        }
        _ => conjuncts.push(expr),
    }
}

fn is_true(expr: &Expr) -> bool {
    matches!(expr.expr_kind(), ExprKind::Lit(Literal::Bool(true)))
}

/// A conjunct as a clause, if it has the form of one.
fn clause(expr: &Expr) -> Option<Clause> {
    match expr.expr_kind() {
        ExprKind::UnaryApp { op: UnaryOp::Not, arg } => {
            let inner = clause(arg).filter(|inner| inner.exact)?;
            Some(Clause { negated: !inner.negated, ..inner })
        }
        ExprKind::Or { left, right } => either(clause(left)?, clause(right)?),
        ExprKind::Is { expr, entity_type } => {
            Some(Clause::exact(Feature::Type(entity_var(expr)?), vec![Key::Type(entity_type.clone())]))
        }
        ExprKind::HasAttr { expr, attr } => presence(path(expr)?, [attr]),
        ExprKind::ExtHasAttr { expr, attrs } => presence(path(expr)?, attrs),
        ExprKind::Like { expr, pattern } => like(path_to_value(expr)?, pattern),
        ExprKind::BinaryApp { op, arg1, arg2 } => match op {
            BinaryOp::Eq => equality(arg1, arg2).or_else(|| equality(arg2, arg1)),
            BinaryOp::In => {
                let feature = Feature::Ancestors(entity_var(arg1)?);
                Some(Clause::exact(feature, entities(arg2)?))
            }
            BinaryOp::Contains => contains(arg1, arg2),
            BinaryOp::HasTag => {
                let mut path = path(arg1)?;
                let certain = path.steps.len();
                path.steps.push(Step::Tag(string(arg2)?.clone()));
                Some(Clause::exact(Feature::Presence { path, certain }, vec![Key::Present]))
            }
            _ => None,
        },
        _ => None,
    }
}

/// `a || b` about one feature. Neither can then fail where the other does not.
fn either(left: Clause, right: Clause) -> Option<Clause> {
    if left.feature != right.feature || left.negated || right.negated {
        return None;
    }
    let exact = left.exact && right.exact;
    let any_of = left.any_of.into_iter().chain(right.any_of).collect();
    Some(Clause { feature: left.feature, any_of, negated: false, exact })
}

fn presence<'a>(base: Path, attributes: impl IntoIterator<Item = &'a SmolStr>) -> Option<Clause> {
    let certain = base.steps.len();
    let Path { root, mut steps } = base;
    steps.extend(attributes.into_iter().cloned().map(Step::Attribute));
    let path = Path { root, steps };
    Some(Clause::exact(Feature::Presence { path, certain }, vec![Key::Present]))
}

/// A pattern that begins with text. It is all there is to it if one `*` follows, or only `*`s.
fn like(path: Path, pattern: &Pattern) -> Option<Clause> {
    let mut elements = pattern.iter();
    let beginning: SmolStr = elements
        .by_ref()
        .map_while(|element| match element {
            PatternElem::Char(character) => Some(*character),
            PatternElem::Wildcard => None,
        })
        .collect();
    let ends_in_wildcard = beginning.chars().count() < pattern.len();
    let exact = ends_in_wildcard && elements.all(|element| *element == PatternElem::Wildcard);
    if beginning.is_empty() {
        return None;
    }
    let feature = Feature::Beginning(path);
    Some(Clause { feature, any_of: vec![Key::Beginning(beginning)], negated: false, exact })
}

/// `variable == entity`, or `path == constant`.
fn equality(side: &Expr, constant: &Expr) -> Option<Clause> {
    let ExprKind::Lit(literal) = constant.expr_kind() else { return None };
    if let Some(var) = entity_var(side) {
        let Literal::EntityUID(uid) = literal else { return None };
        return Some(identity(var, uid));
    }
    let path = path_to_value(side)?;
    Some(Clause::exact(Feature::Value(path), vec![Key::Literal(literal.clone())]))
}

/// `path.contains(constant)`, or `[constants].contains(path)`.
fn contains(set: &Expr, element: &Expr) -> Option<Clause> {
    if let ExprKind::Lit(literal) = element.expr_kind() {
        let feature = Feature::Elements(path_to_value(set)?);
        return Some(Clause::exact(feature, vec![Key::Literal(literal.clone())]));
    }
    let ExprKind::Set(items) = set.expr_kind() else { return None };
    let literals = items.iter().map(|item| match item.expr_kind() {
        ExprKind::Lit(literal) => Some(Key::Literal(literal.clone())),
        _ => None,
    });
    Some(Clause::exact(Feature::Value(path_to_value(element)?), literals.collect::<Option<_>>()?))
}

/// One entity or a set of entities.
fn entities(expr: &Expr) -> Option<Vec<Key>> {
    match expr.expr_kind() {
        ExprKind::Lit(Literal::EntityUID(uid)) => Some(vec![Key::Entity(uid.as_ref().clone())]),
        ExprKind::Set(items) => items
            .iter()
            .map(|item| match item.expr_kind() {
                ExprKind::Lit(Literal::EntityUID(uid)) => Some(Key::Entity(uid.as_ref().clone())),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

fn string(expr: &Expr) -> Option<&SmolStr> {
    match expr.expr_kind() {
        ExprKind::Lit(Literal::String(text)) => Some(text),
        _ => None,
    }
}

fn entity_var(expr: &Expr) -> Option<Var> {
    match expr.expr_kind() {
        ExprKind::Var(Var::Context) => None,
        ExprKind::Var(var) => Some(*var),
        _ => None,
    }
}

fn path_to_value(expr: &Expr) -> Option<Path> {
    path(expr).filter(|path| !path.steps.is_empty())
}

/// `variable.attribute…` and `variable.getTag("tag")…`.
fn path(expr: &Expr) -> Option<Path> {
    match expr.expr_kind() {
        ExprKind::Var(root) => Some(Path { root: *root, steps: Vec::new() }),
        ExprKind::GetAttr { expr, attr } => {
            let mut path = path(expr)?;
            path.steps.push(Step::Attribute(attr.clone()));
            Some(path)
        }
        ExprKind::BinaryApp { op: BinaryOp::GetTag, arg1, arg2 } => {
            let mut path = path(arg1)?;
            path.steps.push(Step::Tag(string(arg2)?.clone()));
            Some(path)
        }
        _ => None,
    }
}
