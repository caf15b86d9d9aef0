//! What differs between two builds or two runs of the very same thing, declared by name. Nothing else is ever left out unsaid.

/// Files that differ between two builds of one Dockerfile, whatever was changed.
#[derive(Debug, Clone, Copy)]
pub struct Noise {
    /// How reports call it.
    pub name: &'static str,
    /// The paths.
    pub globs: &'static [&'static str],
    /// Why they differ.
    pub why: &'static str,
    /// What is compared of such a file; `None`: nothing, not even whether it is there.
    pub compared: Option<Compared>,
}

/// Takes the noise out of a file's bytes.
pub type Compared = fn(&[u8]) -> Vec<u8>;

/// Every noise list there is.
pub const NOISE: &[Noise] = &[
    Noise {
        name: "logs",
        globs: &["/var/log/**"],
        why: "package managers write the time of each step into their logs",
        compared: None,
    },
    Noise {
        name: "ldconfig's cache of inodes",
        globs: &["/var/cache/ldconfig/aux-cache"],
        why: "it holds inode numbers and change times",
        compared: None,
    },
    Noise {
        name: "machine ID",
        globs: &["/etc/machine-id", "/var/lib/dbus/machine-id"],
        why: "it is random",
        compared: None,
    },
    Noise {
        name: "apt's binary caches",
        globs: &["/var/cache/apt/pkgcache.bin", "/var/cache/apt/srcpkgcache.bin"],
        why: "they are images of memory, with addresses and times",
        compared: None,
    },
    Noise {
        name: "backups of databases",
        globs: &[
            "/etc/passwd-",
            "/etc/group-",
            "/etc/shadow-",
            "/etc/gshadow-",
            "/etc/subuid-",
            "/etc/subgid-",
            "/var/lib/dpkg/status-old",
            "/var/lib/dpkg/diversions-old",
            "/var/lib/dpkg/statoverride-old",
            "/var/cache/debconf/*-old",
        ],
        why: "they hold the state before the last change, which depends on how the steps are cut",
        compared: None,
    },
    Noise {
        name: "font caches",
        globs: &["/var/cache/fontconfig/**"],
        why: "they hold times of directories",
        compared: None,
    },
    Noise {
        name: "generated keys",
        globs: &[
            "/etc/ssh/ssh_host_*_key",
            "/etc/ssh/ssh_host_*_key.pub",
            "/etc/ssl/private/ssl-cert-snakeoil.key",
            "/etc/ssl/certs/ssl-cert-snakeoil.pem",
            "/etc/ssl/certs/java/cacerts",
        ],
        why: "they are random, or hold the time of their making",
        compared: None,
    },
    Noise {
        name: "days of password changes",
        globs: &["/etc/shadow"],
        why: "the third field is the day on which the account was made",
        compared: Some(shadow_without_days),
    },
    Noise {
        name: "times in Python bytecode",
        globs: &["**/*.pyc"],
        why: "the header holds the modification time of the source",
        compared: Some(bytecode_without_times),
    },
];

fn shadow_without_days(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| {
        let mut fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        if let Some(day) = fields.get_mut(2) {
            *day = b"*";
        }
        fields.join(&b':')
    });
    lines.collect::<Vec<_>>().join(&b'\n')
}

/// The header is four words: magic, flags, then for flags 0 the time and size of the source, otherwise a hash of it.
fn bytecode_without_times(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let [_, _, _, _, 0, 0, 0, 0, time @ ..] = bytes.as_mut_slice()
        && let Some(time) = time.get_mut(..4)
    {
        time.fill(0);
    }
    bytes
}

/// A rewriting of output that takes out what differs between two runs.
#[derive(Debug, Clone, Copy)]
pub struct Normalizer {
    /// How reports call it.
    pub name: &'static str,
    /// What it replaces.
    pub why: &'static str,
    /// Rewrites a text.
    pub apply: fn(&str) -> String,
}

/// The normalizers of output, in the order in which they are applied.
pub const NORMALIZERS: &[Normalizer] = &[
    Normalizer { name: "times", why: "dates, times of day and seconds since 1970 become <time>", apply: times },
    Normalizer { name: "durations", why: "numbers of seconds and their parts become <duration>", apply: durations },
    Normalizer { name: "process IDs", why: "numbers after `pid`, and in brackets, become <pid>", apply: process_ids },
    Normalizer { name: "ports", why: "ports that the kernel picks (32768 and up) become <port>", apply: ports },
    Normalizer { name: "addresses", why: "addresses in memory become <address>", apply: addresses },
];

/// The normalizers, applied in order; and the names of those that changed something.
pub fn normalize(text: &str) -> (String, Vec<&'static str>) {
    let mut text = text.to_owned();
    let mut used = Vec::new();
    for normalizer in NORMALIZERS {
        let next = (normalizer.apply)(&text);
        if next != text {
            used.push(normalizer.name);
            text = next;
        }
    }
    (text, used)
}

