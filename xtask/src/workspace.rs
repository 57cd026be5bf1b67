//! Where things are.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::process::{self, Interrupt};

/// What a node and its quickstart consist of.
const NODE: [&str; 3] = ["catalystd", "catalyst-examples", "catalyst-filter"];

/// What tests need: everything, selected in the same way each time, so that features are the same and nothing is built
/// twice.
pub(crate) const WHOLE: [&str; 2] = ["--workspace", "--all-targets"];

/// The checkout and its target folder.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Where cargo put this program; follows `CARGO_TARGET_DIR` and the like.
    pub(crate) target: PathBuf,
}

/// A cargo profile that `up` can build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

impl Workspace {
    pub(crate) fn find() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the checkout");
        let program = env::current_exe().context("where this program is")?;
        // target/debug/xtask, or target/debug/deps/xtask-… when it runs as a test.
        let target = program
            .ancestors()
            .skip(1)
            .find(|dir| dir.ends_with("debug") || dir.ends_with("release"))
            .and_then(Path::parent)
            .with_context(|| format!("{} is not in a cargo target folder", program.display()))?;
        Ok(Self { root: root.to_owned(), target: target.to_owned() })
    }

    /// The folder of a profile's programs.
    pub(crate) fn bin(&self, profile: Profile) -> PathBuf {
        self.target.join(match profile {
            Profile::Dev => "debug",
            Profile::Release => "release",
        })
    }

    /// `cargo`, run in the checkout, with this workspace's target folder.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(cargo);
        command.args(arguments).current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// Builds what a node and its quickstart consist of. In `release` only that; in `dev` the same as
    /// `cargo xtask test`, so that each finds the other's work done.
    pub(crate) fn build(&self, profile: Profile, interrupt: &Interrupt) -> anyhow::Result<()> {
        let mut command = self.cargo(&["build", "--locked"]);
        match profile {
            Profile::Release => {
                command.arg("--release").args(NODE.iter().flat_map(|name| ["--package", name]))
            }
            Profile::Dev => command.args(WHOLE),
        };
        process::run("the build", &mut command, interrupt)
    }

    /// A path as the user would write it: relative to the checkout where it is inside.
    pub(crate) fn show(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}
