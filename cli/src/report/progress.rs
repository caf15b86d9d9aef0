//! A build as it goes on: a spinner on a terminal, plain lines elsewhere, one JSON object a line for programs.

use crate::terminal::{self, Paint};
use indicatif::{ProgressBar, ProgressStyle};
use plimsoll_runtime::build::{Event, Progress};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Style {
    /// A spinner on a terminal, plain lines elsewhere
    #[default]
    Auto,
    /// A spinner wherever it goes
    Tty,
    /// Every line of output
    Plain,
    /// One JSON object a line, on standard error
    Rawjson,
    /// Nothing
    Quiet,
}

/// Shows a build on standard error.
pub struct Shown {
    style: Style,
    paint: Paint,
    prefix: String,
    bar: Option<ProgressBar>,
    /// Steps that are being carried out, by number.
    steps: BTreeMap<usize, String>,
}

impl Shown {
    /// In the style that was asked for; `quiet` wins.
    pub fn new(style: Style, quiet: bool, color: bool) -> Self {
        let style = match style {
            _ if quiet => Style::Quiet,
            Style::Auto if !std::io::stderr().is_terminal() => Style::Plain,
            Style::Tty => Style::Auto,
            other => other,
        };
        let bar = (style == Style::Auto).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { style, paint: Paint(color), prefix: String::new(), bar, steps: BTreeMap::new() }
    }

    /// Put before each step: which of several builds this is.
    pub fn set_prefix(&mut self, prefix: &str) {
        self.prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}: ") };
    }

    /// Says something that is not about a step.
    pub fn say(&mut self, message: &str) {
        match self.style {
            Style::Auto | Style::Tty => {
                if let Some(bar) = &self.bar {
                    bar.set_message(message.to_owned());
                }
            }
            Style::Plain => eprintln!("{message}"),
            Style::Rawjson => eprintln!("{}", json!({ "event": "note", "message": message })),
            Style::Quiet => {}
        }
    }

    /// Takes the spinner away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.finish();
    }
}

fn shorten(instruction: &str, most: usize) -> String {
    let line = instruction.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most { line } else { line.chars().take(most).collect::<String>() + "…" }
}

impl Progress for Shown {
    fn event(&mut self, event: Event<'_>) {
        match self.style {
            Style::Quiet => {}
            Style::Rawjson => raw(&self.prefix, &event),
            Style::Auto | Style::Tty | Style::Plain => self.show(&event),
        }
    }
}

impl Shown {
    fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Pull { image, done, total } => {
                let of = total.map(|total| format!(" of {}", terminal::size(total))).unwrap_or_default();
                let message = format!("{}pulling {image}: {}{of}", self.prefix, terminal::size(*done));
                if let Some(bar) = &self.bar {
                    bar.set_message(message);
                } else if *done == 0 {
                    eprintln!("{}pulling {image}", self.prefix);
                }
            }
            Event::Step { number, total, instruction, .. } => {
                let step = format!("{}[{number}/{total}] {}", self.prefix, shorten(instruction, 100));
                if let Some(bar) = &self.bar {
                    bar.set_message(step.clone());
                }
                self.steps.insert(*number, step);
            }
            Event::Output { number, line, .. } => {
                if let Some(bar) = &self.bar {
                    let step = self.steps.get(number).map_or("", String::as_str);
                    bar.set_message(format!("{step} | {}", shorten(line, 80)));
                } else if self.steps.len() > 1 {
                    // Several stages at once: each line says which step wrote it.
                    eprintln!("  {number} | {line}");
                } else {
                    eprintln!("  | {line}");
                }
            }
            Event::Done { number, cached, duration, layer } => {
                let step = self.steps.remove(number).unwrap_or_default();
                let bytes = layer.map(|bytes| format!(", {}", terminal::size(bytes))).unwrap_or_default();
                let slow = *duration >= Duration::from_secs(1);
                if self.style == Style::Plain || (slow && !cached) {
                    let took = if *cached { "cached".to_owned() } else { terminal::duration(*duration) };
                    self.line(&format!("{step} {}", self.paint.dim(format!("({took}{bytes})"))));
                }
            }
            Event::Warning { message, line } => {
                let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
                self.line(&format!("{} {place}{message}", self.paint.yellow("warning:")));
            }
            _ => {}
        }
    }
}

fn raw(prefix: &str, event: &Event<'_>) {
    let build = prefix.trim_end_matches(": ");
    let value = match event {
        Event::Stage { index, name, base } => json!({ "event": "stage", "index": index, "name": name, "base": base }),
        Event::Pull { image, done, total } => json!({ "event": "pull", "image": image, "done": done, "total": total }),
        Event::Step { number, total, stage, instruction, line } => {
            json!({ "event": "step", "number": number, "total": total, "stage": stage, "instruction": instruction, "line": line })
        }
        Event::Output { number, stderr, line } => {
            json!({ "event": "output", "number": number, "stderr": stderr, "line": line })
        }
        Event::Done { number, cached, duration, layer } => {
            json!({ "event": "done", "number": number, "cached": cached, "seconds": duration.as_secs_f64(), "bytes": layer })
        }
        Event::Warning { message, line } => json!({ "event": "warning", "message": message, "line": line }),
        _ => return,
    };
    let mut value = value;
    if let (false, Some(object)) = (build.is_empty(), value.as_object_mut()) {
        object.insert("build".to_owned(), json!(build));
    }
    eprintln!("{value}");
}
