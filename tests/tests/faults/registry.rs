//! A registry that does everything wrong.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use plimsoll_runtime::digest::Digest;
use plimsoll_tests::World;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;

/// What it does with a request.
enum Action {
    Reply(&'static str, String, Vec<u8>),
    /// Says nothing, for ever.
    Stall,
    /// Promises as much, sends this, and says no more.
    Half(usize, Vec<u8>),
    /// Sends without end.
    Endless,
}

struct Server {
    address: String,
    /// First lines and headers of requests, in lower case.
    seen: Arc<Mutex<Vec<String>>>,
}

fn serve(act: impl Fn(&str, usize) -> Action + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, act, count) = (Arc::clone(&seen), Arc::new(act), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (log, act, count) = (Arc::clone(&log), Arc::clone(&act), Arc::clone(&count));
            std::thread::spawn(move || while answer(&stream, &log, &*act, &count).is_some() {});
        }
    });
    Server { address, seen }
}

fn answer(
    mut stream: &TcpStream,
    log: &Mutex<Vec<String>>,
    act: &(dyn Fn(&str, usize) -> Action + Send + Sync),
    count: &AtomicUsize,
) -> Option<()> {
    let mut lines = Vec::new();
    // One request at a time: nothing of the next is in this buffer.
    let mut input = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    log.lock().expect("unpoisoned").push(lines.join("\n").to_lowercase());
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    match act(&path, count.fetch_add(1, Ordering::SeqCst)) {
        Action::Reply(status, headers, body) => {
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
            stream.write_all(head.as_bytes()).ok()?;
            stream.write_all(&body).ok()
        }
        Action::Stall => {
            std::thread::sleep(Duration::from_secs(60));
            None
        }
        Action::Half(promised, body) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {promised}\r\n\r\n");
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).ok()?;
            std::thread::sleep(Duration::from_secs(60));
            None
        }
        Action::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").ok()?;
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
            while stream.write_all(chunk.as_bytes()).is_ok() {}
            None
        }
    }
}

fn reply(body: impl Into<Vec<u8>>) -> Action {
    Action::Reply("200 OK", format!("content-type: {MANIFEST}\r\n"), body.into())
}

fn status(status: &'static str) -> Action {
    Action::Reply(status, String::new(), Vec::new())
}

fn descriptor(kind: &str, bytes: &[u8]) -> String {
    format!(r#"{{"mediaType":"{kind}","digest":"{}","size":{}}}"#, Digest::of(bytes), bytes.len())
}

/// A manifest without layers, with this configuration.
fn manifest(config: &str) -> String {
    let config = descriptor("application/vnd.oci.image.config.v1+json", config.as_bytes());
    format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[]}}"#)
}

/// An image as it should be: the manifest by name, the configuration as its only blob.
fn honest(path: &str) -> Action {
    if path.contains("/manifests/") {
        reply(manifest(CONFIG))
    } else if path.contains("/blobs/") {
        reply(CONFIG)
    } else {
        reply("{}")
    }
}

