//! The flags: one for every field, made from the shape of the document.
//!
//! A field's flag is called after its path (`envoy.drain_time` is `--envoy-drain-time`) or as the raw form says. A list
//! of texts is a flag that may be repeated; a list of objects is one too, each value being `KEY=VALUE,KEY=VALUE…` or a
//! JSON object. A field of such objects may have a flag of its own, for the common case of one object.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Number, Value};

use super::document::{Report, Setting, flag_name};
use super::path::JsonPath;
use super::problem::{Fault, Source};
use super::shape::{Kind, Shape};

/// The values of the flags that were given, as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags(Vec<(String, Vec<String>)>);

/// One flag and the place that it sets.
struct Flag<'a> {
    /// Without dashes.
    name: String,
    path: JsonPath,
    shape: &'a Shape,
}

/// Every flag, in the order of the document.
fn flags(shape: &Shape) -> Vec<Flag<'_>> {
    fn collect<'a>(shape: &'a Shape, path: &JsonPath, flags: &mut Vec<Flag<'a>>) {
        if let Some(name) = flag_name(shape, path) {
            flags.push(Flag { name, path: path.clone(), shape });
        }
        match &shape.kind {
            Kind::Section(fields) => {
                for (key, field) in fields.iter() {
                    collect(field, &path.key(key), flags);
                }
            }
            Kind::List { item, .. } => {
                if let Kind::Section(fields) = &item.kind {
                    for (key, field) in fields.iter() {
                        collect(field, &path.index(0).key(key), flags);
                    }
                }
            }
            Kind::Text | Kind::Choice(_) | Kind::Integer { .. } | Kind::Boolean => {}
        }
    }
    let mut all = vec![];
    collect(shape, &JsonPath::default(), &mut all);
    all
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let shape = Shape::of_config();
        let args: Vec<Arg> = flags(&shape).iter().map(|flag| flag.arg(&shape)).collect();
        command.args(args)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let shape = Shape::of_config();
        let given = |flag: Flag<'_>| {
            let values = matches.get_many::<String>(&flag.name)?.cloned().collect();
            Some((flag.name, values))
        };
        Ok(Self(flags(&shape).into_iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Flag<'_> {
    fn arg(&self, root: &Shape) -> Arg {
        let Shape { doc, value_name, default, kind, .. } = self.shape;
        let list = matches!(kind, Kind::List { .. });
        let value_name = value_name.clone().unwrap_or_else(|| placeholder(kind));
        let mut help = doc.trim_end_matches('.').to_owned();
        if let Kind::List { item, .. } = kind
            && let Kind::Section(fields) = &item.kind
        {
            help.push_str(". Keys: ");
            help.push_str(
                &fields.iter().map(|(key, field)| key_help(key, field)).collect::<Vec<_>>().join(", "),
            );
        }
        if let Some(default) = default.as_ref().and_then(written_default) {
            help.push_str(&format!(" [default: {default}]"));
        }
        Arg::new(self.name.clone())
            .long(self.name.clone())
            .value_name(value_name)
            .help(help)
            .help_heading(self.heading(root))
            .action(if list { ArgAction::Append } else { ArgAction::Set })
    }

    /// The doc of the section that the field is in; of the outermost, if it is in several.
    fn heading(&self, root: &Shape) -> String {
        let above: Vec<JsonPath> = self.path.ancestors().collect();
        let top = &above[above.len() - 2];
        match root.at(top) {
            Some(Shape { doc, kind: Kind::Section(_), .. }) => doc.trim_end_matches('.').to_owned(),
            Some(Shape { kind: Kind::List { .. }, .. }) => "What this node offers".to_owned(),
            Some(_) | None => "Directories".to_owned(),
        }
    }
}

fn placeholder(kind: &Kind) -> String {
    match kind {
        Kind::Choice(choices) => choices.join("|"),
        Kind::Boolean => "true|false".to_owned(),
        Kind::Integer { .. } => "N".to_owned(),
        Kind::Text => "TEXT".to_owned(),
        Kind::Section(_) => "JSON".to_owned(),
        Kind::List { item, .. } => match &item.kind {
            Kind::Section(_) => "KEY=VALUE,…".to_owned(),
            Kind::List { .. } | Kind::Choice(_) | Kind::Boolean | Kind::Integer { .. } | Kind::Text => {
                placeholder(&item.kind)
            }
        },
    }
}

fn key_help(key: &str, field: &Shape) -> String {
    match &field.kind {
        Kind::Choice(choices) => format!("{key} ({})", choices.join("|")),
        Kind::Section(_) | Kind::List { .. } | Kind::Text | Kind::Integer { .. } | Kind::Boolean => {
            key.to_owned()
        }
    }
}

fn written_default(default: &Value) -> Option<String> {
    match default {
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) => Some(items.iter().map(super::document::quoted).collect::<Vec<_>>().join(" ")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Some(super::document::quoted(default))
        }
    }
}

