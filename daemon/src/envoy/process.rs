//! One Envoy process: a child of this daemon, or one that an earlier daemon left running.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::unix::AsyncFd;

use crate::durable;

/// What an Envoy is started with.
#[derive(Debug, Clone)]
pub struct Command {
    /// The Envoy binary.
    pub bin: PathBuf,
    /// The bootstrap, as JSON text.
    pub bootstrap: String,
    /// Where the bootstrap and the process id are kept.
    pub dir: PathBuf,
    /// Where Envoy's log goes; the daemon's standard error if nowhere else.
    pub log: Option<PathBuf>,
    /// Worker threads; one for each core if not said.
    pub concurrency: Option<u32>,
}

/// A running Envoy, held by a pidfd: another process that gets its number is never mistaken for it.
#[derive(Debug)]
pub struct Process {
    /// Its process id, for people.
    pub pid: i32,
    fd: AsyncFd<OwnedFd>,
    /// Present for our own child, which has to be reaped.
    child: Option<std::process::Child>,
}

impl Command {
    fn bootstrap_file(&self) -> PathBuf {
        self.dir.join("bootstrap.json")
    }

    fn pid_file(&self) -> PathBuf {
        self.dir.join("envoy.pid")
    }

    /// Starts an Envoy.
    ///
    /// # Errors
    /// The files cannot be written, or the binary cannot be run.
    pub fn start(&self) -> io::Result<Process> {
        durable::private_dir(&self.dir)?;
        let bootstrap = self.bootstrap_file();
        durable::replace(&bootstrap, self.bootstrap.as_bytes())?;
        let mut command = std::process::Command::new(&self.bin);
        // Its own process group: a ctrl-c in the terminal is for the daemon, which then drains.
        command.arg("-c").arg(&bootstrap).arg("--disable-hot-restart").stdin(Stdio::null()).process_group(0);
        if let Some(concurrency) = self.concurrency {
            command.args(["--concurrency", &concurrency.to_string()]);
        }
        match &self.log {
            Some(path) => {
                let log = open_log(path)?;
                command.stdout(log.try_clone()?).stderr(log);
            }
            // The daemon's standard output is for answers, not for a log.
            None => {
                command.stdout(io::stderr()).stderr(Stdio::inherit());
            }
        }
        let child = command.spawn()?;
        let pid = Pid::from_child(&child);
        durable::replace(&self.pid_file(), pid.as_raw_nonzero().to_string().as_bytes())?;
        Process::new(pid, Some(child))
    }

    /// The Envoy that an earlier daemon started with this same command and left running, if there is one. An Envoy that
    /// was started differently is given as [`Found::Other`], to be ended.
    ///
    /// # Errors
    /// The files of the earlier daemon cannot be read.
    pub fn find(&self) -> io::Result<Found> {
        let Some(pid) = read_optional(&self.pid_file())? else { return Ok(Found::None) };
        let Some(pid) = pid.trim().parse().ok().and_then(Pid::from_raw) else { return Ok(Found::None) };
        // First the handle, then the look at who it is: afterwards the number cannot change its owner unnoticed.
        let Ok(process) = Process::new(pid, None) else { return Ok(Found::None) };
        let Some(line) = read_optional(Path::new(&format!("/proc/{}/cmdline", process.pid)))? else {
            return Ok(Found::None);
        };
        let bootstrap = self.bootstrap_file();
        let mut arguments = line.split('\0');
        let program = arguments.next().unwrap_or_default();
        if !arguments.any(|argument| Path::new(argument) == bootstrap) {
            return Ok(Found::None);
        }
        let same_program = Path::new(program) == self.bin;
        let same_bootstrap = read_optional(&bootstrap)?.is_some_and(|text| text == self.bootstrap);
        Ok(if same_program && same_bootstrap { Found::Same(process) } else { Found::Other(process) })
    }
}

/// What an earlier daemon left.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    None,
    /// An Envoy that is as this daemon would start it.
    Same(Process),
    /// An Envoy with another binary or another bootstrap.
    Other(Process),
}

impl Process {
    fn new(pid: Pid, child: Option<std::process::Child>) -> io::Result<Self> {
        let fd = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
        // SAFETY: an `OwnedFd` is open for as long as it exists and always the same; the `AsyncFd` owns it.
        let fd = unsafe { AsyncFd::register(fd) }?;
        Ok(Self { pid: pid.as_raw_nonzero().get(), fd, child })
    }

    /// Waits until it has ended, and says how, where that can be known.
    pub async fn ended(&mut self) -> String {
        // A pidfd becomes readable when its process ends.
        if let Err(error) = self.fd.readable().await {
            return format!("its end could not be waited for: {error}");
        }
        match self.child.as_mut().map(std::process::Child::wait) {
            Some(Ok(status)) => status.to_string(),
            Some(Err(error)) => format!("its status is unknown: {error}"),
            None => "it was started by an earlier daemon, so its status is unknown".to_owned(),
        }
    }

    /// Asks it to end now.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Err(error) = pidfd_send_signal(self.fd.get_ref(), signal) {
            // It has ended already, which is what was wanted.
            tracing::debug!(pid = self.pid, %error, "signal not sent");
        }
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn read_optional(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read(path) {
        Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
