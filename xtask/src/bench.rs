//! `cargo xtask bench`: a benchmark and what it loads, built in release and run.

use std::{fs, process::Command};

use anyhow::{Context, bail};

use crate::{
    envoy,
    process::{self, Interrupt},
    workspace::{Profile, Workspace},
};

/// What the benchmarks start or have Envoy load, besides their own programs.
const PACKAGES: [&str; 5] =
    ["catalyst-bench", "catalyst-examples", "catalyst-filter", "catalystd", "envoy-dynamic-module"];

/// What the user asked for.
pub(crate) struct Options {
    /// `all`, or the name of one.
    name: String,
    quick: bool,
}

impl Options {
    pub(crate) fn parse<'a>(words: impl Iterator<Item = &'a str>) -> anyhow::Result<Self> {
        let (mut name, mut quick) = (None, false);
        for word in words {
            match word {
                "--quick" => quick = true,
                option if option.starts_with('-') => bail!("`{option}` is not an option of `bench`"),
                word if name.is_none() => name = Some(word.to_owned()),
                word => bail!("one benchmark at a time, or `all`; `{word}` is too many"),
            }
        }
        Ok(Self { name: name.context("`bench` needs the name of a benchmark, or `all`")?, quick })
    }
}

/// Runs one benchmark, or all of them. Their results go to `bench/results`.
///
/// # Errors
/// There is no such benchmark, or one does not build or fails.
pub(crate) fn bench(workspace: &Workspace, interrupt: &Interrupt, options: &Options) -> anyhow::Result<()> {
    let known = names(workspace)?;
    let chosen: Vec<&String> =
        known.iter().filter(|name| options.name == "all" || **name == options.name).collect();
    if chosen.is_empty() {
        bail!("there is no benchmark `{}`; there are {} and all", options.name, known.join(", "));
    }
    let envoy = envoy::ensure(workspace, interrupt)?;
    let mut build = workspace.cargo(&["build", "--release", "--locked", "--lib", "--bins", "--examples"]);
    build.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    process::run("the build", &mut build, interrupt)?;
    for name in chosen {
        let mut command = Command::new(workspace.bin(Profile::Release).join(name));
        command
            .args(options.quick.then_some("--quick"))
            .env("ENVOY_BIN", &envoy)
            .current_dir(&workspace.root);
        process::run(&format!("benchmark {name}"), &mut command, interrupt)?;
    }
    Ok(())
}

/// The programs of the bench crate, in order.
fn names(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let dir = workspace.root.join("bench/src/bin");
    let mut names = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
        let path = entry.with_context(|| dir.display().to_string())?.path();
        names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_benchmarks_are_the_programs_of_the_bench_crate() {
        let names = names(&Workspace::find().expect("the checkout")).expect("listed");
        assert!(names.contains(&"filter".to_owned()), "{names:?}");
    }
}
