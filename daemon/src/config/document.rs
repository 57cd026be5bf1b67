//! The document that file, flags and defaults make together, and where each of its values came from.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::path::JsonPath;
use super::problem::{Fault, Problem, Source};
use super::shape::{Fields, FlagName, Kind, Shape};

/// One value that was given: a leaf of the document, or a whole list.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    pub(super) path: JsonPath,
    pub(super) value: Value,
    pub(super) source: Source,
}

/// The problems found so far, and the shape that they are measured against.
#[derive(Debug)]
pub(super) struct Report<'a> {
    shape: &'a Shape,
    problems: Vec<Problem>,
}

impl<'a> Report<'a> {
    pub(super) fn new(shape: &'a Shape) -> Self {
        Self { shape, problems: vec![] }
    }

    pub(super) fn add(&mut self, source: Source, path: JsonPath, value: Option<String>, fault: Fault) {
        let flag = flag_for(self.shape, &path);
        self.problems.push(Problem { source, path, value, fault, flag });
    }

    /// Whether something was found wrong with the value at `path`, or with what holds it.
    pub(super) fn covers(&self, path: &JsonPath) -> bool {
        let at_fault = |problem: &Problem| {
            // An unknown field says nothing of the known ones beside it.
            let of_value = !matches!(problem.fault, Fault::UnknownField { .. });
            of_value && !problem.path.segments().is_empty() && path.starts_with(&problem.path)
        };
        self.problems.iter().any(at_fault)
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Checks a value that is meant for `path` against the shape and takes it apart. What is wrong is left out, so that
    /// the rest can be looked at further.
    pub(super) fn check(&mut self, path: &JsonPath, value: Value, source: &Source) -> Vec<Setting> {
        let mut settings = vec![];
        let shape = self.shape.at(path).expect("the caller names a place of the shape");
        self.check_at(shape, path, value, source, &mut settings);
        settings
    }

    fn check_at(
        &mut self,
        shape: &Shape,
        path: &JsonPath,
        value: Value,
        source: &Source,
        settings: &mut Vec<Setting>,
    ) {
        match (&shape.kind, value) {
            (Kind::Section(fields), Value::Object(object)) => {
                for (key, field, value) in self.known_fields(fields, path, object, source) {
                    self.check_at(field, &path.key(&key), value, source, settings);
                }
            }
            (Kind::Section(_), value) => self.wrong_type(shape, path, &value, source),
            (
                Kind::List { .. } | Kind::Text | Kind::Choice(_) | Kind::Integer { .. } | Kind::Boolean,
                value,
            ) => {
                if let Some(value) = self.check_leaf(shape, path, value, source) {
                    settings.push(Setting { path: path.clone(), value, source: source.clone() });
                }
            }
        }
    }

    /// The value as far as it is right; `None` if nothing of it is.
    fn check_leaf(&mut self, shape: &Shape, path: &JsonPath, value: Value, source: &Source) -> Option<Value> {
        match (&shape.kind, value) {
            (Kind::Section(fields), Value::Object(object)) => {
                let mut right = Map::new();
                for (key, field, value) in self.known_fields(fields, path, object, source) {
                    if let Some(value) = self.check_leaf(field, &path.key(&key), value, source) {
                        right.insert(key, value);
                    }
                }
                Some(Value::Object(right))
            }
            (Kind::List { item, min, max }, Value::Array(items)) => {
                let found = items.len();
                if !(*min..=*max).contains(&found) {
                    let fault = Fault::Length { found, min: *min, max: *max };
                    self.add(source.clone(), path.clone(), None, fault);
                    return None;
                }
                let check = |(index, value)| self.check_leaf(item, &path.index(index), value, source);
                let checked: Vec<Option<Value>> = items.into_iter().enumerate().map(check).collect();
                // Items are referred to by their index, so none may move up: all, or none of them.
                checked.into_iter().collect::<Option<Vec<_>>>().map(Value::Array)
            }
            (Kind::Choice(choices), Value::String(text)) => {
                if choices.contains(&text) {
                    return Some(Value::String(text));
                }
                let suggestion = closest(&text, choices.iter().map(String::as_str)).map(str::to_owned);
                let fault = Fault::NotAllowed { allowed: choices.clone(), suggestion };
                self.add(source.clone(), path.clone(), Some(text), fault);
                None
            }
            (Kind::Integer { min, max }, Value::Number(number)) => {
                if number.as_u64().is_some_and(|number| (*min..=*max).contains(&number)) {
                    return Some(Value::Number(number));
                }
                let fault = Fault::OutOfBounds { min: *min, max: *max };
                self.add(source.clone(), path.clone(), Some(number.to_string()), fault);
                None
            }
            (Kind::Text, value @ Value::String(_)) | (Kind::Boolean, value @ Value::Bool(_)) => Some(value),
            (Kind::Section(_) | Kind::List { .. } | Kind::Choice(_), value)
            | (Kind::Integer { .. } | Kind::Text | Kind::Boolean, value) => {
                self.wrong_type(shape, path, &value, source);
                None
            }
        }
    }

    fn wrong_type(&mut self, shape: &Shape, path: &JsonPath, value: &Value, source: &Source) {
        let fault = Fault::wrong_type(value, &shape.kind);
        self.add(source.clone(), path.clone(), Some(quoted(value)), fault);
    }

    fn known_fields<'f>(
        &mut self,
        fields: &'f Fields,
        path: &JsonPath,
        object: Map<String, Value>,
        source: &Source,
    ) -> Vec<(String, &'f Shape, Value)> {
        let mut known = vec![];
        for (name, value) in object {
            if let Some(shape) = fields.get(&name) {
                known.push((name, shape, value));
                continue;
            }
            let suggestion =
                closest(&name, fields.keys()).map(str::to_owned).or_else(|| elsewhere(self.shape, &name));
            let known = fields.keys().filter(|key| !key.starts_with('$')).map(str::to_owned).collect();
            self.add(source.clone(), path.clone(), None, Fault::UnknownField { name, suggestion, known });
        }
        known
    }
}

