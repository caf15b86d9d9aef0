//! A registry on loopback that keeps what it is given in memory until the test ends.

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::http::Request;
use plimsoll_runtime::digest::Digest;

/// See the module.
#[derive(Debug)]
pub struct Registry {
    address: String,
    shelf: Arc<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    /// Name and password that it wants.
    wanted: Option<String>,
    /// Uploads by number, blobs by digest, manifests by name and by digest.
    kept: Mutex<HashMap<String, Vec<u8>>>,
    /// First lines of requests.
    seen: Mutex<Vec<String>>,
}

impl Registry {
    /// Anybody may push and pull.
    pub fn start() -> Self {
        Self::with(None)
    }

    /// Whoever knows this name and password may.
    pub fn guarded(user: &str, password: &str) -> Self {
        use base64::Engine;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        Self::with(Some(format!("Basic {pair}")))
    }

    fn with(wanted: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound").to_string();
        let shelf = Arc::new(Shelf { wanted, ..Shelf::default() });
        let shared = Arc::clone(&shelf);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shelf = Arc::clone(&shared);
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(&stream);
                    while answer(&mut reader, &stream, &shelf).is_some() {}
                });
            }
        });
        Self { address, shelf }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// First lines of the requests so far.
    pub fn seen(&self) -> Vec<String> {
        self.shelf.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One request; nothing when the other side is gone.
fn answer(reader: &mut BufReader<&TcpStream>, mut stream: &TcpStream, shelf: &Shelf) -> Option<()> {
    let request = Request::read(reader)?;
    let (method, authorization) = (request.method.as_str(), request.header("authorization"));
    let range = match request.header("range") {
        Some(range) => range.strip_prefix("bytes=")?.trim_end_matches('-').parse::<usize>().ok(),
        None => None,
    };
    shelf.seen.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{method} {} HTTP/1.1", request.target));
    let (path, query) = request.path_and_query();
    let body = &request.body;
    let mut kept = shelf.kept.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, headers, content) = if shelf.wanted.is_some() && shelf.wanted.as_deref() != authorization {
        ("401 Unauthorized", "WWW-Authenticate: Basic realm=\"here\"\r\n".to_owned(), Vec::new())
    } else if path == "/v2/" {
        ("200 OK", String::new(), b"{}".to_vec())
    } else if method == "POST" {
        let location = format!("{path}{}", kept.len());
        kept.insert(location.clone(), Vec::new());
        ("202 Accepted", format!("Location: {location}\r\n"), Vec::new())
    } else if method == "PATCH" {
        kept.get_mut(path)?.extend(body);
        ("202 Accepted", format!("Location: {path}\r\n"), Vec::new())
    } else if method == "PUT" && path.contains("/uploads/") {
        let mut bytes = kept.remove(path)?;
        bytes.extend(body);
        let wanted = query.rsplit_once("digest=")?.1.replace("%3A", ":");
        let is_right = Digest::of(&bytes).to_string() == wanted;
        kept.insert(wanted, bytes);
        (if is_right { "201 Created" } else { "400 Bad Request" }, String::new(), Vec::new())
    } else if method == "PUT" {
        let digest = Digest::of(body).to_string();
        let (above, _) = path.rsplit_once('/')?;
        kept.insert(format!("{above}/{digest}"), body.clone());
        kept.insert(path.to_owned(), body.clone());
        ("201 Created", format!("Docker-Content-Digest: {digest}\r\n"), Vec::new())
    } else {
        let key = if path.contains("/blobs/") { path.rsplit_once('/')?.1 } else { path };
        match kept.get(key) {
            None => ("404 Not Found", String::new(), Vec::new()),
            Some(bytes) => {
                let kind = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";
                let digest = format!("{kind}Docker-Content-Digest: {}\r\n", Digest::of(bytes));
                match range.and_then(|from| bytes.get(from..)) {
                    Some(rest) => ("206 Partial Content", digest, rest.to_vec()),
                    None => ("200 OK", digest, bytes.clone()),
                }
            }
        }
    };
    drop(kept);
    write!(stream, "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", content.len()).ok()?;
    if method != "HEAD" {
        stream.write_all(&content).ok()?;
    }
    stream.flush().ok()
}
