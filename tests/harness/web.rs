//! A web server on loopback for what a build fetches.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;

use crate::http::Request;

/// Serves what it was given until the test ends.
#[derive(Debug)]
pub struct Web {
    address: String,
}

/// A path's answer: status, further headers, bytes.
pub type Page = (&'static str, String, Vec<u8>);

impl Web {
    /// Starts it. A path is everything from the slash on, the query too.
    pub fn start(pages: BTreeMap<String, Page>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound").to_string();
        let pages = Arc::new(pages);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let pages = Arc::clone(&pages);
                std::thread::spawn(move || {
                    let request = Request::read(&mut BufReader::new(&stream))?;
                    let missing = ("404 Not Found", String::new(), Vec::new());
                    let (status, headers, bytes) = pages.get(&request.target).unwrap_or(&missing);
                    let length = bytes.len();
                    let head =
                        format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n");
                    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(bytes)).ok()
                });
            }
        });
        Self { address }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}
