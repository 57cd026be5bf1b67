//! The configuration as a whole: file and flags, defaults, and everything that can be wrong.

mod faults;
mod fields;
mod machine;

use std::path::{Path, PathBuf};

use clap::{Args, Command, FromArgMatches};
use serde_json::Value;

use super::*;

/// A directory with a configuration file in it, and what the process around it is.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir_in(std::env::temp_dir().canonicalize().unwrap()).unwrap() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn around(&self) -> Surroundings {
        Surroundings {
            cwd: self.path().to_owned(),
            envoy: PathBuf::from("/usr/bin/envoy"),
            filter: PathBuf::from("/usr/lib/libcatalyst_filter.so"),
        }
    }

    fn load(&self, text: Option<&str>, flags: &[impl AsRef<str>]) -> Result<Loaded, Problems> {
        let file = text.map(|text| {
            std::fs::write(self.path().join("node.json"), text).unwrap();
            Path::new("node.json")
        });
        load(file, &parse_flags(flags), &self.around())
    }

    fn config_of_file(&self, document: &Value) -> Config {
        let loaded = self.load(Some(&document.to_string()), &[] as &[&str]);
        loaded.unwrap_or_else(|problems| panic!("{document}\n{problems}")).config
    }

    fn config_of_flags(&self, flags: &[impl AsRef<str>]) -> Config {
        let texts: Vec<&str> = flags.iter().map(AsRef::as_ref).collect();
        self.load(None, flags).unwrap_or_else(|problems| panic!("{texts:?}\n{problems}")).config
    }
}

fn parse_flags(flags: &[impl AsRef<str>]) -> Flags {
    let command = Flags::augment_args(Command::new("catalystd"));
    let words = std::iter::once("catalystd").chain(flags.iter().map(AsRef::as_ref));
    let matches = command.try_get_matches_from(words).unwrap();
    Flags::from_arg_matches(&matches).unwrap()
}
