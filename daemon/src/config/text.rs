//! Durations, addresses and paths as they are written.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::endpoint::{Listen, ListenError};

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// No number followed by a unit.
    #[error("it is no number with a unit")]
    Form,
    /// Over what the field allows.
    #[error("it is longer than {}", WrittenDuration(*limit))]
    TooLong {
        /// The longest that the field allows.
        limit: Duration,
    },
}

/// Reads `250ms`, `30s`, `5m` or `1h`.
pub(super) fn duration(text: &str, limit: Duration) -> Result<Duration, DurationError> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError::Form)?;
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(DurationError::Form);
    }
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(DurationError::Form),
    };
    // A number that overflows is over any limit.
    let total = number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis));
    match total.map(Duration::from_millis) {
        Some(total) if total <= limit => Ok(total),
        Some(_) | None => Err(DurationError::TooLong { limit }),
    }
}

/// A duration in the largest unit that tells it exactly, as [`duration`] reads it. Whole milliseconds only.
pub(super) struct WrittenDuration(pub(super) Duration);

impl fmt::Display for WrittenDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            0 => f.write_str("0s"),
            millis if millis.is_multiple_of(3_600_000) => write!(f, "{}h", millis / 3_600_000),
            millis if millis.is_multiple_of(60_000) => write!(f, "{}m", millis / 60_000),
            millis if millis.is_multiple_of(1_000) => write!(f, "{}s", millis / 1_000),
            millis => write!(f, "{millis}ms"),
        }
    }
}

/// Why a text is no address to listen at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No IP address with a port.
    #[error("it is no IP address with a port")]
    Form,
    /// A port that nobody could know.
    #[error("port 0 is no fixed port")]
    PortZero,
    /// Everybody on the network could connect.
    #[error("it is not a loopback address")]
    NotLoopback,
}

/// Who may be able to reach an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Anybody,
    ThisMachine,
}

pub(super) fn address(text: &str, reach: Reach) -> Result<SocketAddr, AddressError> {
    let address: SocketAddr = text.parse().map_err(|_| AddressError::Form)?;
    if address.port() == 0 {
        return Err(AddressError::PortZero);
    }
    match reach {
        Reach::ThisMachine if !address.ip().is_loopback() => Err(AddressError::NotLoopback),
        Reach::ThisMachine | Reach::Anybody => Ok(address),
    }
}

/// Reads `unix:PATH`, the path relative to `base`, or a loopback address.
pub(super) fn listen(text: &str, base: &Path) -> Result<Listen, ListenError> {
    match text.strip_prefix("unix:") {
        Some("") => Err(ListenError::NotAddress),
        Some(path) => Ok(Listen::Unix(absolute(path, base))),
        None => address(text, Reach::ThisMachine).map(Listen::Tcp).map_err(|error| match error {
            AddressError::Form => ListenError::NotAddress,
            AddressError::PortZero => ListenError::PortZero,
            AddressError::NotLoopback => ListenError::NotLoopback,
        }),
    }
}

/// Why a text does not say what is logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogLevelError {
    /// A level that there is not.
    #[error("`{0}` is no level")]
    Level(String),
    /// A module's level stands where the level of all others should.
    #[error("it does not begin with a level for everything")]
    NoGeneral,
}

/// Checks `LEVEL` or `LEVEL,MODULE=LEVEL…`. Stricter than `tracing`'s own parsers, which take `inof` for the name of a
/// module, and then log nothing.
pub(super) fn log_level(text: &str) -> Result<(), LogLevelError> {
    for (place, directive) in text.split(',').enumerate() {
        let level = match (place, directive.split_once('=')) {
            (0, Some(_)) => return Err(LogLevelError::NoGeneral),
            (0, None) => directive,
            (_, Some((_, level))) => level,
            (_, None) => return Err(LogLevelError::Level(directive.to_owned())),
        };
        if !["off", "error", "warn", "info", "debug", "trace"].contains(&level) {
            return Err(LogLevelError::Level(level.to_owned()));
        }
    }
    Ok(())
}

