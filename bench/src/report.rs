//! What a benchmark leaves behind: `NAME.json` for programs, `NAME.md` and `NAME.svg` for people.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde::Serialize;

/// What is asked of a row, on its `ratio` (ours divided by the peer's) or on ours alone.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// Lower is better: ours / peer at most this.
    RatioAtMost(f64),
    /// Higher is better: ours / peer at least this.
    RatioAtLeast(f64),
    /// Lower is better: ours at most this, in the row's unit.
    AtMost(f64),
    /// Lower is better: ours minus the peer's at most this, in the row's unit.
    ExcessAtMost(f64),
    /// The figure is for the record.
    None,
}

/// One compared figure.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// Unit of `ours` and `peer`.
    pub unit: &'static str,
    /// Our figure.
    pub ours: f64,
    /// The peer's figure from the same run.
    pub peer: f64,
    /// Who the peer is, with its version or configuration.
    pub peer_name: String,
    /// `ours / peer`.
    pub ratio: f64,
    /// The goal in words, with its direction.
    pub goal: String,
    /// Whether the goal was met; true where there is none.
    pub met: bool,
}

impl Row {
    /// Compares `ours` with `peer` under `goal`.
    pub fn new(
        name: impl Into<String>,
        unit: &'static str,
        ours: f64,
        peer: (&str, f64),
        goal: Goal,
    ) -> Self {
        let ratio = ours / peer.1;
        let (goal, met) = match goal {
            Goal::RatioAtMost(limit) => (format!("lower is better: ratio <= {limit}"), ratio <= limit),
            Goal::RatioAtLeast(limit) => (format!("higher is better: ratio >= {limit}"), ratio >= limit),
            Goal::AtMost(limit) => (format!("lower is better: ours <= {limit} {unit}"), ours <= limit),
            Goal::ExcessAtMost(limit) => {
                (format!("lower is better: ours - peer <= {limit} {unit}"), ours - peer.1 <= limit)
            }
            Goal::None => ("for the record".to_owned(), true),
        };
        Self { name: name.into(), unit, ours, peer: peer.1, peer_name: peer.0.to_owned(), ratio, goal, met }
    }
}

/// A finished run.
#[derive(Debug)]
pub struct Report<'a> {
    /// File stem below `bench/results`.
    pub name: &'a str,
    /// One line that says what was measured and how.
    pub title: &'a str,
    /// The command that makes it again.
    pub command: &'a str,
    /// Names and versions of the programs compared.
    pub versions: Vec<String>,
    /// The figures.
    pub rows: Vec<Row>,
}

impl Report<'_> {
    /// Writes the three files into `dir`, and the table to standard output.
    pub fn write(&self, dir: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let markdown = self.markdown();
        for (extension, content) in [
            ("json", serde_json::to_string_pretty(&self.rows)?),
            ("md", markdown.clone()),
            ("svg", self.svg()),
        ] {
            let path = dir.join(format!("{}.{extension}", self.name));
            std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        }
        println!("{markdown}");
        Ok(())
    }

    fn markdown(&self) -> String {
        let mut out = format!("# {}\n\n`{}`\n\n{}\n", self.title, self.command, machine());
        for version in &self.versions {
            let _infallible = writeln!(out, "- {version}");
        }
        out.push_str("\n| what | unit | ours | peer | peer is | ratio | goal | met |\n|---|---|---:|---:|---|---:|---|---|\n");
        for row in &self.rows {
            let _infallible = writeln!(
                out,
                "| {} | {} | {:.3} | {:.3} | {} | {:.3} | {} | {} |",
                row.name,
                row.unit,
                row.ours,
                row.peer,
                row.peer_name,
                row.ratio,
                row.goal,
                if row.met { "yes" } else { "**no**" }
            );
        }
        out
    }

    /// A pair of bars for each row, scaled to the larger of the two.
    fn svg(&self) -> String {
        const WIDTH: f64 = 900.0;
        const BAR: f64 = 480.0;
        const ROW: usize = 44;
        let height = 30 + self.rows.len() * ROW;
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"8\" y=\"18\" font-size=\"14\">{}</text>\n",
            escape(self.title)
        );
        for (index, row) in self.rows.iter().enumerate() {
            let y = 34 + index * ROW;
            let scale = BAR / row.ours.max(row.peer).max(f64::MIN_POSITIVE);
            let bars = [("#1f77b4", "ours", row.ours), ("#bbbbbb", row.peer_name.as_str(), row.peer)];
            let _infallible = writeln!(out, "<text x=\"8\" y=\"{}\">{}</text>", y + 12, escape(&row.name));
            for (line, (colour, who, value)) in bars.into_iter().enumerate() {
                let top = y + line * 18;
                let _infallible = writeln!(
                    out,
                    "<rect x=\"250\" y=\"{top}\" width=\"{:.1}\" height=\"14\" fill=\"{colour}\"/><text x=\"{:.1}\" y=\"{}\">{value:.2} {} {}</text>",
                    value * scale,
                    256.0 + value * scale,
                    top + 11,
                    row.unit,
                    escape(who)
                );
            }
        }
        out.push_str("</svg>\n");
        out
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Processor, cores, memory and kernel of this machine, as one Markdown line.
fn machine() -> String {
    let read =
        |path: &str| std::fs::read_to_string(path).unwrap_or_else(|error| format!("({path}: {error})"));
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned())
        })
        .unwrap_or_else(|| "unknown processor".to_owned());
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let memory = read("/proc/meminfo").lines().next().unwrap_or_default().to_owned();
    let kernel = Command::new("uname").arg("-sr").output().map_or_else(
        |error| format!("(uname: {error})"),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    format!("Machine: {model}, {cores} cores, {memory}, {kernel}.\n")
}

/// The median of `values`, which must not be empty.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(goal: Goal, ours: f64, peer: f64, met: bool) {
        assert_eq!(Row::new("x", "s", ours, ("peer", peer), goal).met, met, "{goal:?} {ours} {peer}");
    }

    #[test]
    fn a_goal_is_met_on_its_own_side_of_the_limit() {
        check(Goal::RatioAtMost(0.5), 1.0, 2.0, true);
        check(Goal::RatioAtMost(0.5), 1.1, 2.0, false);
        check(Goal::RatioAtLeast(2.0), 4.0, 2.0, true);
        check(Goal::RatioAtLeast(2.0), 3.9, 2.0, false);
        check(Goal::AtMost(5.0), 5.1, 1.0, false);
        check(Goal::ExcessAtMost(5.0), 9.0, 4.0, true);
        check(Goal::ExcessAtMost(5.0), 9.1, 4.0, false);
    }

    #[test]
    fn the_plot_escapes_what_it_is_given() {
        let row = Row::new("a<b", "s", 1.0, ("p&q", 2.0), Goal::None);
        let report = Report { name: "t", title: "t", command: "c", versions: vec![], rows: vec![row] };
        assert!(report.svg().contains("a&lt;b") && report.svg().contains("p&amp;q"));
    }
}
