//! What the terminal can show, and numbers as people read them.

use std::io::{IsTerminal, Write};

/// Writes to standard output. Whoever reads it may go away (`| head`): then so do we, quietly.
pub fn write_out(text: std::fmt::Arguments<'_>) {
    written(std::io::stdout().lock().write_fmt(text));
}

/// The same for bytes as they are.
pub fn write_bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()));
}

fn written(done: std::io::Result<()>) {
    if let Err(error) = done {
        if error.kind() != std::io::ErrorKind::BrokenPipe {
            eprintln!("failed to write to standard output: {error}");
            std::process::exit(2);
        }
        std::process::exit(0);
    }
}

macro_rules! out {
    ($($part:tt)*) => { $crate::terminal::write_out(format_args!($($part)*)) };
}
macro_rules! outln {
    ($($part:tt)*) => { $crate::terminal::write_out(format_args!("{}\n", format_args!($($part)*))) };
}
pub(crate) use {out, outln};

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    fn wanted(self, terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if std::env::var_os("CLICOLOR_FORCE").is_some_and(|v| v != "0") => true,
            Self::Auto => {
                terminal
                    && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
    /// Whether standard output gets colours.
    pub fn stdout(self) -> bool {
        self.wanted(std::io::stdout().is_terminal())
    }
    /// Whether standard error gets colours.
    pub fn stderr(self) -> bool {
        self.wanted(std::io::stderr().is_terminal())
    }
}

/// Paints text where colours are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Paint(pub bool);

impl Paint {
    fn with(self, code: &str, text: impl std::fmt::Display) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
    /// Good news.
    pub fn green(self, text: impl std::fmt::Display) -> String {
        self.with("32", text)
    }
    /// Bad news.
    pub fn red(self, text: impl std::fmt::Display) -> String {
        self.with("31", text)
    }
    /// Worth a look.
    pub fn yellow(self, text: impl std::fmt::Display) -> String {
        self.with("33", text)
    }
    /// Names.
    pub fn cyan(self, text: impl std::fmt::Display) -> String {
        self.with("36", text)
    }
    /// Headings.
    pub fn bold(self, text: impl std::fmt::Display) -> String {
        self.with("1", text)
    }
    /// Less important.
    pub fn dim(self, text: impl std::fmt::Display) -> String {
        self.with("2", text)
    }
}

/// A size in decimal units, as container tools print it: `404.1 MB`, `12.3 kB`, `17 B`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS.get(unit).copied().unwrap_or("TB"))
}

/// A size with its sign; nothing for no change.
pub fn saved(before: u64, after: u64) -> String {
    match before.cmp(&after) {
        std::cmp::Ordering::Equal => "0 B".to_owned(),
        std::cmp::Ordering::Greater => size(before - after),
        std::cmp::Ordering::Less => format!("-{}", size(after - before)),
    }
}

/// A size as written by a person: `250MB`, `1.5 GiB`, `4096`. Decimal units unless the `i` is there.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| format!("`{text}` is not a size; write it as 250MB or 1.5GiB"))?;
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        other => return Err(format!("`{other}` is not a unit of size; use B, kB, MB, GB, KiB, MiB or GiB")),
    };
    Ok((number * factor).round() as u64)
}

/// A size as docker's limits of memory have it: `64m`, `1g`, `512MB`, all in powers of 1024.
pub fn parse_ram(text: &str) -> Result<u64, String> {
    let text = text.trim().to_ascii_lowercase();
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let unit = text.get(number.len()..).unwrap_or_default().trim();
    let power = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(format!("`{unit}` is not a unit of size; use b, k, m or g")),
    };
    let number: f64 = number.parse().map_err(|_| format!("`{text}` is not a size; write it as 64m or 1.5g"))?;
    if !number.is_finite() || number < 0.0 {
        return Err(format!("`{text}` is not a size; write it as 64m or 1.5g"));
    }
    Ok((number * f64::from(2_u32).powi(power)).round() as u64)
}

/// A duration as people read it: `0.4 s`, `12 s`, `3 min 5 s`.
pub fn duration(time: std::time::Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 {
        format!("{seconds:.1} s")
    } else if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_container_tools_print_them() {
        assert_eq!(size(17), "17 B");
        assert_eq!(size(12_345), "12.3 kB");
        assert_eq!(size(404_100_000), "404.1 MB");
        assert_eq!(size(999_960_000), "1.0 GB");
        assert_eq!(saved(10_000_000, 4_000_000), "6.0 MB");
        assert_eq!(saved(4_000_000, 10_000_000), "-6.0 MB");
    }

    #[test]
    fn sizes_are_read_in_both_families_of_units() {
        assert_eq!(parse_size("250MB"), Ok(250_000_000));
        assert_eq!(parse_size("1.5 GiB"), Ok(1_610_612_736));
        assert_eq!(parse_size("4096"), Ok(4096));
        assert!(parse_size("12 parsecs").is_err());
        assert!(parse_size("").is_err());
    }
}