/// Pulls from it within a few seconds and gives what was said.
fn pull(world: &World, server: &Server, code: i32) -> String {
    let start = Instant::now();
    let mut command = world.command();
    command.env("PLIMSOLL_REGISTRY_TIMEOUT", "1").env_remove("HTTPS_PROXY").env_remove("HTTP_PROXY");
    command.args(["pull", "--platform", "linux/amd64"]).arg(format!("{}/a/b:1", server.address));
    let outcome = plimsoll_tests::Outcome::of(&mut command).expect(code);
    assert!(!outcome.stderr.contains("panicked"), "{outcome}");
    assert!(start.elapsed() < Duration::from_secs(25), "{:?}: {outcome}", start.elapsed());
    outcome.stderr.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn whatever_a_registry_does_the_store_is_whole() {
    let world = World::new();
    let refuse = |name: &str, says: &str, act: fn(&str, usize) -> Action| {
        let said = pull(&world, &serve(act), 2);
        assert!(said.contains(says), "{name}: {said}");
        world.run(&["images", "verify"]).expect(0);
        // What came of a blob is gone on with the next time, and is never more than the blob was said to have.
        for left in std::fs::read_dir(world.store().join("tmp")).expect("there").flatten() {
            let is_blob = left.file_name().to_string_lossy().starts_with("blob-");
            assert!(is_blob, "{name} leaves {:?} unfinished", left.file_name());
            let size = left.metadata().expect("still there").len();
            assert!(size <= CONFIG.len() as u64, "{name} leaves {size} bytes");
        }
        assert!(!world.run(&["images"]).expect(0).stdout.contains("a/b"), "{name}");
    };
    refuse("stall", "in time", |_, _| Action::Stall);
    refuse("stall in a blob", "", |path, _| match path.contains("/blobs/") {
        true => Action::Half(CONFIG.len(), CONFIG.as_bytes()[..10].to_vec()),
        false => honest(path),
    });
    refuse("endless manifest", "", |_, _| Action::Endless);
    refuse("endless blob", "", |path, _| if path.contains("/blobs/") { Action::Endless } else { honest(path) });
    refuse("failing", "500", |_, _| status("500 Internal Server Error"));
    refuse("a page", "does not read", |_, _| {
        Action::Reply("200 OK", "content-type: text/html\r\n".to_owned(), b"<html>log in</html>".to_vec())
    });
    refuse("a manifest of something", "is of type", |_, _| {
        reply(manifest(CONFIG).replacen(MANIFEST, "application/vnd.example+json", 1))
    });
    refuse("a manifest of 2015", "2016", |_, _| {
        reply(
            r#"{"schemaVersion":1,"config":{"mediaType":"","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0},"layers":[]}"#,
        )
    });
    refuse("a huge manifest", "", |_, _| reply(vec![b' '; 17 << 20]));
    refuse("negative sizes", "does not read", |_, _| {
        let size = format!(r#""size":{}"#, CONFIG.len());
        reply(manifest(CONFIG).replacen(&size, r#""size":-1"#, 1))
    });
    refuse("a huge configuration", "too large", |_, _| {
        let size = format!(r#""size":{}"#, CONFIG.len());
        reply(manifest(CONFIG).replacen(&size, r#""size":99999999999"#, 1))
    });
    refuse("a configuration that is none", "does not read", |path, _| {
        let absurd = r#"{"architecture":7,"rootfs":[],"history":"none"}"#;
        if path.contains("/blobs/") { reply(absurd) } else { reply(manifest(absurd)) }
    });
    refuse("a configuration with other layers", "different layers", |path, _| {
        let other =
            CONFIG.replace("[]", r#"["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]"#);
        if path.contains("/blobs/") { reply(other) } else { reply(manifest(&other)) }
    });
    refuse("an index in an index in an index", "", |path, _| {
        // The index of depth n names that of depth n - 1 by its true digest; there are a hundred.
        let mut text = manifest(CONFIG);
        let mut all = vec![text.clone()];
        for depth in 0..100 {
            let kind = if depth == 0 { MANIFEST } else { INDEX };
            let entry = descriptor(kind, text.as_bytes()).replacen(
                '{',
                r#"{"platform":{"os":"linux","architecture":"amd64"},"#,
                1,
            );
            text = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{entry}]}}"#);
            all.push(text.clone());
        }
        let wanted = path.rsplit('/').next().unwrap_or_default();
        match all.iter().find(|text| Digest::of(text.as_bytes()).to_string() == wanted) {
            Some(text) => reply(text.clone()),
            None => reply(text),
        }
    });
    refuse("no length, no end of redirects", "", |path, count| {
        if path.contains("/blobs/") {
            Action::Reply("307 Temporary Redirect", format!("location: {path}?{count}\r\n"), Vec::new())
        } else {
            honest(path)
        }
    });
    refuse("a redirect to a file", "", |path, _| match path.contains("/blobs/") {
        true => Action::Reply("307 Temporary Redirect", "location: file:///etc/hostname\r\n".to_owned(), Vec::new()),
        false => honest(path),
    });
    // And the same store pulls from an honest one.
    pull(&world, &serve(|path, _| honest(path)), 0);
    world.run(&["images", "verify"]).expect(0);
}

#[test]
fn a_busy_registry_says_when() {
    let world = World::new();
    let server = serve(|path, count| match count {
        0 => Action::Reply("429 Too Many Requests", "retry-after: 2\r\n".to_owned(), Vec::new()),
        _ => honest(path),
    });
    let start = Instant::now();
    pull(&world, &server, 0);
    assert!(start.elapsed() >= Duration::from_secs(2), "asked again after {:?}", start.elapsed());
}

#[test]
fn credentials_stay_with_their_registry() {
    let world = World::new();
    let other = serve(|_, _| reply(CONFIG));
    let elsewhere = format!("location: http://{}/storage/blob?signed=1\r\n", other.address);
    let server = serve(move |path, _| match path.contains("/blobs/") {
        true => Action::Reply("307 Temporary Redirect", elsewhere.clone(), Vec::new()),
        false => honest(path),
    });
    let host = &server.address;
    world.write("docker/config.json", format!(r#"{{"auths":{{"{host}":{{"auth":"YW5uOnNlY3JldA=="}}}}}}"#));
    let mut command = world.command();
    command.env("DOCKER_CONFIG", world.path().join("docker"));
    command.args(["pull", "--platform", "linux/amd64"]).arg(format!("{host}/a/b:1"));
    plimsoll_tests::Outcome::of(&mut command).expect(0);
    let seen = other.seen.lock().expect("unpoisoned").clone();
    assert!(!seen.is_empty(), "the redirect was followed");
    assert!(seen.iter().all(|request| !request.contains("authorization")), "{seen:?}");
}
