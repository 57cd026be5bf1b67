//! `@override`: which subgraph's field is taken over by which.

use super::Merger;
use super::fields::FieldSources;
use crate::errors::{CompositionError, ErrorCode};
use crate::model::{Directive, Directives, Field, Kind, Name, Role, Value};
use crate::subgraph::FieldTable;

/// What overrides leave of one subgraph's field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// No override touches it, or it overrides another.
    Plain,
    /// Taken over, and no longer part of its subgraph as far as the gateway is concerned.
    Gone,
    /// Taken over, but still named by a field set or interface of its subgraph.
    UsedOverridden,
    /// Taken over, or taking over, for requests with this label only.
    Labelled(Label),
}

/// A field that a subgraph resolves only for requests with, or without, a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub label: Name,
    /// The field is resolved here when the label applies, else when it does not.
    pub when: bool,
}

/// The outcome of all overrides, for whoever walks the subgraphs.
#[derive(Clone, Debug)]
pub(crate) struct Overrides {
    overridden: Vec<FieldTable<()>>,
    labelled: Vec<FieldTable<Label>>,
}

impl Overrides {
    pub(super) fn new(subgraphs: usize) -> Overrides {
        Overrides {
            overridden: vec![FieldTable::default(); subgraphs],
            labelled: vec![FieldTable::default(); subgraphs],
        }
    }

    /// The subgraph no longer resolves the field.
    pub(crate) fn is_overridden(&self, subgraph: usize, ty: &str, field: &str) -> bool {
        self.overridden[subgraph].contains(ty, field)
    }

    pub(crate) fn label(&self, subgraph: usize, ty: &str, field: &str) -> Option<&Label> {
        self.labelled[subgraph].get(ty, field)
    }
}

impl<'a> Merger<'a> {
    pub(super) fn resolve_overrides(&mut self, set: &FieldSources<'_, 'a>, name: &Name) -> Vec<Standing> {
        if !set.fields.values().any(|f| f.has(Role::Override)) {
            return Vec::new();
        }
        let mut standing = vec![Standing::Plain; self.subgraphs.len()];
        for (index, field) in set.fields.iter() {
            let Some(directive) = field.first(Role::Override) else { continue };
            let Some(from) = directive.argument("from").and_then(Value::as_str) else { continue };
            let label = directive.argument("label").and_then(Value::as_str);
            let source = self.subgraphs.iter().position(|s| s.name == from);
            if let Err(error) = self.check_override(set, index, source, directive) {
                self.errors.push(error);
                continue;
            }
            // A bad label is no reason to complain of sharing too: go on as without.
            let label = label.filter(|label| self.check_label(set, index, label));
            let Some((source, overridden)) = source.and_then(|i| Some((i, set.fields.get(i)?))) else {
                continue;
            };
            // An external field is not resolved there; there is nothing to take over.
            if self.subgraphs[source].usage.is_external(set.parent, name) {
                continue;
            }
            if let Err(error) = self.check_overridden(set, index, overridden, label) {
                self.errors.push(error);
                continue;
            }
            match label {
                Some(label) => {
                    for (subgraph, when) in [(index, true), (source, false)] {
                        let label = Label { label: label.into(), when };
                        standing[subgraph] = Standing::Labelled(label.clone());
                        self.overrides.labelled[subgraph].insert(set.parent, name, label);
                    }
                }
                None => {
                    let used = self.subgraphs[source].usage.is_used(set.parent, name);
                    standing[source] = if used { Standing::UsedOverridden } else { Standing::Gone };
                    self.overrides.overridden[source].insert(set.parent, name, ());
                }
            }
        }
        standing
    }

    fn check_override(
        &self,
        set: &FieldSources<'_, 'a>,
        index: usize,
        source: Option<usize>,
        directive: &Directive,
    ) -> Result<(), CompositionError> {
        let at = set.coordinate();
        let name = self.subgraphs[index].name.as_str();
        let error = |code, message: String| Err(CompositionError::new(code, message).at(&at).within([name]));
        if set.kind == Kind::Interface {
            let message = format!("@{} cannot be used on `{at}`, a field of an interface", directive.name);
            return error(ErrorCode::OverrideOnInterface, message);
        }
        if source == Some(index) {
            return error(
                ErrorCode::OverrideFromSelfError,
                format!("`{at}` overrides itself: `from:` names its own subgraph"),
            );
        }
        Ok(())
    }

    fn check_label(&mut self, set: &FieldSources<'_, 'a>, index: usize, label: &str) -> bool {
        let valid = is_label(label);
        if !valid {
            let at = set.coordinate();
            let message = format!("`{at}`: `{label}` is no label for @override");
            let error = CompositionError::new(ErrorCode::OverrideLabelInvalid, message).at(at);
            self.errors.push(error.within([self.subgraphs[index].name.as_str()]));
        }
        valid
    }

    fn check_overridden(
        &self,
        set: &FieldSources<'_, 'a>,
        index: usize,
        overridden: &Field,
        label: Option<&str>,
    ) -> Result<(), CompositionError> {
        let at = set.coordinate();
        let subgraph = &self.subgraphs[index];
        let error = |code, message: String| {
            Err(CompositionError::new(code, message).at(&at).within([subgraph.name.as_str()]))
        };
        if overridden.has(Role::Override) {
            let message = format!("`{at}` overrides a field that is itself an override");
            return error(ErrorCode::OverrideSourceHasOverride, message);
        }
        let code = ErrorCode::OverrideCollisionWithAnotherDirective;
        if subgraph.usage.is_external(set.parent, &overridden.name) {
            return error(code, format!("`{at}` has @override, but is @external there"));
        }
        let conflicting =
            [Role::Requires, Role::Provides].into_iter().find_map(|role| overridden.first(role));
        if let (Some(directive), Some(_)) = (conflicting, label) {
            return error(code, format!("`{at}` overrides a field that has @{}", directive.name));
        }
        Ok(())
    }
}

/// A name, or a share of requests as `percent(12.5)`.
fn is_label(label: &str) -> bool {
    if let Some(number) = label.strip_prefix("percent(").and_then(|rest| rest.strip_suffix(')')) {
        let (whole, fraction) = number.split_once('.').map_or((number, None), |(w, f)| (w, Some(f)));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let in_range = number.parse::<f64>().is_ok_and(|n| n <= 100.0);
        return digits(whole)
            && whole.len() <= 3
            && fraction.is_none_or(|f| digits(f) && f.len() <= 8)
            && in_range;
    }
    let mut bytes = label.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"_-:./".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::is_label;

    #[test]
    fn a_label_is_a_name_or_a_percentage() {
        for label in
            ["a", "Feature_1:x.y/z-0", "percent(0)", "percent(100)", "percent(12.12345678)", "percent(100.0)"]
        {
            assert!(is_label(label), "{label}");
        }
        let refused =
            ["", "0", "_a", "a b", "percent()", "percent(101)", "percent(100.1)", "percent(1.123456789)"];
        for label in refused.into_iter().chain(["percent(-1)", "percent(+1)", "percent(1.)", "percent(1)x"]) {
            assert!(!is_label(label), "{label}");
        }
    }
}
