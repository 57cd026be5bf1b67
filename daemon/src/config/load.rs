//! Reading the configuration: file and flags in, [`Loaded`] or all that is wrong out.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Config;
use super::document::{Document, Report, Setting};
use super::flags::Flags;
use super::json;
use super::path::JsonPath;
use super::problem::{Fault, Problems, Source};
use super::resolve::{Surroundings, resolve};
use super::shape::Shape;
use super::text;

/// Largest configuration file in bytes; a larger one is refused.
const MAX_FILE: u64 = 4 << 20;

/// A configuration and where its values came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The effective configuration.
    pub config: Config,
    pub(super) document: Document,
}

/// Reads the file, if there is one, lays the flags over it and resolves both to one configuration.
///
/// # Errors
/// Everything that is wrong, as far as it can be told without touching anything that the configuration names. A file
/// that is no JSON is told alone, with what is wrong with the flags.
pub fn load(file: Option<&Path>, flags: &Flags, around: &Surroundings) -> Result<Loaded, Problems> {
    let shape = Shape::of_config();
    let mut report = Report::new(&shape);
    let from_file = file.map(|file| read_settings(file, around, &mut report));
    let from_flags = flags.settings(&shape, &mut report);
    let settings = match from_file {
        None => from_flags,
        Some(Some(settings)) => settings.into_iter().chain(from_flags).collect(),
        // What the file would have said is unknown, and so is what is missing.
        Some(None) => return Err(Problems::of(report.into_problems())),
    };
    let document = Document::new(settings, &mut report);
    let file_dir = file.map_or_else(|| around.cwd.clone(), |file| dir_of(&text::absolute(file, &around.cwd)));
    let config = resolve(&document, around, &file_dir, &mut report);
    match (config, report.into_problems()) {
        (Some(config), problems) if problems.is_empty() => Ok(Loaded { config, document }),
        (_, problems) => Err(Problems::of(problems)),
    }
}

/// The directory of a file, without symbolic links. The file has been read, so that only a race makes it unknown.
fn dir_of(file: &Path) -> PathBuf {
    let dir = file.parent().unwrap_or(file);
    dir.canonicalize().unwrap_or_else(|_| dir.to_owned())
}

fn read_settings(file: &Path, around: &Surroundings, report: &mut Report<'_>) -> Option<Vec<Setting>> {
    let source = Source::File(file.to_owned());
    let root = JsonPath::default();
    let value =
        read_bounded(&text::absolute(file, &around.cwd), MAX_FILE).and_then(|text| json::parse(&text));
    match value {
        Ok(value) => Some(report.check(&root, value, &source)),
        Err(fault) => {
            report.add(source, root, None, fault);
            None
        }
    }
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read_bounded(file: &Path, limit: u64) -> Result<String, Fault> {
    let mut text = String::new();
    let opened = File::open(file).map_err(Fault::Read)?;
    if opened.metadata().map_err(Fault::Read)?.is_dir() {
        return Err(Fault::Read(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    opened.take(limit + 1).read_to_string(&mut text).map_err(Fault::Read)?;
    if text.len() as u64 > limit {
        return Err(Fault::TooLarge { limit });
    }
    Ok(text)
}
