//! Children: run one to its end, or keep several as services; all of them end with this program.

use std::{
    fmt,
    fs::{self, File},
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal};

/// How often a child and the interrupt are looked at while waiting.
pub(crate) const POLL: Duration = Duration::from_millis(50);
/// How long a service may take to end after SIGTERM before it is killed. Longer than the node's own drain time.
const GRACE: Duration = Duration::from_secs(20);
/// Lines of a log that a failure shows.
const TAIL_LINES: usize = 40;

/// Whether the user asked to stop, by ctrl-c or SIGTERM.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    /// From here on SIGINT and SIGTERM no longer end the program; whoever waits has to ask [`Interrupt::check`].
    pub(crate) fn install() -> anyhow::Result<Self> {
        let received = Arc::new(AtomicUsize::new(0));
        for signal in [Signal::INT, Signal::TERM] {
            let number = signal.as_raw();
            let value = usize::try_from(number).expect("signal numbers are positive");
            signal_hook::flag::register_usize(number, Arc::clone(&received), value)
                .with_context(|| format!("cannot listen for signal {number}"))?;
        }
        Ok(Self(received))
    }

    pub(crate) fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.requested() {
            bail!("interrupted");
        }
        Ok(())
    }
}

/// Runs a command to its end with our terminal; its own progress is what the user sees.
pub(crate) fn run(what: &str, command: &mut Command, interrupt: &Interrupt) -> anyhow::Result<()> {
    interrupt.check()?;
    let mut child =
        dies_with_us(command).spawn().with_context(|| format!("{what}: {} does not start", show(command)))?;
    let status = wait(&mut child, interrupt).with_context(|| what.to_owned())?;
    interrupt.check()?;
    if !status.success() {
        bail!("{what} failed: `{}` ended with {status}", show(command));
    }
    Ok(())
}

/// Runs a command to its end and returns what it wrote to standard output; its standard error is part of a failure.
pub(crate) fn output(what: &str, command: &mut Command) -> anyhow::Result<String> {
    let result = dies_with_us(command)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{what}: {} does not start", show(command)))?;
    if !result.status.success() {
        let stderr = String::from_utf8_lossy(&result.stderr);
        bail!("{what} failed: `{}` ended with {}\n{}", show(command), result.status, stderr.trim_end());
    }
    String::from_utf8(result.stdout).with_context(|| format!("{what}: the output is not text"))
}

fn wait(child: &mut Child, interrupt: &Interrupt) -> anyhow::Result<ExitStatus> {
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for a child")? {
            return Ok(status);
        }
        // A ctrl-c at the terminal has reached the child too; SIGTERM has reached only us.
        if interrupt.requested() && !told {
            signal(child, Signal::TERM)?;
            told = true;
        }
        thread::sleep(POLL);
    }
}

/// A program that runs until it is told to stop, with its output in a file.
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts it in a process group of its own, so that a ctrl-c at the terminal leaves the order of stopping to us.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: PathBuf) -> anyhow::Result<Self> {
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let copy = file.try_clone().context("cannot share the log file")?;
        let child = dies_with_us(command)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{name} does not start: {}", show(command)))?;
        Ok(Self { name, child, log })
    }

    /// An error with the tail of the log if it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().with_context(|| format!("cannot wait for {}", self.name))? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}\n{}", self.name, self.tail()),
        }
    }

    /// The end of the log, marked as such.
    pub(crate) fn tail(&self) -> String {
        let text = fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.unwrap_or_else(|error| format!("(cannot be read: {error})"));
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(TAIL_LINES);
        let mut shown = format!("--- {}, last lines:\n", self.log.display());
        for line in &lines[from..] {
            shown.push_str("    ");
            shown.push_str(line);
            shown.push('\n');
        }
        shown
    }

    /// SIGTERM, then SIGKILL after [`GRACE`]. An error says how it ended if that was not in good order.
    fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(status) =
            self.child.try_wait().with_context(|| format!("cannot wait for {}", self.name))?
        {
            bail!("{} had already ended with {status}\n{}", self.name, self.tail());
        }
        signal(&self.child, Signal::TERM)?;
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if let Some(status) =
                self.child.try_wait().with_context(|| format!("cannot wait for {}", self.name))?
            {
                return match (status.success(), status.signal() == Some(Signal::TERM.as_raw())) {
                    (true, _) | (_, true) => Ok(()),
                    (false, false) => {
                        bail!("{} ended with {status} when stopped\n{}", self.name, self.tail())
                    }
                };
            }
            thread::sleep(POLL);
        }
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .with_context(|| format!("cannot kill {}", self.name))?;
        bail!("{} did not stop within {} s and was killed\n{}", self.name, GRACE.as_secs(), self.tail());
    }
}

/// Services in the order of their start. Dropping stops them, so that a failure half way leaves nothing behind.
#[derive(Default)]
pub(crate) struct Services(Vec<Service>);

