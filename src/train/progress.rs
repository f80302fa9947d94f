//! What a person at the keyboard sees, and the only place that prints.
//!
//! With a terminal and no board in charge: bars and a table at the end. Else plain lines, one per
//! epoch, which land in the run's `out.log`.

use std::env;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use tuneboard::events::{Ending, EventKind, Level, Split, Started, is_of_machine};
use tuneboard::spec::metrics::{self, train};
use tuneboard::spec::printable;

/// The most characters of one line.
const LINE: usize = 2000;

/// Where progress is shown.
pub struct Console {
    bar: Option<ProgressBar>,
    epochs: u32,
    lines: Vec<String>,
    /// The line of the epoch that is being reported, until its last figure is in.
    line: String,
    confusion: Option<Vec<Vec<u64>>>,
    labels: Vec<String>,
}

impl Console {
    /// Bars in a terminal, unless `TUNEBOARD_QUIET` says that a board is in charge.
    pub fn choose() -> Self {
        let alone = env::var_os("TUNEBOARD_QUIET").is_none() && io::stderr().is_terminal();
        Self {
            bar: alone.then(ProgressBar::no_length),
            epochs: 0,
            lines: Vec::new(),
            line: String::new(),
            confusion: None,
            labels: Vec::new(),
        }
    }

    /// Shows an event.
    pub fn show(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Started(started) => self.started(started),
            EventKind::Resumed { epoch, attempt } => {
                self.say(&format!("attempt {attempt} goes on after epoch {epoch}"));
            }
            EventKind::Metrics { epoch, values }
                if values.keys().any(|n| n.starts_with("val/")) =>
            {
                let mut line = format!("epoch {epoch:.2}");
                for (name, value) in values.iter().filter(|(n, _)| n.starts_with("val/")) {
                    let _ = write!(line, "  {name} {:.4}", value.0);
                }
                self.say(&line);
            }
            EventKind::Metrics { values, .. } => {
                let Some(bar) = &self.bar else { return };
                let get = |name: &str| values.get(name).map_or(f64::NAN, |n| n.0);
                bar.set_message(format!(
                    "loss {:.4}  lr {:.2e}  {:.0} examples/s",
                    get(train::STEP_LOSS),
                    get(train::STEP_LR),
                    get(train::STEP_EXAMPLES_PER_S),
                ));
            }
            EventKind::Eval { split, epoch, values } => {
                if *split != Split::Val {
                    self.line = format!("epoch {epoch}");
                }
                for (name, value) in values.iter().filter(|(name, _)| !is_of_machine(name)) {
                    let _ = write!(self.line, "  {split}/{name} {:.4}", value.0);
                }
                if let Some(rate) = values.get(metrics::EXAMPLES_PER_S) {
                    let _ = write!(self.line, "  {:.0} examples/s", rate.0);
                }
                if *split != Split::Train {
                    let line = std::mem::take(&mut self.line);
                    self.say(&line);
                    self.lines.push(line);
                }
            }
            EventKind::Confusion { split: Split::Test, counts, .. } => {
                self.confusion = Some(counts.clone());
            }
            EventKind::Note { level, text } => {
                let word = if *level == Level::Warning { "warning: " } else { "" };
                self.say(&format!("{word}{text}"));
            }
            EventKind::Ended { ending, best_epoch, .. } => self.ended(*ending, *best_epoch),
            EventKind::Confusion { .. }
            | EventKind::Saved { .. }
            | EventKind::Evaluating { .. } => {}
        }
    }

    /// Moves the bar, which knows every step; events come at most ten times a second.
    pub fn step(&self, step: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(step);
        }
    }

    fn started(&mut self, started: &Started) {
        self.epochs = started.epochs;
        self.labels.clone_from(&started.labels);
        let learn = started.trainable.filter(|learn| *learn < started.parameters);
        let learn = learn.map(|learn| format!(", of which {learn} learn,"));
        self.say(&format!(
            "{} weights{} on {} ({}, {} threads); {} train, {} val, {} test rows; {} epochs, {} steps",
            started.parameters,
            learn.unwrap_or_default(),
            started.device,
            started.precision,
            started.threads,
            started.rows[0],
            started.rows[1],
            started.rows[2],
            started.epochs,
            started.total_steps,
        ));
        if let Some(bar) = &self.bar {
            bar.set_length(started.total_steps);
            if let Ok(style) = ProgressStyle::with_template(
                "{bar:30.cyan/dim} {pos}/{len} steps  {msg}  {eta} left",
            ) {
                bar.set_style(style);
            }
        }
    }

    fn ended(&mut self, ending: Ending, best_epoch: Option<u32>) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            if ending == Ending::Done {
                err(&summary(&self.labels, self.confusion.as_deref()));
            }
        }
        let best = best_epoch.map(|e| format!(", best epoch {e}")).unwrap_or_default();
        self.say(&format!("{ending}{best}"));
    }

    /// One line, made printable.
    pub fn say(&self, line: &str) {
        let line = printable(line, LINE);
        match &self.bar {
            Some(bar) => bar.println(line),
            None => out(&line),
        }
    }
}

/// The confusion matrix of the test rows, as a table; too many classes for a screen give nothing.
fn summary(labels: &[String], counts: Option<&[Vec<u64>]>) -> String {
    let Some(counts) = counts.filter(|c| c.len() <= 12) else { return String::new() };
    let mut text = String::from("test rows: true class down, predicted across\n");
    let short = |label: &String| printable(label, 10).into_owned();
    let _ = write!(text, "{:>12}", "");
    for label in labels {
        let _ = write!(text, "{:>12}", short(label));
    }
    for (label, row) in labels.iter().zip(counts) {
        let _ = write!(text, "\n{:>12}", short(label));
        for count in row {
            let _ = write!(text, "{count:>12}");
        }
    }
    text
}

/// One line to stdout. A reader that is gone is no reason to stop.
pub fn out(line: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{line}");
    let _ = stdout.flush();
}

/// One line to stderr.
pub fn err(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