impl Flags {
    /// The settings that the flags make, checked.
    pub(super) fn settings(&self, shape: &Shape, report: &mut Report<'_>) -> Vec<Setting> {
        let mut settings = vec![];
        for flag in flags(shape) {
            let Some((_, values)) = self.0.iter().find(|(name, _)| *name == flag.name) else { continue };
            let source = Source::Flag(format!("--{}", flag.name));
            if let Some(list) = self.list_also_given(shape, &flag.path) {
                report.add(source, flag.path, None, Fault::FlagConflict(list));
                continue;
            }
            if let Some(value) = flag.value(values, &source, report) {
                settings.extend(report.check(&flag.path, value, &source));
            }
        }
        settings
    }

    /// The flag for the whole list that `path` is in an item of, if that was given too.
    fn list_also_given(&self, shape: &Shape, path: &JsonPath) -> Option<String> {
        path.ancestors().skip(1).find_map(|above| {
            let list = shape.at(&above).filter(|shape| matches!(shape.kind, Kind::List { .. }))?;
            let name = flag_name(list, &above)?;
            self.0.iter().any(|(given, _)| *given == name).then(|| format!("--{name}"))
        })
    }
}

impl Flag<'_> {
    fn value(&self, texts: &[String], source: &Source, report: &mut Report<'_>) -> Option<Value> {
        match &self.shape.kind {
            Kind::List { item, .. } => {
                let mut items = vec![];
                for (index, text) in texts.iter().enumerate() {
                    match item_value(item, text) {
                        Ok(value) => items.push(value),
                        Err(fault) => {
                            report.add(source.clone(), self.path.index(index), Some(text.clone()), fault);
                        }
                    }
                }
                // An item that is missing would give those after it another's index.
                (items.len() == texts.len()).then_some(Value::Array(items))
            }
            kind @ (Kind::Section(_)
            | Kind::Text
            | Kind::Choice(_)
            | Kind::Integer { .. }
            | Kind::Boolean) => texts.last().map(|text| scalar(kind, text)),
        }
    }
}

/// A text as the kind of value that is wanted; left a text if it is none, for the check of the shape to refuse.
fn scalar(kind: &Kind, text: &str) -> Value {
    let read = match kind {
        Kind::Integer { .. } => text.parse::<Number>().ok().map(Value::Number),
        Kind::Boolean => text.parse::<bool>().ok().map(Value::Bool),
        Kind::Section(_) | Kind::List { .. } => super::json::parse(text).ok(),
        Kind::Text | Kind::Choice(_) => None,
    };
    read.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn item_value(item: &Shape, text: &str) -> Result<Value, Fault> {
    match &item.kind {
        Kind::Section(_) if text.trim_start().starts_with('{') => super::json::parse(text),
        Kind::Section(fields) => key_values(text, |key| fields.get(key).map(|field| &field.kind)),
        kind @ (Kind::List { .. } | Kind::Text | Kind::Choice(_) | Kind::Integer { .. } | Kind::Boolean) => {
            Ok(scalar(kind, text))
        }
    }
}

/// Reads `KEY=VALUE,KEY=VALUE…`. A list's values follow each other: `tags=public,eu,name=books`.
fn key_values<'a>(text: &str, kind_of: impl Fn(&str) -> Option<&'a Kind>) -> Result<Value, Fault> {
    let mut object = Map::new();
    let mut last = None;
    for piece in text.split(',') {
        let (key, value) = match (piece.split_once('='), last) {
            (Some((key, value)), _) => (key.trim(), value),
            (None, Some(key)) if matches!(kind_of(key), Some(Kind::List { .. })) => (key, piece),
            (None, Some(_) | None) => return Err(Fault::NotKeyValue(piece.to_owned())),
        };
        match (kind_of(key), object.get_mut(key)) {
            (Some(Kind::List { item, .. }), Some(Value::Array(items))) => {
                items.push(scalar(&item.kind, value))
            }
            (Some(Kind::List { item, .. }), Some(_) | None) => {
                object.insert(key.to_owned(), Value::Array(vec![scalar(&item.kind, value)]));
            }
            (_, Some(_)) => return Err(Fault::GivenTwice(key.to_owned())),
            (Some(kind), None) => {
                object.insert(key.to_owned(), scalar(kind, value));
            }
            // For the check of the shape to refuse.
            (None, None) => {
                object.insert(key.to_owned(), Value::String(value.to_owned()));
            }
        }
        last = Some(key);
    }
    Ok(Value::Object(object))
}
