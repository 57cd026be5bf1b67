//! Who listens at an address, so that a message can name the program to stop.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// The process that listens at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its command line, word by word.
    pub command: Vec<String>,
}

impl Holder {
    /// The process that listens at `address`, or at an address that takes it too. `None` if there is none, or if this
    /// user may not look at it.
    pub(super) fn of(address: SocketAddr) -> Option<Self> {
        let tables =
            ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
        let mut rows = tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(row);
        let inode = rows.find(|(listens, _)| takes(*listens, address)).map(|(_, inode)| inode)?;
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let pid = pids.find(|pid| has_open(*pid, inode))?;
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        Some(Self { pid, command: line.split_terminator('\0').map(str::to_owned).collect() })
    }

    /// Whether it was started with a file of this directory.
    pub(super) fn was_given_a_file_of(&self, dir: &Path) -> bool {
        self.command.iter().skip(1).any(|word| Path::new(word).starts_with(dir))
    }

    /// The name of its program, without directories.
    pub fn name(&self) -> &str {
        let program = self.command.first().map_or("?", String::as_str);
        program.rsplit('/').next().unwrap_or(program)
    }
}

/// The address and the inode of a listening socket: `sl local_address rem_address st … uid timeout inode`.
fn row(line: &str) -> Option<(SocketAddr, u64)> {
    const LISTEN: &str = "0A";
    let mut words = line.split_whitespace();
    let local = words.nth(1)?;
    let inode = (words.nth(1)? == LISTEN).then(|| words.nth(5))??;
    let (ip, port) = local.split_once(':')?;
    let words: Vec<u32> = (0..ip.len() / 8)
        .map(|word| u32::from_str_radix(ip.get(8 * word..8 * word + 8)?, 16).ok())
        .collect::<Option<_>>()?;
    // Each word is in the machine's own order.
    let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
    let ip = match bytes.len() {
        4 => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        _ => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
    };
    Some((SocketAddr::new(ip.to_canonical(), u16::from_str_radix(port, 16).ok()?), inode.parse().ok()?))
}

fn takes(listens: SocketAddr, address: SocketAddr) -> bool {
    let any = listens.ip().is_unspecified() || address.ip().is_unspecified();
    listens.port() == address.port() && (any || listens.ip() == address.ip())
}

fn has_open(pid: u32, inode: u64) -> bool {
    let socket = format!("socket:[{inode}]");
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target == Path::new(&socket)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_of_this_process_is_found_at_either_family_and_by_any_address() {
        for bind in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            let listener = TcpListener::bind(bind).unwrap();
            let bound = listener.local_addr().unwrap();
            let any = SocketAddr::new(IpAddr::from(Ipv4Addr::UNSPECIFIED), bound.port());
            for address in [bound, any] {
                let holder = Holder::of(address).unwrap_or_else(|| panic!("nobody at {address}"));
                assert_eq!(holder.pid, std::process::id());
                assert!(holder.name().starts_with("catalystd"), "{}", holder.name());
            }
        }
    }

    #[test]
    fn nobody_is_found_at_a_free_address() {
        assert_eq!(Holder::of("127.77.66.55:1".parse().unwrap()), None);
    }

    #[test]
    fn a_holder_is_known_by_the_files_it_was_started_with() {
        let command = ["/run/node/bin", "-c", "/run/node/bootstrap.json"].map(str::to_owned).into();
        let holder = Holder { pid: 1, command };
        assert!(holder.was_given_a_file_of(Path::new("/run/node")));
        assert!(!holder.was_given_a_file_of(Path::new("/run/no")));
        let other = Holder { command: vec!["/run/node/bin".to_owned()], ..holder };
        assert!(!other.was_given_a_file_of(Path::new("/run/node")), "its own path is no file it was given");
    }
}
