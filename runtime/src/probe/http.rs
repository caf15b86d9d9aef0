//! A small HTTP/1.1 client over any stream: one request, one answer, bounded.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};

use super::HttpAnswer;

/// The longest head and body that are read.
const LONGEST_HEAD: u64 = 64 << 10;
const LONGEST_BODY: u64 = 64 << 20;

/// Why an answer was not understood.
#[derive(Debug)]
pub(super) enum HttpError {
    Io(std::io::Error),
    Malformed(&'static str),
}

impl From<std::io::Error> for HttpError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) headers: &'a [(String, String)],
    pub(super) body: Option<&'a str>,
}

impl Request<'_> {
    fn bytes(&self) -> Vec<u8> {
        let has = |name: &str| self.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
        let path = if self.path.is_empty() { "/" } else { self.path };
        let mut text = format!("{} {path} HTTP/1.1\r\n", self.method);
        let mut add = |name: &str, value: &str| {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
            text.push_str("\r\n");
        };
        if !has("host") {
            add("Host", self.host);
        }
        if !has("user-agent") {
            add("User-Agent", concat!("plimsoll/", env!("CARGO_PKG_VERSION")));
        }
        if !has("accept") {
            add("Accept", "*/*");
        }
        add("Connection", "close");
        if let Some(body) = self.body.filter(|_| !has("content-length")) {
            if !has("content-type") {
                // What people send by hand is nearly always one of these.
                let json = body.trim_start().starts_with(['{', '[']);
                add("Content-Type", if json { "application/json" } else { "application/x-www-form-urlencoded" });
            }
            add("Content-Length", &body.len().to_string());
        }
        for (name, value) in self.headers {
            add(name, value);
        }
        text.push_str("\r\n");
        text.push_str(self.body.unwrap_or_default());
        text.into_bytes()
    }
}

/// Sends the request and reads the answer, informational ones skipped.
pub(super) fn exchange<S: Read + Write>(mut stream: S, request: Request<'_>) -> Result<HttpAnswer, HttpError> {
    stream.write_all(&request.bytes())?;
    stream.flush()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (status, headers) = read_head(&mut reader)?;
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        let bodiless = request.method.eq_ignore_ascii_case("HEAD") || matches!(status, 101 | 204 | 304);
        let body = if bodiless { Vec::new() } else { read_body(&mut reader, &headers)? };
        return Ok(HttpAnswer { status, headers, body });
    }
}

fn line<R: BufRead>(reader: &mut R, longest: u64) -> Result<String, HttpError> {
    let mut bytes = Vec::new();
    reader.by_ref().take(longest).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return Err(HttpError::Malformed(if bytes.is_empty() {
            "it ends early"
        } else {
            "a line is too long or cut off"
        }));
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read_head<R: BufRead>(reader: &mut R) -> Result<(u16, BTreeMap<String, String>), HttpError> {
    let start = line(reader, LONGEST_HEAD)?;
    let mut words = start.split_whitespace();
    if !words.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Err(HttpError::Malformed("it is no HTTP/1 answer"));
    }
    let status = words.next().and_then(|status| status.parse().ok()).filter(|status| (100..1000).contains(status));
    let status = status.ok_or(HttpError::Malformed("it has no status"))?;
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    let mut left = LONGEST_HEAD;
    loop {
        let header = line(reader, left)?;
        if header.is_empty() {
            return Ok((status, headers));
        }
        left = left.saturating_sub(header.len() as u64 + 2);
        let (name, value) = header.split_once(':').ok_or(HttpError::Malformed("a header has no colon"))?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        headers
            .entry(name)
            .and_modify(|known| {
                known.push_str(", ");
                known.push_str(value);
            })
            .or_insert_with(|| value.to_owned());
    }
}

