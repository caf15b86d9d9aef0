//! Values with a grammar of their own: modes, signals, ports, remote sources, digests.

/// Whether `--chmod` takes a value: octal up to 07777, or symbolic as chmod(1) does.
pub(super) fn is_mode(text: &str) -> bool {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return u32::from_str_radix(text, 8).is_ok_and(|mode| mode <= 0o7777);
    }
    text.split(',').all(|clause| {
        let operators = clause.trim_start_matches(['u', 'g', 'o', 'a']);
        operators.starts_with(['+', '-', '='])
            && operators
                .chars()
                .all(|c| matches!(c, '+' | '-' | '=' | 'r' | 'w' | 'x' | 'X' | 's' | 't' | 'u' | 'g' | 'o'))
    })
}

/// Names of signals on Linux, without SIG.
const SIGNALS: [&str; 36] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
    "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1",
    "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
];

/// Whether STOPSIGNAL takes a value: a number but 0, or a signal's name with or without SIG.
pub(super) fn is_signal(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<i64>().is_ok_and(|number| number != 0);
    }
    let name = text.to_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let offset = |rest: &str, most: u8| rest.parse::<u8>().is_ok_and(|number| (1..=most).contains(&number));
    match (name.strip_prefix("RTMIN+"), name.strip_prefix("RTMAX-")) {
        (Some(rest), _) => offset(rest, 15),
        (_, Some(rest)) => offset(rest, 14),
        _ => SIGNALS.contains(&name),
    }
}

/// Whether a source is fetched with HTTP.
pub(super) fn is_url(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// Whether a source is a git repository: `git://`, `ssh://`, `user@host:path`, or a URL whose path ends with `.git`.
pub(super) fn is_git(source: &str) -> bool {
    if is_url(source) {
        let path = source.split(['#', '?']).next().unwrap_or_default();
        return path.ends_with(".git");
    }
    if source.starts_with("git://") || source.starts_with("ssh://") {
        return true;
    }
    source.strip_prefix("git@").and_then(|rest| rest.split_once(':')).is_some_and(|(host, path)| {
        !host.is_empty() && !path.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    })
}

/// Whether an absolute path is the root itself, written in whatever way.
pub(super) fn is_root(path: &str) -> bool {
    let mut depth = 0_usize;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => depth = depth.saturating_sub(1),
            _ => depth += 1,
        }
    }
    path.starts_with('/') && depth == 0
}

/// What is wrong with a checksum.
pub(super) fn bad_digest(digest: &str) -> Option<&'static str> {
    let format = Some("invalid checksum digest format");
    let Some((algorithm, digits)) =
        digest.split_once(':').filter(|(name, digits)| !name.is_empty() && !digits.is_empty())
    else {
        return format;
    };
    let len = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return Some("unsupported digest algorithm"),
    };
    if digits.len() != len {
        return Some("invalid checksum digest length");
    }
    format.filter(|_| !digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

/// What is wrong with a port of EXPOSE: `[[address:]host:]port[-last][/protocol]`.
pub(super) fn port(text: &str) -> Result<(), String> {
    let (rest, container) = text.rsplit_once(':').map_or(("", text), |(rest, container)| (rest, container));
    let (address, host) = rest.rsplit_once(':').map_or(("", rest), |(address, host)| (address, host));
    let (range, protocol) = container.split_once('/').unwrap_or((container, ""));
    if range.is_empty() {
        return Err(format!("no port specified: {container}<empty>"));
    }
    if !["", "tcp", "udp", "sctp"].iter().any(|known| known.eq_ignore_ascii_case(protocol)) {
        return Err(format!("invalid proto: {}", protocol.to_lowercase()));
    }
    let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
    if !bare.is_empty() && bare.parse::<std::net::IpAddr>().is_err() {
        return Err(format!("invalid IP address: {bare}"));
    }
    let Some((first, last)) = ports(range) else { return Err(format!("invalid containerPort: {range}")) };
    if host.is_empty() {
        return Ok(());
    }
    let Some((host_first, host_last)) = ports(host) else { return Err(format!("invalid hostPort: {host}")) };
    if last - first != host_last - host_first && first != last {
        return Err(format!("invalid ranges specified for container and host Ports: {range} and {host}"));
    }
    Ok(())
}

fn ports(range: &str) -> Option<(u16, u16)> {
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok()).flatten();
    let (first, last) = match range.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(range)?, number(range)?),
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for mode in ["644", "0755", "07777", "u=rwX,go=rX", "+x", "a-w", "g=u"] {
            assert!(is_mode(mode), "{mode}");
        }
        for mode in ["64a", "10000", "999", "u", "rwx", "u=z"] {
            assert!(!is_mode(mode), "{mode}");
        }
    }

    #[test]
    fn signals() {
        for signal in ["SIGTERM", "term", "9", "SIGRTMIN+3", "RTMAX-14"] {
            assert!(is_signal(signal), "{signal}");
        }
        for signal in ["0", "SIGFOO", "RTMIN+16", ""] {
            assert!(!is_signal(signal), "{signal}");
        }
    }

    #[test]
    fn ports_of_expose() {
        for port_text in ["80", "80/tcp", "80/UDP", "8000-8010", "127.0.0.1:80:80", "8080:80", "[::1]:80:80"] {
            assert_eq!(port(port_text), Ok(()), "{port_text}");
        }
        assert_eq!(port("80/ip"), Err("invalid proto: ip".to_owned()));
        assert_eq!(port("x"), Err("invalid containerPort: x".to_owned()));
        assert_eq!(port("/tcp"), Err("no port specified: /tcp<empty>".to_owned()));
        assert_eq!(port("90-80"), Err("invalid containerPort: 90-80".to_owned()));
        assert_eq!(port("70000"), Err("invalid containerPort: 70000".to_owned()));
    }

    #[test]
    fn remote_sources() {
        assert!(is_url("https://example.org/a.tar"));
        for git in ["https://example.org/a.git#v1", "git@example.org:a/b.git", "ssh://git@h/a", "git://h/a"] {
            assert!(is_git(git), "{git}");
        }
        assert!(!is_git("git@example.org"));
        assert!(!is_git("https://example.org/a"));
    }
}
