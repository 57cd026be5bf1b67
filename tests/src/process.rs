//! Children of a test: their logs, their ends, and what they leave behind.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::process::{Pid, Signal};

use crate::eventually;

/// The environment variable by which everything that a test starts is known, at whatever remove.
const MARK: &str = "CATALYST_TEST_RUN";
/// Lines of each log that a failing test shows.
const TAIL_LINES: usize = 60;
/// Characters of each line that it shows.
const TAIL_COLUMNS: usize = 400;

/// All that one test starts, and the folder it works in.
pub struct Run {
    mark: String,
    /// `None` once it is kept.
    dir: Option<tempfile::TempDir>,
    path: PathBuf,
}

impl Run {
    /// Makes the folder.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("catalyst-").tempdir().expect("a folder for the test");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
        let mark = format!("{}-{}", std::process::id(), now.as_nanos());
        Self { mark, path: dir.path().to_owned(), dir: Some(dir) }
    }

    /// The folder of this test.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.path
    }

    /// Starts a program with its output in `NAME.log`; a second one of the same name goes on writing there.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(&self, name: &str, command: &mut Command) -> Process {
        let log = self.path.join(name).with_extension("log");
        let file = File::options().create(true).append(true).open(&log).expect("a log file");
        let copy = file.try_clone().expect("the log file again");
        command.env(MARK, &self.mark).stdin(Stdio::null()).stdout(file).stderr(copy);
        // SAFETY: the closure makes one system call and touches no memory, as is required between fork and exec.
        unsafe {
            command.pre_exec(|| {
                rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)
            });
        }
        let child =
            command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}: {command:?}"));
        Process { name: name.to_owned(), child, log }
    }

    /// Runs a program to its end.
    ///
    /// # Panics
    /// It does not start.
    pub fn output(&self, command: &mut Command) -> std::process::Output {
        command.env(MARK, &self.mark).stdin(Stdio::null());
        command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
    }

    /// Every process that this test has started, directly or not, and that is still there: number and command line.
    #[must_use]
    pub fn processes(&self) -> Vec<(i32, String)> {
        let mark = format!("{MARK}={}", self.mark);
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").expect("/proc is mounted").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // One that ends while it is looked at, or has ended and is not yet collected, has no environment.
            let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
            if environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()) {
                let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                found.push((pid, String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned()));
            }
        }
        found
    }
}

impl Default for Run {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        for (pid, _) in self.processes() {
            if let Some(pid) = Pid::from_raw(pid) {
                // It may have ended by itself meanwhile.
                rustix::process::kill_process(pid, Signal::KILL).ok();
            }
        }
        if !std::thread::panicking() {
            return;
        }
        if let Some(dir) = self.dir.take() {
            eprintln!("kept: {}", dir.keep().display());
        }
        show_logs(&self.path);
    }
}

fn show_logs(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for path in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
    {
        eprintln!("{}", tail(&path));
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    // Envoy begins with every extension that it has; nobody needs to see that again.
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("server.cc:467]")).collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    let lines = lines[from..].iter().map(|line| line.chars().take(TAIL_COLUMNS).collect::<String>());
    format!("--- {}, last lines:\n{}\n", log.display(), lines.collect::<Vec<_>>().join("\n"))
}

/// A running program. It is killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("Linux numbers processes with less than 31 bits")
    }

    /// All that it has written so far, and that its predecessors of the same name wrote.
    ///
    /// # Panics
    /// The log cannot be read.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).expect("the log of a process")).into_owned()
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    /// The process is not our child.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// An error with the end of its log if it has ended, for use while something else is waited for.
    ///
    /// # Errors
    /// It has ended.
    pub fn running(&mut self) -> Result<(), String> {
        match self.ended() {
            None => Ok(()),
            Some(status) => Err(format!("{} ended with {status}\n{}", self.name, tail(&self.log))),
        }
    }

    /// `kill -9`, and collects it.
    ///
    /// # Panics
    /// It is not our child.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// SIGTERM.
    ///
    /// # Panics
    /// It has ended already.
    pub fn terminate(&self) {
        send(self.pid(), Signal::TERM);
    }

    /// Waits until it ends by itself.
    pub async fn wait(&mut self) -> ExitStatus {
        let name = self.name.clone();
        eventually(&format!("{name} ends"), async || self.ended().ok_or("it runs")).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}

/// Sends a signal to one process.
///
/// # Panics
/// There is no such process.
pub fn send(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).expect("process numbers are positive");
    rustix::process::kill_process(pid, signal).unwrap_or_else(|error| panic!("process {pid:?}: {error}"));
}

/// Waits for a line that says `NAME listening on http://ADDRESS`, and returns the address.
pub async fn listening(process: &mut Process) -> std::net::SocketAddr {
    eventually("a service listens", async || {
        process.running().unwrap_or_else(|error| panic!("{error}"));
        let log = process.log();
        let address = log.lines().find_map(|line| line.split_once(" listening on http://"));
        address.and_then(|(_, address)| address.parse().ok()).ok_or(log)
    })
    .await
}

/// How long something took, for a promise about time that a test checks.
pub async fn took<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let start = std::time::Instant::now();
    let value = future.await;
    (value, start.elapsed())
}