impl Services {
    /// Whatever a service of ours leaves behind when it dies becomes our child, so that [`Services::stop`] finds it.
    pub(crate) fn new() -> anyhow::Result<Self> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .context("cannot adopt orphans")?;
        Ok(Self::default())
    }

    pub(crate) fn push(&mut self, service: Service) -> &mut Service {
        self.0.push(service);
        self.0.last_mut().expect("just pushed")
    }

    /// An error if any has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.0.iter_mut().try_for_each(Service::check)
    }

    /// The ends of all logs.
    pub(crate) fn tails(&self) -> String {
        self.0.iter().map(Service::tail).collect()
    }

    /// Stops all, the last first, and then whatever they left. All are stopped, whatever goes wrong; every trouble is
    /// part of the error.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let mut troubles = Troubles::default();
        while let Some(mut service) = self.0.pop() {
            troubles.note(service.stop());
        }
        troubles.note(end_orphans());
        troubles.into_result()
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{error:#}");
        }
    }
}

#[derive(Default)]
struct Troubles(Vec<String>);

impl Troubles {
    fn note(&mut self, result: anyhow::Result<()>) {
        if let Err(error) = result {
            self.0.push(format!("{error:#}"));
        }
    }

    fn into_result(self) -> anyhow::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        bail!("{}", self.0.join("\n"));
    }
}

/// Kills the children that we did not start ourselves: what a service that died had started. Each is named in the
/// error, for there should be none.
fn end_orphans() -> anyhow::Result<()> {
    let mut found = Vec::new();
    let deadline = Instant::now() + GRACE;
    // An orphan's own children come to us when it dies, hence again until there are none.
    loop {
        let orphans = children()?;
        if orphans.is_empty() {
            break;
        }
        if Instant::now() > deadline {
            bail!("processes {orphans:?} do not end");
        }
        for pid in orphans {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let pid = Pid::from_raw(pid).context("a child with the number 0")?;
            // One that has ended by itself only needs to be collected.
            if rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG)
                .is_ok_and(|w| w.is_some())
            {
                continue;
            }
            found.push(format!("{} ({})", name.trim_end(), pid.as_raw_nonzero()));
            rustix::process::kill_process(pid, Signal::KILL)
                .with_context(|| format!("cannot kill {name}"))?;
            rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty())
                .context("cannot collect")?;
        }
    }
    if !found.is_empty() {
        bail!("left behind, and killed: {}", found.join(", "));
    }
    Ok(())
}

fn children() -> anyhow::Result<Vec<i32>> {
    let mut all = Vec::new();
    for task in fs::read_dir("/proc/self/task").context("/proc is not mounted")? {
        let path = task.context("/proc/self/task")?.path().join("children");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // A thread that ended meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).context(path.display().to_string()),
        };
        for word in text.split_whitespace() {
            all.push(word.parse().with_context(|| format!("{}: `{word}`", path.display()))?);
        }
    }
    Ok(all)
}

fn signal(child: &Child, signal: Signal) -> anyhow::Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child has a positive number");
    rustix::process::kill_process(pid, signal).context("cannot signal a child")
}

/// The kernel ends the child should this program be killed outright.
fn dies_with_us(command: &mut Command) -> &mut Command {
    // SAFETY: the closure makes one system call and touches no memory, as is required between fork and exec.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM)).map_err(io::Error::from)
        })
    }
}

fn show(command: &Command) -> impl fmt::Display {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(dir: &tempfile::TempDir, script: &str) -> Service {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Service::start("sample", &mut command, dir.path().join("sample.log")).expect("started")
    }

    fn alive(pid: i32) -> bool {
        fs::metadata(format!("/proc/{pid}")).is_ok()
    }

    fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(value) = probe() {
                return value;
            }
            assert!(Instant::now() < deadline, "not within 30 s: {what}");
            thread::sleep(POLL);
        }
    }

    #[test]
    fn a_service_that_dies_is_reported_with_the_end_of_its_log() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut service = service(&dir, "echo starting; echo out of paper >&2; exit 7");
        let error = eventually("an error", || service.check().err()).to_string();
        assert!(error.contains("exit status: 7") && error.contains("out of paper"), "{error}");
    }

    #[test]
    fn stopping_ends_services_and_reports_what_they_left_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut services = Services::new().expect("a subreaper");
        // The shell ends on SIGTERM and leaves its child, which is deaf to it.
        let script =
            "(trap '' TERM; exec sleep 1000) & echo $!; trap 'exit 0' TERM; while :; do sleep 0.1; done";
        services.push(service(&dir, script));
        let log = dir.path().join("sample.log");
        let orphan: i32 =
            eventually("the child's number", || fs::read_to_string(&log).ok()?.trim().parse().ok());
        let pid = i32::try_from(services.0[0].child.id()).expect("a pid");
        assert!(alive(pid) && alive(orphan));
        let error = services.stop().expect_err("something was left").to_string();
        assert!(error.contains(&orphan.to_string()), "{error}");
        assert!(!alive(pid) && !alive(orphan));
    }

    #[test]
    fn a_failing_command_is_shown_with_what_it_said() {
        let mut command = Command::new("sh");
        let error =
            output("sample", command.args(["-c", "echo no paper >&2; exit 3"])).expect_err("it fails");
        assert!(
            error.to_string().contains("no paper") && error.to_string().contains("exit status: 3"),
            "{error}"
        );
    }
}