/// Replaces what `found` recognizes, which gives the length of a match at the start of its text. Looked for where no word or number
/// is already under way.
fn replace(text: &str, with: &str, found: impl Fn(&str) -> Option<usize>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut inside_word = false;
    while let Some(first) = rest.chars().next() {
        match found(rest).filter(|_| !(inside_word && first.is_alphanumeric())) {
            Some(length) if length > 0 => {
                out.push_str(with);
                rest = &rest[length..];
                inside_word = false;
            }
            _ => {
                out.push(first);
                inside_word = first.is_alphanumeric() || first == '_';
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

/// Matches `pattern` at the start: `9` is a digit, `a` a letter, `_` one of `T`, space and underscore, anything else itself.
fn shape(text: &str, pattern: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    for (index, wanted) in pattern.bytes().enumerate() {
        let byte = *bytes.get(index)?;
        let fits = match wanted {
            b'9' => byte.is_ascii_digit(),
            b'a' => byte.is_ascii_alphabetic(),
            b'_' => matches!(byte, b'T' | b' ' | b'_'),
            other => byte == other,
        };
        if !fits {
            return None;
        }
    }
    Some(pattern.len())
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn ends_word(text: &str) -> bool {
    !text.starts_with(|next: char| next.is_alphanumeric() || next == '_')
}

fn times(text: &str) -> String {
    replace(text, "<time>", |text| {
        let day = [
            "9999-99-99",
            "9999/99/99",
            "99/aaa/9999",
            "aaa, 99 aaa 9999",
            "99 aaa 9999",
            "aaa 99, 9999",
            "aaa aaa 99",
            "aaa aaa  9",
            "aaa 99",
            "aaa  9",
        ]
        .into_iter()
        .find_map(|pattern| shape(text, pattern));
        let clock = |text: &str| {
            // `1:22:15 PM`; one digit of hours is a time of day where the half of the day is told.
            let halves = ["99:99:99 AM", "99:99:99 PM", "9:99:99 AM", "9:99:99 PM"];
            if let Some(half) = halves.into_iter().find_map(|pattern| shape(text, pattern)) {
                return Some(half);
            }
            let mut length = shape(text, "99:99:99")?;
            if text[length..].starts_with(['.', ',']) && digits(&text[length + 1..]) > 0 {
                length += 1 + digits(&text[length + 1..]);
            }
            let rest = &text[length..];
            length += ["Z", " GMT", " UTC"]
                .into_iter()
                .find(|zone| rest.starts_with(zone))
                .map(str::len)
                .or_else(|| {
                    ["+99:99", "-99:99", " +9999", " -9999", "+9999", "-9999"]
                        .into_iter()
                        .find_map(|zone| shape(rest, zone))
                })
                .unwrap_or(0);
            Some(length)
        };
        if let Some(day) = day {
            let gap = usize::from(text[day..].starts_with([' ', 'T', ':', '_']));
            if let Some(clock) = clock(&text[day + gap..]) {
                let mut end = day + gap + clock;
                // `Sun Nov 22 13:29:46 2026`
                if let Some(year) = shape(&text[end..], " 9999").filter(|year| ends_word(&text[end + year..])) {
                    end += year;
                }
                return Some(end);
            }
            let is_date = text.as_bytes()[0].is_ascii_digit()
                && text.as_bytes().get(4).is_some_and(|byte| matches!(byte, b'-' | b'/'));
            return (is_date && ends_word(&text[day..])).then_some(day);
        }
        if let Some(clock) = clock(text) {
            return Some(clock);
        }
        // Seconds, milli-, micro- or nanoseconds since 1970, between 2001 and 2286.
        let whole = digits(text);
        if matches!(whole, 10 | 13 | 16 | 19) && text.starts_with('1') {
            let fraction = text[whole..].strip_prefix('.').map_or(0, |rest| match digits(rest) {
                0 => 0,
                digits => digits + 1,
            });
            let end = whole + fraction;
            return ends_word(&text[end..]).then_some(end);
        }
        None
    })
}

fn durations(text: &str) -> String {
    replace(text, "<duration>", |text| {
        let whole = digits(text);
        if whole == 0 {
            return None;
        }
        let fraction = text[whole..].strip_prefix('.').map_or(0, |rest| match digits(rest) {
            0 => 0,
            digits => digits + 1,
        });
        let number = whole + fraction;
        let gap = usize::from(text[number..].starts_with(' '));
        let unit = [
            "nanoseconds",
            "microseconds",
            "milliseconds",
            "seconds",
            "second",
            "secs",
            "sec",
            "msec",
            "usec",
            "ms",
            "us",
            "µs",
            "ns",
            "s",
        ]
        .into_iter()
        .find(|unit| text[number + gap..].starts_with(unit) && ends_word(&text[number + gap + unit.len()..]))?;
        // `3 s` may be anything; `3s` and `0.3 s` are times.
        (gap == 0 || fraction > 0 || unit.len() > 1).then_some(number + gap + unit.len())
    })
}

fn process_ids(text: &str) -> String {
    let named = replace_number_after(text, &["pid", "PID", "Pid", "process", "worker", "thread"], "<pid>");
    replace(&named, "[<pid>]", |text| {
        let inner = text.strip_prefix('[')?;
        let length = digits(inner);
        (length > 0 && length <= 7 && inner[length..].starts_with(']')).then_some(length + 2)
    })
}

/// `pid 7`, `pid: 7`, `pid=7`, `process [7]`
fn replace_number_after(text: &str, names: &[&str], with: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut inside_word = false;
    'text: while let Some(first) = rest.chars().next() {
        if !inside_word {
            for name in names {
                let Some(after) = rest.strip_prefix(name) else { continue };
                let between = after.len() - after.trim_start_matches([' ', ':', '=', '[', '#', '"', '(']).len();
                let length = digits(&after[between..]);
                if (1..=4).contains(&between) && length > 0 && ends_word(&after[between + length..]) {
                    out.push_str(&rest[..name.len() + between]);
                    out.push_str(with);
                    rest = &after[between + length..];
                    continue 'text;
                }
            }
        }
        out.push(first);
        inside_word = first.is_alphanumeric() || first == '_';
        rest = &rest[first.len_utf8()..];
    }
    out
}

fn ports(text: &str) -> String {
    replace(text, ":<port>", |text| {
        let number = text.strip_prefix(':')?;
        let length = digits(number);
        let port: u32 = number[..length].parse().ok()?;
        ((32768..=65535).contains(&port) && ends_word(&number[length..])).then_some(length + 1)
    })
}

fn addresses(text: &str) -> String {
    replace(text, "<address>", |text| {
        let number = text.strip_prefix("0x")?;
        let length = number.bytes().take_while(u8::is_ascii_hexdigit).count();
        ((6..=16).contains(&length) && ends_word(&number[length..])).then_some(length + 2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_between_runs_is_taken_out() {
        for (text, wanted) in [
            (
                "127.0.0.1 - - [22/Nov/2026 13:29:46] \"GET / HTTP/1.1\" 200 -",
                "127.0.0.1 - - [<time>] \"GET / HTTP/1.1\" 200 -",
            ),
            ("[22/Nov/2026:13:29:46 +0000] x", "[<time>] x"),
            ("2026-11-22T13:29:46.123456Z start", "<time> start"),
            ("2026-11-22 13:29:46,123 INFO", "<time> INFO"),
            ("on 2026-11-22.", "on <time>."),
            ("Dec 01, 2026 1:22:15 PM app.Main main", "<time> app.Main main"),
            ("Sun Nov 22 13:29:46 2026 x", "<time> x"),
            ("Sun, 22 Nov 2026 13:29:46 GMT", "<time>"),
            ("{\"at\": 1795354186.25, \"ms\": 1795354186123}", "{\"at\": <time>, \"ms\": <time>}"),
            ("took 12.5ms, then 0.3 s, then 3 seconds", "took <duration>, then <duration>, then <duration>"),
            ("worker 3 [17] pid: 17 process [9]", "worker <pid> [<pid>] pid: <pid> process [<pid>]"),
            ("from 127.0.0.1:48122 to 127.0.0.1:8080", "from 127.0.0.1:<port> to 127.0.0.1:8080"),
            ("<object at 0x7f3a2c10>", "<object at <address>>"),
        ] {
            assert_eq!(normalize(text).0, wanted, "{text}");
        }
    }

    #[test]
    fn the_rest_stays() {
        for text in [
            "{\"version\": \"0.1\"}",
            "status 200",
            "item 17 of 3",
            "2 s",
            "port :8080",
            "0x10",
            "order-1234567890123456789012",
            "12 monkeys",
            "may 12 people",
            "1:22:15 of them",
            "May 12, 2026 people",
            "v2026-11",
            "a1s",
            "µ é 日本 12",
        ] {
            assert_eq!(normalize(text), (text.to_owned(), vec![]), "{text}");
        }
    }

    #[test]
    fn files_lose_only_their_times() {
        assert_eq!(
            shadow_without_days(b"root:*:19000:0:99999:7:::\nann:!:20000:0:\n"),
            b"root:*:*:0:99999:7:::\nann:!:*:0:\n"
        );
        let code = |time: u8, flags: u8| [1, 2, 3, 4, flags, 0, 0, 0, time, 0, 0, 0, 9, 9, 9, 9, 5];
        assert_eq!(bytecode_without_times(&code(7, 0)), bytecode_without_times(&code(8, 0)));
        assert_ne!(bytecode_without_times(&code(7, 1)), bytecode_without_times(&code(8, 1)), "a hash is no time");
        assert_eq!(bytecode_without_times(b"short"), b"short");
    }
}
