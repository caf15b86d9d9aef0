//! ADD of an address.

use std::fs::File;
use std::io::{self, Read, Write};
use std::time::Duration;

use crate::digest::{Digest, Hasher};
use crate::plan::CopyAction;
use crate::store::Store;

/// Something that was fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The last part of its path.
    pub(super) name: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) mtime: i64,
    /// Its bytes; nobody else sees this file.
    pub(super) file: File,
}

/// The largest thing that is fetched.
const MAX_SIZE: u64 = 64 << 30;

/// Whether a source of ADD is an address.
pub(super) fn is_remote(source: &str) -> bool {
    is_http(source) || crate::git::parse(source).is_some()
}

fn is_http(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// What asks a server: one that stops answering is not waited for without end.
pub(super) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .build()
        .into()
}

/// Fetches it.
pub(super) fn fetch(source: &str, action: &CopyAction, store: &Store) -> Result<Fetched, String> {
    let name = file_name(source);
    let mut response = agent().get(source).call().map_err(|error| error.to_string())?;
    let modified = response.headers().get("last-modified").and_then(|value| value.to_str().ok()).and_then(http_date);
    let io = |error: io::Error| error.to_string();
    let scratch = store.scratch().map_err(|error| error.to_string())?;
    let mut file =
        File::options().read(true).write(true).create_new(true).open(scratch.path().join("fetched")).map_err(io)?;
    let mut body = response.body_mut().as_reader().take(MAX_SIZE + 1);
    let mut hasher = Hasher::new();
    let mut size = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = body.read(&mut buffer).map_err(io)?;
        if count == 0 {
            break;
        }
        let piece = buffer.get(..count).unwrap_or_default();
        hasher.update(piece);
        file.write_all(piece).map_err(io)?;
        size += count as u64;
    }
    if size > MAX_SIZE {
        return Err(format!("it is larger than {MAX_SIZE} bytes"));
    }
    let digest = hasher.finish();
    if let Some(wanted) = &action.checksum
        && *wanted != digest.to_string()
    {
        return Err(format!("its digest is {digest}, and --checksum says {wanted}"));
    }
    Ok(Fetched { name, digest, size, mtime: modified.unwrap_or(0), file })
}

/// What the file is called in a directory: the last part of the address's path, its escapes read.
fn file_name(source: &str) -> String {
    let path = source.split(['?', '#']).next().unwrap_or(source);
    let after_host = path.split_once("://").map_or(path, |(_, rest)| rest);
    let path = after_host.split_once('/').map_or("", |(_, path)| path);
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| after.get(..2)).flatten();
        let read = escaped.and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        bytes.push(read.unwrap_or(*first));
        rest = if read.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    let path = String::from_utf8_lossy(&bytes);
    match path.trim_end_matches('/').rsplit('/').next() {
        None | Some("" | "." | "..") => "__unnamed__".to_owned(),
        Some(name) => name.to_owned(),
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` as seconds since 1970.
fn http_date(text: &str) -> Option<i64> {
    let mut words = text.split_once(", ")?.1.split(' ');
    let day: i64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = i64::try_from(months.iter().position(|known| *known == month)?).ok()? + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    // Years that begin in March, so that the leap day is the last of its year.
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let shifted_month = (month + 9) % 12;
    let days = 365 * shifted_year + shifted_year.div_euclid(4) - shifted_year.div_euclid(100)
        + shifted_year.div_euclid(400)
        + (shifted_month * 306 + 5) / 10
        + day
        - 1
        - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_of_addresses() {
        for (address, name) in [
            ("http://h/a/b.txt?x=1#y", "b.txt"),
            ("http://h/d/", "d"),
            ("http://h/a%20b", "a b"),
            ("http://h/a%2", "a%2"),
            ("http://h/", "__unnamed__"),
            ("http://h", "__unnamed__"),
        ] {
            assert_eq!(super::file_name(address), name, "{address}");
        }
    }

    #[test]
    fn dates_of_servers() {
        assert_eq!(super::http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(super::http_date("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800));
        assert_eq!(super::http_date("yesterday"), None);
    }
}