/// `path` seen from `base`, which has no symbolic links: so that a leading `..` can be told from the names alone. A
/// later one stays, as what it means depends on links in the path.
pub(super) fn absolute(path: impl AsRef<Path>, base: &Path) -> PathBuf {
    let mut base = base;
    let mut parts = path.as_ref().components().peekable();
    while let Some(Component::ParentDir | Component::CurDir) = parts.peek() {
        if parts.next() == Some(Component::ParentDir) {
            base = base.parent().unwrap_or(base);
        }
    }
    base.join(parts.collect::<PathBuf>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_alike() {
        for (text, millis) in [("250ms", 250), ("0s", 0), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000)]
        {
            let read = duration(text, Duration::from_secs(7200)).unwrap();
            assert_eq!(read, Duration::from_millis(millis));
            assert_eq!(WrittenDuration(read).to_string(), text);
        }
        for text in ["", "5", "s", "-1s", "1.5s", "1 s", "1S", "1d", "1s2m", "٣s"] {
            assert_eq!(duration(text, Duration::MAX), Err(DurationError::Form), "{text:?}");
        }
        let limit = Duration::from_secs(300);
        for text in ["301s", "6m", "99999999999999999999h", "18446744073709551615m"] {
            assert_eq!(duration(text, limit), Err(DurationError::TooLong { limit }), "{text:?}");
        }
    }

    #[test]
    fn an_address_is_fixed_and_as_private_as_asked() {
        let check = |text, reach, expected: Result<&str, AddressError>| {
            assert_eq!(address(text, reach).map(|a| a.to_string()), expected.map(str::to_owned), "{text:?}");
        };
        check("0.0.0.0:80", Reach::Anybody, Ok("0.0.0.0:80"));
        check("[::1]:80", Reach::ThisMachine, Ok("[::1]:80"));
        check("127.0.0.2:80", Reach::ThisMachine, Ok("127.0.0.2:80"));
        check("0.0.0.0:80", Reach::ThisMachine, Err(AddressError::NotLoopback));
        check("127.0.0.1:0", Reach::Anybody, Err(AddressError::PortZero));
        for text in ["localhost:80", "127.0.0.1", ":80", "127.0.0.1:65536", ""] {
            check(text, Reach::Anybody, Err(AddressError::Form));
        }
    }

    #[test]
    fn a_path_is_seen_from_its_base() {
        for (path, expected) in [
            ("a/b", "/x/y/a/b"),
            ("./a/./b", "/x/y/a/b"),
            ("../a", "/x/a"),
            ("../../../../a", "/a"),
            ("./../a/../b", "/x/a/../b"),
            ("/a/../b", "/a/../b"),
            ("..", "/x"),
        ] {
            assert_eq!(absolute(path, Path::new("/x/y")), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn a_misspelt_log_level_is_no_module() {
        let level = |text: &str| Err(LogLevelError::Level(text.to_owned()));
        for (text, expected) in [
            ("info", Ok(())),
            ("warn,catalystd::xds=debug,hyper=off", Ok(())),
            ("inof", level("inof")),
            ("", level("")),
            ("info,", level("")),
            ("info,debug", level("debug")),
            ("info,catalystd=verbose", level("verbose")),
            ("catalystd=debug", Err(LogLevelError::NoGeneral)),
        ] {
            assert_eq!(log_level(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_server_listens_at_a_socket_or_a_loopback_address() {
        let base = Path::new("/run/node");
        let check = |text, expected: Result<&str, ListenError>| {
            assert_eq!(listen(text, base).map(|l| l.to_string()), expected.map(str::to_owned), "{text:?}");
        };
        check("unix:./xds.sock", Ok("unix:/run/node/xds.sock"));
        check("unix:/tmp/../x", Ok("unix:/tmp/../x"));
        check("127.0.0.1:18000", Ok("127.0.0.1:18000"));
        check("unix:", Err(ListenError::NotAddress));
        check("/tmp/x", Err(ListenError::NotAddress));
        check("10.0.0.1:18000", Err(ListenError::NotLoopback));
        check("127.0.0.1:0", Err(ListenError::PortZero));
    }
}
