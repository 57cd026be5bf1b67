//! The filter's shared object, under a name that says what is in it.
//!
//! Envoy loads a path once: another file put in its place is not looked at, and the old code runs on. So each version is
//! copied to a path of its own, and the configuration that names the new path brings the new code without a restart.

use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

use crate::durable;

/// Versions kept: the one in use and those that an Envoy may still be draining. Older ones are removed.
const KEPT: usize = 4;

/// Copies the module at `from` into `dir`, unless it is there already, and gives the path for Envoy's configuration.
///
/// # Errors
/// `from` cannot be read, or `dir` cannot be written.
pub fn install(from: &Path, dir: &Path) -> io::Result<PathBuf> {
    let content = std::fs::read(from)?;
    let hash: String =
        digest(&SHA256, &content).as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let path = dir.join(format!("libcatalyst_filter-{hash}.so"));
    durable::private_dir(dir)?;
    let installed = std::fs::read(&path).is_ok_and(|installed| installed == content);
    if !installed {
        durable::replace(&path, &content)?;
    }
    forget_old(dir, &path)?;
    Ok(path)
}

fn forget_old(dir: &Path, current: &Path) -> io::Result<()> {
    let mut others = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let ours =
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libcatalyst_filter-"));
        if ours && path != current {
            others.push((entry.metadata()?.modified()?, path));
        }
    }
    others.sort_unstable();
    let surplus = (others.len() + 1).saturating_sub(KEPT);
    others.into_iter().take(surplus).try_for_each(|(_, path)| std::fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_gets_another_path_and_the_same_content_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("m.so"), dir.path().join("modules"));
        std::fs::write(&from, "one").unwrap();
        let one = install(&from, &to).unwrap();
        assert_eq!(install(&from, &to).unwrap(), one);
        std::fs::write(&from, "two").unwrap();
        let two = install(&from, &to).unwrap();
        assert_ne!(one, two);
        assert_eq!(std::fs::read(&one).unwrap(), b"one", "still there for the Envoy that has it loaded");
        assert_eq!(std::fs::read(&two).unwrap(), b"two");
    }

    #[test]
    fn old_versions_do_not_pile_up() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("m.so"), dir.path().join("modules"));
        let mut last = PathBuf::new();
        for version in 0..10 {
            std::fs::write(&from, format!("version {version}")).unwrap();
            last = install(&from, &to).unwrap();
        }
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), KEPT);
        assert_eq!(std::fs::read(last).unwrap(), b"version 9");
    }

    #[test]
    fn a_damaged_copy_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("m.so"), dir.path().join("modules"));
        std::fs::write(&from, "good").unwrap();
        let path = install(&from, &to).unwrap();
        std::fs::write(&path, "go").unwrap();
        assert_eq!(install(&from, &to).unwrap(), path);
        assert_eq!(std::fs::read(&path).unwrap(), b"good");
    }
}