fn read_body<R: BufRead>(reader: &mut R, headers: &BTreeMap<String, String>) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    let chunked =
        headers.get("transfer-encoding").is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked"));
    if chunked {
        loop {
            let size = line(reader, LONGEST_HEAD)?;
            let size = size.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).map_err(|_| HttpError::Malformed("a chunk has no size"))?;
            if size == 0 {
                while !line(reader, LONGEST_HEAD)?.is_empty() {}
                return Ok(body);
            }
            if size > LONGEST_BODY - body.len() as u64 {
                return Err(HttpError::Malformed("its body is too long"));
            }
            exactly(reader, size, &mut body)?;
            if !line(reader, LONGEST_HEAD)?.is_empty() {
                return Err(HttpError::Malformed("a chunk is longer than its size"));
            }
        }
    }
    if let Some(length) = headers.get("content-length") {
        let length: u64 = length.parse().map_err(|_| HttpError::Malformed("its content length is no number"))?;
        if length > LONGEST_BODY {
            return Err(HttpError::Malformed("its body is too long"));
        }
        exactly(reader, length, &mut body)?;
        return Ok(body);
    }
    reader.take(LONGEST_BODY + 1).read_to_end(&mut body)?;
    if body.len() as u64 > LONGEST_BODY {
        return Err(HttpError::Malformed("its body is too long"));
    }
    Ok(body)
}

fn exactly<R: BufRead>(reader: &mut R, length: u64, body: &mut Vec<u8>) -> Result<(), HttpError> {
    let read = reader.by_ref().take(length).read_to_end(body)?;
    if read as u64 == length { Ok(()) } else { Err(HttpError::Malformed("its body is cut off")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    struct Peer {
        answer: Cursor<Vec<u8>>,
        sent: Vec<u8>,
    }

    impl Read for Peer {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let most = buffer.len().min(3);
            self.answer.read(&mut buffer[..most])
        }
    }

    impl Write for Peer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.sent.write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn ask(answer: &str) -> Result<HttpAnswer, HttpError> {
        let mut peer = Peer { answer: Cursor::new(answer.as_bytes().to_vec()), sent: Vec::new() };
        exchange(&mut peer, Request { method: "GET", host: "localhost:8080", path: "/x", headers: &[], body: None })
    }

    #[test]
    fn bodies_of_every_kind() {
        let length = ask("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\r\nx: b\r\n\r\nhellorest").unwrap();
        assert_eq!((length.status, length.body.as_slice(), length.header("x")), (200, &b"hello"[..], Some("a, b")));
        let chunked = ask(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 C\r\nTransfer-Encoding: chunked\r\n\r\n3;q=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n",
        );
        assert_eq!(chunked.unwrap().body, b"abc0123456789");
        let closed = ask("HTTP/1.0 200 OK\n\nuntil the end").unwrap();
        assert_eq!(closed.body, b"until the end");
        assert_eq!(ask("HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n").unwrap().body, b"");
    }

    #[test]
    fn broken_answers_are_told() {
        for (answer, problem) in [
            ("", "it ends early"),
            ("SSH-2.0\r\n", "it is no HTTP/1 answer"),
            ("HTTP/1.1 x\r\n\r\n", "it has no status"),
            ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "a header has no colon"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", "its body is cut off"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "its body is too long"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "a chunk has no size"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "its body is too long"),
        ] {
            match ask(answer) {
                Err(HttpError::Malformed(told)) => assert_eq!(told, problem, "{answer:?}"),
                other => panic!("{answer:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_request_is_plain() {
        let mut peer =
            Peer { answer: Cursor::new(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()), sent: Vec::new() };
        let headers = [("X-Key".to_owned(), "v".to_owned()), ("accept".to_owned(), "text/html".to_owned())];
        exchange(
            &mut peer,
            Request {
                method: "POST",
                host: "localhost:1",
                path: "/items?q=1",
                headers: &headers,
                body: Some("{\"a\":1}"),
            },
        )
        .unwrap();
        let sent = String::from_utf8(peer.sent).unwrap();
        assert!(sent.starts_with("POST /items?q=1 HTTP/1.1\r\nHost: localhost:1\r\n"), "{sent}");
        assert!(sent.contains("Content-Type: application/json\r\nContent-Length: 7\r\n"), "{sent}");
        assert!(sent.contains("X-Key: v\r\naccept: text/html\r\n\r\n{\"a\":1}"), "{sent}");
        assert!(!sent.contains("Accept: */*"), "{sent}");
    }
}