/// A value as it is quoted in messages: a text without its quotation marks.
pub(super) fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

/// The candidate that is at most a third of its letters away.
fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word.to_lowercase(), candidate);
    let near = candidates.map(|candidate| (distance(candidate), candidate));
    near.filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3)).min().map(|(_, name)| name)
}

/// The path of the first field called `name`, wherever it is: a common mistake is to put a field a level too high.
fn elsewhere(shape: &Shape, name: &str) -> Option<String> {
    fn search(shape: &Shape, path: &str, name: &str) -> Option<String> {
        match &shape.kind {
            Kind::Section(fields) => {
                let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                let here = fields.get(name).map(|_| join(name));
                here.or_else(|| fields.iter().find_map(|(key, field)| search(field, &join(key), name)))
            }
            Kind::List { item, .. } => search(item, &format!("{path}[]"), name),
            Kind::Text | Kind::Choice(_) | Kind::Integer { .. } | Kind::Boolean => None,
        }
    }
    search(shape, "", name)
}

/// The flag that sets what is at `path`: the field's own, or that of the list it is in.
pub(super) fn flag_for(shape: &Shape, path: &JsonPath) -> Option<String> {
    path.ancestors().filter(|path| !path.segments().is_empty()).find_map(|path| {
        let shape = shape.at(&path)?;
        flag_name(shape, &path).map(|name| format!("--{name}"))
    })
}

/// The flag of the field at `path` itself, without dashes.
pub(super) fn flag_name(shape: &Shape, path: &JsonPath) -> Option<String> {
    let in_list = path.segments().iter().any(|segment| matches!(segment, super::path::Segment::Index(_)));
    match (&shape.flag, &shape.kind) {
        (FlagName::Given(name), _) => Some(name.clone()),
        (FlagName::None, _) | (FlagName::FromPath, Kind::Section(_)) => None,
        (
            FlagName::FromPath,
            Kind::List { .. } | Kind::Text | Kind::Choice(_) | Kind::Integer { .. } | Kind::Boolean,
        ) => (!in_list).then(|| path.to_string().replace(['.', '_'], "-")),
    }
}

/// What file, flags and defaults make together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    pub(super) value: Value,
    sources: BTreeMap<JsonPath, Source>,
}

impl Document {
    /// Applies the settings in order, each over those before it, and then fills in the defaults.
    pub(super) fn new(settings: Vec<Setting>, report: &mut Report<'_>) -> Self {
        let mut document = Self { value: Value::Object(Map::new()), sources: BTreeMap::new() };
        for setting in settings {
            document.apply(setting, report);
        }
        document.fill(report.shape, &JsonPath::default());
        document
    }

    fn apply(&mut self, setting: Setting, report: &mut Report<'_>) {
        let Setting { path, value, source } = setting;
        // A flag for a field of the only item of a list.
        let list = path.ancestors().skip(1).find_map(|above| match above.get(&self.value) {
            Some(Value::Array(items)) => Some((above, items.len())),
            Some(_) | None => None,
        });
        if let Some((list, count @ 2..)) = list {
            report.add(source, path, None, Fault::Ambiguous { list, count });
            return;
        }
        path.set(&mut self.value, value);
        self.sources.insert(path, source);
    }

    fn fill(&mut self, shape: &Shape, path: &JsonPath) {
        match (&shape.kind, &shape.default) {
            (Kind::Section(fields), _) => {
                if path.get(&self.value).is_none() {
                    path.set(&mut self.value, Value::Object(Map::new()));
                }
                for (key, field) in fields.iter() {
                    self.fill(field, &path.key(key));
                }
            }
            (
                Kind::List { .. } | Kind::Text | Kind::Choice(_) | Kind::Integer { .. } | Kind::Boolean,
                Some(default),
            ) if path.get(&self.value).is_none() => {
                path.set(&mut self.value, default.clone());
                self.sources.insert(path.clone(), Source::Default);
            }
            (Kind::List { item, .. }, _) if matches!(item.kind, Kind::Section(_)) => {
                let count = path.get(&self.value).and_then(Value::as_array).map_or(0, Vec::len);
                for index in 0..count {
                    self.fill(item, &path.index(index));
                }
            }
            (Kind::List { .. } | Kind::Text | Kind::Choice(_) | Kind::Integer { .. } | Kind::Boolean, _) => {}
        }
    }

    /// Where the value at `path` came from. What nobody gave is a default, also if it was derived.
    pub(super) fn source(&self, path: &JsonPath) -> Source {
        if path.get(&self.value).is_none() {
            return Source::Default;
        }
        let nearest = path.ancestors().find_map(|path| self.sources.get(&path));
        nearest.cloned().unwrap_or(Source::Default)
    }

    /// The source to name for something that is missing at `path`: that of what surrounds it.
    pub(super) fn source_around(&self, path: &JsonPath) -> Source {
        path.ancestors().find_map(|path| self.sources.get(&path)).cloned().unwrap_or(Source::Default)
    }
}
