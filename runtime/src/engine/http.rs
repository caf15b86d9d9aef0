//! Just enough HTTP for the API of an engine: one request a connection, bodies in chunks.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A socket of this machine.
    Unix(PathBuf),
    /// Host and port, without TLS.
    Tcp(String),
}

/// The longest line of a head, and the most lines.
const MAX_LINE: u64 = 64 << 10;
const MAX_LINES: usize = 200;

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(host) => write!(f, "tcp://{host}"),
        }
    }
}

trait Connection: Read + Write + Send {}
impl<T: Read + Write + Send> Connection for T {}

/// Writes what goes with a request.
pub(super) type Fill<'f> = dyn FnMut(&mut dyn Write) -> io::Result<()> + 'f;

/// An answer.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: Box<dyn BufRead + Send>,
}

/// Sends a request; `body` writes what goes with it.
pub(super) fn request(
    address: &Address,
    method: &str,
    target: &str,
    content_type: &str,
    body: Option<&mut Fill<'_>>,
) -> io::Result<Response> {
    let mut connection: Box<dyn Connection> = match address {
        Address::Unix(path) => Box::new(UnixStream::connect(path)?),
        Address::Tcp(host) => Box::new(TcpStream::connect(host)?),
    };
    write!(
        connection,
        "{method} {target} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Type: {content_type}\r\n"
    )?;
    match body {
        None => connection.write_all(b"Content-Length: 0\r\n\r\n")?,
        Some(fill) => {
            connection.write_all(b"Transfer-Encoding: chunked\r\n\r\n")?;
            let mut chunks = Chunks { out: &mut connection, buffer: Vec::with_capacity(CHUNK) };
            match fill(&mut chunks).and_then(|()| chunks.finish()) {
                // It may have said why before it hung up.
                Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {}
                done => done?,
            }
        }
    }
    connection.flush()?;
    read_head(BufReader::new(connection))
}

fn read_head(mut reader: BufReader<Box<dyn Connection>>) -> io::Result<Response> {
    let wrong =
        |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the engine's answer is no HTTP: {what}"));
    let first = line(&mut reader)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| wrong(&first))?;
    let (mut chunked, mut length) = (false, None);
    for _ in 0..MAX_LINES {
        let header = line(&mut reader)?;
        if header.is_empty() {
            let body: Box<dyn BufRead + Send> = match length {
                _ if chunked => Box::new(BufReader::new(Unchunk { inner: reader, left: 0, ended: false })),
                Some(length) => Box::new(reader.take(length)),
                None => Box::new(reader),
            };
            return Ok(Response { status, body });
        }
        let Some((name, value)) = header.split_once(':') else { return Err(wrong(&header)) };
        match name.to_ascii_lowercase().as_str() {
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            "content-length" => length = Some(value.trim().parse().map_err(|_| wrong(&header))?),
            _ => {}
        }
    }
    Err(wrong("its head has no end"))
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

const CHUNK: usize = 64 << 10;

/// A body in chunks.
struct Chunks<'o> {
    out: &'o mut dyn Connection,
    buffer: Vec<u8>,
}

impl Chunks<'_> {
    fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        self.out.write_all(b"0\r\n\r\n")
    }
}

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            write!(self.out, "{:x}\r\n", self.buffer.len())?;
            self.out.write_all(&self.buffer)?;
            self.out.write_all(b"\r\n")?;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// The body that came in chunks.
struct Unchunk<R> {
    inner: R,
    left: u64,
    ended: bool,
}

impl<R: BufRead> Read for Unchunk<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            let size = line(&mut self.inner)?;
            let digits = size.split(';').next().unwrap_or_default().trim();
            self.left = u64::from_str_radix(digits, 16)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("`{size}` is no size of a chunk")))?;
            if self.left == 0 {
                self.ended = true;
                return Ok(0);
            }
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.inner.read(buffer.get_mut(..room).unwrap_or_default())?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        if self.left == 0 {
            line(&mut self.inner)?;
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_and_go() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let mut ours: Box<dyn Connection> = Box::new(ours);
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let copy = text.clone();
        let writer = std::thread::spawn(move || {
            let mut chunks = Chunks { out: &mut *ours, buffer: Vec::new() };
            chunks.write_all(&copy).and_then(|()| chunks.finish())
        });
        let mut read = Vec::new();
        let mut body = Unchunk { inner: BufReader::new(theirs), left: 0, ended: false };
        body.read_to_end(&mut read).expect("well formed");
        writer.join().expect("no panic").expect("written");
        assert_eq!(read, text);
        for wrong in ["zz\r\n", "5\r\nab", "5", "ffffffffffffffffff\r\n"] {
            let mut body = Unchunk { inner: wrong.as_bytes(), left: 0, ended: false };
            assert!(body.read_to_end(&mut Vec::new()).is_err(), "{wrong}");
        }
    }
}
