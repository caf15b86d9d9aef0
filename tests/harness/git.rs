//! A repository of git behind HTTP, served by git's own program on loopback.

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::http::Request;

/// Serves every repository below a folder until the test ends.
#[derive(Debug)]
pub struct GitServer {
    address: String,
}

impl GitServer {
    /// Starts it; a reason if this machine has no git that can.
    pub fn start(root: &Path) -> Result<Self, String> {
        let path = Command::new("git").arg("--exec-path").output().map_err(|_| "git is not installed".to_owned())?;
        let backend = PathBuf::from(String::from_utf8_lossy(&path.stdout).trim()).join("git-http-backend");
        if !backend.is_file() {
            return Err("git has no http-backend here".to_owned());
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound").to_string();
        let root = root.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (backend, root) = (backend.clone(), root.clone());
                std::thread::spawn(move || answer(&stream, &backend, &root));
            }
        });
        Ok(Self { address })
    }

    /// The address of a repository.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }
}

/// One request, by the rules of CGI.
fn answer(stream: &TcpStream, backend: &Path, root: &Path) -> Option<()> {
    let request = Request::read(&mut BufReader::new(stream))?;
    let (path, query) = request.path_and_query();
    let mut command = Command::new(backend);
    command.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1").env("REQUEST_METHOD", &request.method);
    command.env("PATH_INFO", path).env("QUERY_STRING", query).env("GIT_CONFIG_GLOBAL", "/dev/null");
    for (header, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ] {
        if let Some(value) = request.header(header) {
            command.env(variable, value);
        }
    }
    let body = request.body;
    command.env("CONTENT_LENGTH", body.len().to_string());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut stdin = child.stdin.take()?;
    let writer = std::thread::spawn(move || stdin.write_all(&body));
    let output = child.wait_with_output().ok()?.stdout;
    let _ = writer.join();
    let end = output.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        output.len() - end - 4
    )
    .ok()?;
    stream.write_all(&output[end + 4..]).ok()
}

/// Runs git in a folder, as somebody, at a fixed time; gives what it printed.
#[track_caller]
pub fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "protocol.file.allow=always"]).args(args);
    for (name, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "a"),
        ("GIT_AUTHOR_EMAIL", "a@b"),
        ("GIT_COMMITTER_NAME", "a"),
        ("GIT_COMMITTER_EMAIL", "a@b"),
        ("GIT_AUTHOR_DATE", "1700000000 +0000"),
        ("GIT_COMMITTER_DATE", "1700000000 +0000"),
    ] {
        command.env(name, value);
    }
    Outcome::of(&mut command).expect(0).stdout.trim().to_owned()
}
