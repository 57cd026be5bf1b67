//! Whether the ports are free, and who has them if not.

use std::{
    fmt::Write,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use anyhow::{Context, bail};

/// # Errors
/// One or more are taken; all are named, with who has them and what to do.
pub(crate) fn check(addresses: &[(&str, SocketAddr)]) -> anyhow::Result<()> {
    let mut taken = String::new();
    for (use_, address) in addresses {
        match TcpListener::bind(address) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let holder = holder(*address).map(|who| format!(" by {who}")).unwrap_or_default();
                writeln!(taken, "  {address}, wanted for {use_}, is taken{holder}")
                    .context("a string grows")?;
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot listen on {address} for {use_}"));
            }
        }
    }
    if !taken.is_empty() {
        bail!("ports are in use:\n{taken}stop what listens there, or run `cargo xtask up --free-ports`");
    }
    Ok(())
}

/// Free ports of loopback, all different. Another program may take one before it is used; then starting fails and
/// says so.
pub(crate) fn free<const N: usize>() -> anyhow::Result<[SocketAddr; N]> {
    let mut held = Vec::with_capacity(N);
    let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    for address in &mut addresses {
        let listener = TcpListener::bind(*address).context("no free port")?;
        *address = listener.local_addr().context("a listener without an address")?;
        held.push(listener);
    }
    Ok(addresses)
}

/// The program that listens on a port, as far as this user may see it.
fn holder(address: SocketAddr) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .find_map(|table| listening_inode(&table, address.port()))?;
    let socket = format!("socket:[{inode}]");
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(files) = fs::read_dir(entry.path().join("fd")) else { continue };
        if files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == &*socket)) {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (pid {pid})", name.trim_end()));
        }
    }
    None
}

/// The socket in state LISTEN (0A) on this port in a table of `/proc/net/tcp` (see proc(5)).
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let local = fields.get(1)?.rsplit_once(':')?.1;
        let here = u16::from_str_radix(local, 16).ok()? == port && *fields.get(3)? == "0A";
        if here { fields.get(9)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_who_has_it_and_what_to_do() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let taken = listener.local_addr().expect("bound");
        let [other] = free().expect("free");
        let error = check(&[("books", taken), ("reviews", other)]).expect_err("taken").to_string();
        let pid = format!("pid {}", std::process::id());
        for part in [&taken.to_string(), "books", &pid, "--free-ports"] {
            assert!(error.contains(part), "{part} is missing: {error}");
        }
        assert!(!error.contains("reviews"), "{error}");
    }

    #[test]
    fn free_ports_pass() {
        let [one, two] = free().expect("free");
        assert_ne!(one, two);
        check(&[("books", one), ("reviews", two)]).expect("free");
    }
}
