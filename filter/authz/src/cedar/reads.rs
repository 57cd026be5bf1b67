//! What a policy set reads of a request.
//!
//! What no policy reads need not be fetched from the proxy, not be built for Cedar, and is no part of a cached
//! decision's key. The analysis errs on the side of more: an expression it does not see through counts as reading
//! everything.

use std::collections::BTreeSet;

use cedar_policy::PolicySet;
use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, Var};

/// What the policies read of a request beyond who asks for what: the shell may leave out the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// `context.path`.
    pub path: bool,
    /// `context.method`. The action depends on the method in any case.
    pub method: bool,
    /// `context.host`.
    pub host: bool,
    /// The names in `context.headers`.
    pub headers: BTreeSet<String>,
    /// `context.source`.
    pub source: bool,
    /// `context.tls_peer`.
    pub tls_peer: bool,
    /// `context.peer_organisation`.
    pub peer_organisation: bool,
    /// `context.time`: such decisions hold for a second.
    pub time: bool,
    /// The attributes of the principal.
    pub(crate) principal: Attributes,
    /// Whether something is read of entities that are neither principal, action nor resource.
    pub(super) other_entities: bool,
}

/// A set of attribute names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attributes {
    Named(BTreeSet<String>),
    All,
}

impl Default for Attributes {
    fn default() -> Self {
        Self::Named(BTreeSet::new())
    }
}

impl Attributes {
    pub(crate) fn contain(&self, name: &str) -> bool {
        match self {
            Self::Named(names) => names.contains(name),
            Self::All => true,
        }
    }
}

impl Reads {
    /// Analyses a policy set; `headers` are those that the configuration lets policies read.
    pub(super) fn of(set: &PolicySet, headers: &[String]) -> Self {
        let mut analysis = Analysis { reads: Self::default(), headers };
        for policy in set.policies() {
            if let Some(conditions) = policy.as_ref().non_scope_constraints() {
                analysis.visit(conditions);
            }
        }
        analysis.reads
    }
}

struct Analysis<'h> {
    reads: Reads,
    headers: &'h [String],
}

impl Analysis<'_> {
    fn visit(&mut self, expr: &Expr) {
        match expr.expr_kind() {
            ExprKind::Var(Var::Context) => self.whole_context(),
            // An entity by itself is its id.
            ExprKind::Var(Var::Principal | Var::Action | Var::Resource) => {}
            ExprKind::GetAttr { expr, attr } | ExprKind::HasAttr { expr, attr } => self.access(expr, attr),
            ExprKind::ExtHasAttr { expr, attrs } => match (expr.expr_kind(), attrs.iter().nth(1)) {
                (ExprKind::Var(Var::Context), Some(name)) if attrs.head == "headers" => self.header(name),
                _ => self.access(expr, &attrs.head),
            },
            ExprKind::BinaryApp { op, arg1, arg2 } => {
                let looks_up = matches!(op, BinaryOp::In | BinaryOp::GetTag | BinaryOp::HasTag);
                if looks_up && !is_own_entity(arg1) {
                    self.everything();
                }
                self.visit(arg1);
                self.visit(arg2);
            }
            ExprKind::And { .. }
            | ExprKind::Or { .. }
            | ExprKind::UnaryApp { .. }
            | ExprKind::Like { .. }
            | ExprKind::Is { .. }
            | ExprKind::Set(_)
            | ExprKind::ExtensionFunctionApp { .. }
            | ExprKind::If { .. }
            | ExprKind::Record(_)
            | ExprKind::Lit(_) => self.visit_parts(expr),
            // Slots are confined to scopes; anything else Cedar may add is not seen through.
            _ => self.everything(),
        }
    }

    fn visit_parts(&mut self, expr: &Expr) {
        match expr.expr_kind() {
            ExprKind::And { left, right } | ExprKind::Or { left, right } => {
                self.visit(left);
                self.visit(right);
            }
            ExprKind::UnaryApp { arg, .. } => self.visit(arg),
            ExprKind::Like { expr, .. } | ExprKind::Is { expr, .. } => self.visit(expr),
            ExprKind::Set(items) => items.iter().for_each(|item| self.visit(item)),
            ExprKind::ExtensionFunctionApp { args, .. } => args.iter().for_each(|arg| self.visit(arg)),
            ExprKind::Record(members) => members.values().for_each(|value| self.visit(value)),
            ExprKind::If { test_expr, then_expr, else_expr } => {
                self.visit(test_expr);
                self.visit(then_expr);
                self.visit(else_expr);
            }
            ExprKind::Lit(_) => {}
            _ => self.everything(),
        }
    }

    /// `base.name` or `base has name`.
    fn access(&mut self, base: &Expr, name: &str) {
        match base.expr_kind() {
            ExprKind::Var(Var::Context) => self.context(name),
            ExprKind::Var(Var::Principal) => {
                if let Attributes::Named(names) = &mut self.reads.principal {
                    names.insert(name.to_owned());
                }
            }
            // Resources and actions are built whole, and belong to every key.
            ExprKind::Var(Var::Action | Var::Resource) => {}
            ExprKind::GetAttr { expr, attr } => match (expr.expr_kind(), attr.as_str()) {
                (ExprKind::Var(Var::Context), "headers") => self.header(name),
                (ExprKind::Var(_), "claims") => self.access(expr, attr),
                _ => self.other(base),
            },
            _ => self.other(base),
        }
    }

    /// Something is read of a value that may be any entity.
    fn other(&mut self, base: &Expr) {
        self.everything();
        self.visit(base);
    }

    fn context(&mut self, name: &str) {
        let reads = &mut self.reads;
        match name {
            "path" => reads.path = true,
            "method" => reads.method = true,
            "host" => reads.host = true,
            "source" => reads.source = true,
            "tls_peer" => reads.tls_peer = true,
            "peer_organisation" => reads.peer_organisation = true,
            "time" => reads.time = true,
            "headers" => reads.headers.extend(self.headers.iter().cloned()),
            _ => self.whole_context(),
        }
    }

    fn header(&mut self, name: &str) {
        self.reads.headers.insert(name.to_owned());
    }

    fn whole_context(&mut self) {
        for name in ["path", "method", "host", "source", "tls_peer", "peer_organisation", "time", "headers"] {
            self.context(name);
        }
    }

    fn everything(&mut self) {
        self.whole_context();
        self.reads.principal = Attributes::All;
        self.reads.other_entities = true;
    }
}

fn is_own_entity(expr: &Expr) -> bool {
    matches!(expr.expr_kind(), ExprKind::Var(Var::Principal | Var::Action | Var::Resource))
}
