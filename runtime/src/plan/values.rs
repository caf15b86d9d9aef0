//! Values that instructions write in their own way: ports, modes, sizes, signals, durations.

use super::Chmod;

pub(super) fn parse_ports(word: &str) -> Option<Vec<String>> {
    let (ports, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
    let protocol = protocol.to_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return None;
    }
    // `ip:host:container` is read and only the container's port counts.
    let ports = ports.rsplit(':').next().unwrap_or(ports);
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    if first > last {
        return None;
    }
    Some((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

pub(super) fn parse_chmod(text: &str) -> Option<Chmod> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777).map(Chmod::Octal);
    }
    symbolic_mode(text, 0o644, false).map(|_| Chmod::Symbolic(text.to_owned()))
}

/// What `text` (`u=rwX,go-w`) makes of `mode`; nothing when it is no such text.
#[must_use]
pub fn symbolic_mode(text: &str, mode: u32, is_dir: bool) -> Option<u32> {
    let mut mode = mode;
    for clause in text.split(',') {
        let split = clause.find(['+', '-', '='])?;
        let (who, mut rest) = clause.split_at(split);
        let mut users = 0;
        for c in who.chars() {
            users |= match c {
                'u' => 0o4700,
                'g' => 0o2070,
                'o' => 0o1007,
                'a' => 0o7777,
                _ => return None,
            };
        }
        if who.is_empty() {
            users = 0o7777;
        }
        while let Some(operator) = rest.chars().next() {
            let end = rest.get(1..)?.find(['+', '-', '=']).map_or(rest.len(), |at| at + 1);
            let said = rest.get(1..end)?;
            let mut bits = 0;
            for c in said.chars() {
                bits |= match c {
                    'r' => 0o444,
                    'w' => 0o222,
                    'x' => 0o111,
                    'X' if is_dir || mode & 0o111 != 0 => 0o111,
                    'X' => 0,
                    's' => 0o6000,
                    't' => 0o1000,
                    'u' => (mode >> 6 & 7) * 0o111,
                    'g' => (mode >> 3 & 7) * 0o111,
                    'o' => (mode & 7) * 0o111,
                    _ => return None,
                };
            }
            match operator {
                '+' => mode |= bits & users,
                '-' => mode &= !(bits & users),
                // What is copied from others leaves set-user-ID and set-group-ID alone.
                _ if said.contains(['u', 'g', 'o']) => mode = (mode & !(users & 0o777)) | (bits & users),
                _ => mode = (mode & !(users & 0o6777)) | (bits & users),
            }
            rest = rest.get(end..)?;
        }
    }
    Some(mode)
}

pub(super) fn is_false(text: &str) -> bool {
    matches!(text, "false" | "0" | "f" | "F" | "False" | "FALSE")
}

pub(super) fn parse_size(text: &str) -> Option<u64> {
    let lower = text.to_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = lower.get(digits.len()..)?.trim_end_matches('b').trim_end_matches('i');
    let shift = match unit {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(1 << shift)
}

pub(super) fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<u32>() {
        return (1..=64).contains(&number);
    }
    let upper = text.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let realtime = |prefix: &str, sign: char| {
        name.strip_prefix(prefix).is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix(sign).is_some_and(|n| n.parse::<u32>().is_ok_and(|n| n <= 15))
        })
    };
    realtime("RTMIN", '+')
        || realtime("RTMAX", '-')
        || format!("SIG{name}").parse::<nix::sys::signal::Signal>().is_ok()
        || matches!(name, "CLD" | "POLL")
}

/// A duration as Go reads it, in nanoseconds.
pub(super) fn parse_duration(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut total = 0f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let unit = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * unit;
        rest = tail;
    }
    (!text.is_empty() && total < 9.2e18).then_some(total as i64)
}

/// A duration as Go prints it.
pub(super) fn go_duration(nanos: i64) -> String {
    let fraction = |value: i64, unit: i64| {
        let text = format!("{:.9}", value as f64 / unit as f64);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", fraction(nanos, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", fraction(nanos, 1_000_000)),
        _ => {
            let minutes = nanos / 60_000_000_000;
            let seconds = fraction(nanos % 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_has_them() {
        for (text, nanos, printed) in [
            ("5m", 300_000_000_000, "5m0s"),
            ("1h1m1.5s", 3_661_500_000_000, "1h1m1.5s"),
            ("100ms", 100_000_000, "100ms"),
            ("0", 0, "0s"),
            ("3s", 3_000_000_000, "3s"),
        ] {
            assert_eq!(parse_duration(text), Some(nanos), "{text}");
            assert_eq!(go_duration(nanos), printed);
        }
        assert_eq!(parse_duration("5"), None);
        assert_eq!(parse_duration(""), None);
    }

    #[test]
    fn symbolic_modes() {
        assert_eq!(symbolic_mode("u=rwX,go=rX", 0o640, false), Some(0o644));
        assert_eq!(symbolic_mode("u=rwX,go=rX", 0o700, true), Some(0o755));
        assert_eq!(symbolic_mode("a+x", 0o644, false), Some(0o755));
        assert_eq!(symbolic_mode("g-w,o=", 0o666, false), Some(0o640));
        assert_eq!(symbolic_mode("u+s,g=u", 0o744, false), Some(0o4774));
        assert_eq!(symbolic_mode("u=rwX,go=rX", 0o4755, false), Some(0o755));
        assert_eq!(symbolic_mode("u=g", 0o4755, false), Some(0o4555));
        assert_eq!(symbolic_mode("rwx", 0, false), None);
        assert_eq!(symbolic_mode("z=r", 0, false), None);
    }

    #[test]
    fn ports_and_signals() {
        assert_eq!(parse_ports("8000-8002"), Some(vec!["8000/tcp".into(), "8001/tcp".into(), "8002/tcp".into()]));
        assert_eq!(parse_ports("80/TCP"), Some(vec!["80/tcp".into()]));
        assert_eq!(parse_ports("80/x"), None);
        assert!(is_signal("SIGTERM") && is_signal("9") && is_signal("rtmin+3") && !is_signal("SIGNOPE"));
    }
}
