use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::digest::Digest;
use crate::export::{Format, Named, export};
use crate::image::{BlobRef, Image, ImageConfig, Platform, media};
use crate::layer::{Compression, Entry, Kind};
use crate::snapshot::{CommitOptions, SnapshotError, Snapshots};
use crate::store::{Store, StoreError};

fn store(dir: &Path, name: &str) -> Store {
    Store::open(dir.join(name)).expect("a store")
}

fn image(store: &Store) -> Image {
    let snapshots = Snapshots::new(store).expect("snapshots");
    let layer = snapshots.commit_tar::<SnapshotError>(&[], &CommitOptions::default(), |tar| {
        let entry = Entry { path: b"f", kind: Kind::Dir, mode: 0o644, uid: 0, gid: 0, mtime: 7, xattrs: &[] };
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(|at| (at.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
        Ok(tar.file(&entry, &bytes)?)
    });
    let layers = vec![layer.expect("a layer")];
    let config = ImageConfig { os: "linux".to_owned(), architecture: "amd64".to_owned(), ..ImageConfig::default() };
    store.put_image(&config, &layers, &BTreeMap::new()).expect("an image")
}

fn platform() -> PullOptions {
    PullOptions { platform: Platform::parse("linux/amd64").expect("a platform"), mirrors: Vec::new() }
}

/// What the small registry does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// Breaks off in the middle of a blob, the first two times.
    Cuts,
    /// The same, and ignores ranges.
    CutsAndForgets,
    /// Gives blobs with one byte changed.
    WrongBytes,
    /// Gives blobs with a byte more.
    TooLong,
    /// Gives manifests that are not what their digest says.
    WrongManifest,
    /// Gives an index that names itself.
    Cycle,
    /// Never has enough of tokens.
    Denies,
    /// Fails twice before each answer.
    Busy,
}

struct Small {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

/// A registry of a few lines: serves an OCI layout's blobs over HTTP/1.1, asks for a token, and misbehaves.
fn small(layout: &Path, fault: Fault) -> Small {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (layout, seen, own) = (layout.to_owned(), Arc::clone(&requests), address.clone());
    let faults = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (layout, seen, own, faults) = (layout.clone(), Arc::clone(&seen), own.clone(), Arc::clone(&faults));
            std::thread::spawn(move || {
                let mut input = BufReader::new(stream.try_clone().expect("a stream"));
                while one(&mut input, stream.try_clone().expect("a stream"), &layout, &seen, &own, fault, &faults) {}
            });
        }
    });
    Small { address, requests }
}

fn one(
    input: &mut BufReader<TcpStream>,
    mut output: TcpStream,
    layout: &Path,
    seen: &Mutex<Vec<String>>,
    own: &str,
    fault: Fault,
    faults: &AtomicUsize,
) -> bool {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).unwrap_or(0) == 0 {
            return false;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let found = head.iter().find(|line| line.to_ascii_lowercase().starts_with(name));
        found.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned())
    };
    let path = head[0].split(' ').nth(1).unwrap_or_default().to_owned();
    let range = header("range:");
    seen.lock().expect("unpoisoned").push(format!("{path} {}", range.clone().unwrap_or_default()));
    let wants_body = !head[0].starts_with("HEAD ");
    let mut answer = |status: &str, headers: &str, body: &[u8]| {
        let _ = write!(output, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        output.write_all(if wants_body { body } else { b"" }).is_ok()
    };
    if path.starts_with("/token") {
        assert!(path.contains("scope=repository%3Aa%2Fb%3Apull"), "{path}");
        return answer("200 OK", "", br#"{"token":"good"}"#);
    }
    if header("authorization:").as_deref() != Some("Bearer good") || fault == Fault::Denies {
        let challenge = format!("www-authenticate: Bearer realm=\"http://{own}/token\",service=\"s\"\r\n");
        return answer("401 Unauthorized", &challenge, br#"{"errors":[{"message":"who are you?"}]}"#);
    }
    if fault == Fault::Busy && faults.fetch_add(1, Ordering::Relaxed) % 3 != 2 {
        return answer("503 Service Unavailable", "", b"");
    }
    if let Some(selector) = path.strip_prefix("/v2/a/b/manifests/") {
        let index: crate::image::Index =
            serde_json::from_slice(&std::fs::read(layout.join("index.json")).expect("an index")).expect("an index");
        let digest = index.manifests[0].digest;
        if selector == "missing" {
            return answer("404 Not Found", "", br#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#);
        }
        if fault == Fault::Cycle {
            let of = selector.parse::<Digest>().unwrap_or(digest);
            let text = format!(
                r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{of}","size":9,
                    "platform":{{"os":"linux","architecture":"amd64"}}}}]}}"#,
                media::INDEX,
                media::INDEX
            );
            return answer("200 OK", "", text.as_bytes());
        }
        let mut bytes = std::fs::read(layout.join("blobs/sha256").join(digest.hex())).expect("a manifest");
        if fault == Fault::WrongManifest {
            bytes.push(b'\n');
        }
        let headers = format!("content-type: {}\r\ndocker-content-digest: {digest}\r\n", media::MANIFEST);
        return answer("200 OK", &headers, &bytes);
    }
    let hex = path.strip_prefix("/v2/a/b/blobs/sha256:").unwrap_or_default();
    let Ok(mut bytes) = std::fs::read(layout.join("blobs/sha256").join(hex)) else {
        return answer("404 Not Found", "", b"");
    };
    if bytes.len() > 10_000 {
        match fault {
            Fault::WrongBytes => bytes[5000] ^= 1,
            Fault::TooLong => bytes.push(0),
            _ => {}
        }
    }
    let start = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let start = start.filter(|_| fault != Fault::CutsAndForgets).unwrap_or(0);
    let status = if start > 0 { "206 Partial Content" } else { "200 OK" };
    let rest = &bytes[start..];
    let cuts = matches!(fault, Fault::Cuts | Fault::CutsAndForgets);
    if cuts && rest.len() > 10_000 && faults.fetch_add(1, Ordering::Relaxed) < 2 {
        let _ = write!(output, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", rest.len());
        let _ = output.write_all(&rest[..rest.len() / 2]);
        let _ = output.shutdown(std::net::Shutdown::Both);
        return false;
    }
    answer(status, "", rest)
}

/// Pulls from a registry with this fault; its image, and what was asked.
fn try_pull(fault: Fault) -> (Result<Image, RegistryError>, Image, Vec<String>, Store, tempfile::TempDir) {
    try_pull_after(fault, |_, _| {})
}

/// The same into a store where `before` has been: it gets the largest blob's digest and bytes.
fn try_pull_after(
    fault: Fault,
    before: impl FnOnce(&Store, (BlobRef, Vec<u8>)),
) -> (Result<Image, RegistryError>, Image, Vec<String>, Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let source = store(dir.path(), "source");
    let original = image(&source);
    let named = [Named { image: &original, references: vec!["x".to_owned()] }];
    let layout = dir.path().join("layout");
    let options = crate::export::ExportOptions {
        format: Format::OciDirectory,
        compression: Some(Compression::Gzip),
        level: None,
    };
    export(&source, &named, &options, &layout).expect("exported");
    let small = small(&layout, fault);
    let into = store(dir.path(), "into");
    let blobs =
        std::fs::read_dir(layout.join("blobs/sha256")).expect("a layout").map(|blob| blob.expect("a blob").path());
    let largest = blobs.map(|path| std::fs::read(path).expect("a blob")).max_by_key(Vec::len).expect("blobs");
    before(&into, (BlobRef { digest: Digest::of(&largest), size: largest.len() as u64 }, largest));
    let result = pull(&format!("{}/a/b:1", small.address), &into, &platform(), &());
    let requests = small.requests.lock().expect("unpoisoned").clone();
    (result, original, requests, into, dir)
}

#[test]
fn an_image_arrives_whole_and_once() {
    let (result, original, requests, into, _dir) = try_pull(Fault::Nothing);
    let pulled = result.expect("pulled");
    assert_eq!(pulled.config, original.config);
    assert_eq!(pulled.layers[0].diff_id, original.layers[0].diff_id);
    assert_eq!(pulled.size(), original.size());
    let tokens = requests.iter().filter(|request| request.starts_with("/token")).count();
    assert_eq!(tokens, 1, "{requests:?}");
    assert_eq!(into.list().expect("names").len(), 1);
    assert_eq!(into.verify().expect("verified").problems, []);
}

#[test]
fn whether_an_image_is_there_is_asked_without_fetching_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = store(dir.path(), "source");
    let original = image(&source);
    let layout = dir.path().join("layout");
    let options = crate::export::ExportOptions { format: Format::OciDirectory, compression: None, level: None };
    let named = [Named { image: &original, references: vec!["x".to_owned()] }];
    export(&source, &named, &options, &layout).expect("exported");
    let small = small(&layout, Fault::Nothing);
    assert!(exists(&format!("{}/a/b:1", small.address), &[]).expect("an answer"));
    assert!(!exists(&format!("{}/a/b:missing", small.address), &[]).expect("an answer"));
    let requests = small.requests.lock().expect("unpoisoned").clone();
    assert!(requests.iter().all(|request| !request.contains("/blobs/")), "{requests:?}");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    assert!(exists(&format!("{silent}/a/b:1"), &[]).is_err());
    assert!(exists("a/b:1", std::slice::from_ref(&small.address)).expect("a mirror answers"));
}

#[test]
fn broken_connections_are_taken_up() {
    let (result, original, requests, ..) = try_pull(Fault::Cuts);
    assert_eq!(result.expect("pulled").config, original.config);
    assert!(requests.iter().filter(|request| request.contains("bytes=")).count() >= 1, "{requests:?}");
    let (result, original, ..) = try_pull(Fault::CutsAndForgets);
    assert_eq!(result.expect("pulled").config, original.config);
    let (result, original, ..) = try_pull(Fault::Busy);
    assert_eq!(result.expect("pulled").config, original.config);
}

#[test]
fn what_an_earlier_process_left_is_taken_up() {
    let leave = |store: &Store, wanted: &BlobRef, bytes: &[u8]| {
        let mut writer = store.resume(wanted).expect("a writer");
        writer.write_all(bytes).expect("own store");
        // Another process at the same blob writes elsewhere.
        assert_eq!(store.resume(wanted).expect("a writer").size(), 0);
        writer.keep();
    };
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let (result, original, requests, into, _dir) =
        try_pull_after(Fault::Nothing, |store, (wanted, bytes)| leave(store, &wanted, &half(&bytes)));
    assert_eq!(result.expect("pulled").config, original.config);
    assert!(requests.iter().any(|request| request.contains("bytes=")), "{requests:?}");
    assert_eq!(std::fs::read_dir(into.root().join("tmp")).expect("tmp").count(), 0);
    // What it left may be damaged, or longer than the blob.
    for damage in [|mut bytes: Vec<u8>| (bytes[7] ^= 1, bytes).1, |bytes: Vec<u8>| [&bytes[..], &bytes[..]].concat()] {
        let (result, original, _, into, _dir) = try_pull_after(Fault::Nothing, |store, (wanted, bytes)| {
            leave(store, &wanted, &damage(bytes));
        });
        assert_eq!(result.expect("pulled").config, original.config);
        assert_eq!(into.verify().expect("verified").problems, []);
        assert_eq!(std::fs::read_dir(into.root().join("tmp")).expect("tmp").count(), 0);
    }
}

#[test]
fn lies_are_not_believed() {
    for fault in [Fault::WrongBytes, Fault::TooLong, Fault::WrongManifest] {
        let (result, _, _, into, _dir) = try_pull(fault);
        let error = result.expect_err("a lie");
        assert!(
            matches!(error, RegistryError::Store(StoreError::Digest { .. } | StoreError::Size { .. })),
            "{fault:?}: {error}"
        );
        assert_eq!(into.verify().expect("verified").problems, []);
        assert_eq!(std::fs::read_dir(into.root().join("tmp")).expect("tmp").count(), 0);
        assert_eq!(into.list().expect("names"), []);
    }
    let (result, ..) = try_pull(Fault::Cycle);
    assert!(result.is_err());
    let (result, ..) = try_pull(Fault::Denies);
    let error = result.expect_err("denied");
    assert!(matches!(error, RegistryError::Denied { .. }), "{error}");
    assert!(error.to_string().contains("who are you?"), "{error}");
}

#[test]
fn nobody_there_is_said_quickly() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = store(dir.path(), "store");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let start = Instant::now();
    let error = pull(&format!("127.0.0.1:{port}/a/b"), &store, &platform(), &()).expect_err("nobody");
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
    assert!(error.help().is_some());
    assert!(start.elapsed() < Duration::from_secs(5));
    let error = pull("no-such-host.invalid/a/b", &store, &platform(), &()).expect_err("no such host");
    assert!(matches!(error, RegistryError::Unreachable { .. } | RegistryError::Status { .. }), "{error}");
}

#[test]
fn a_mirror_is_asked_first_and_may_be_away() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = store(dir.path(), "source");
    let original = image(&source);
    let layout = dir.path().join("layout");
    let options = crate::export::ExportOptions { format: Format::OciDirectory, compression: None, level: None };
    export(&source, &[Named { image: &original, references: vec![] }], &options, &layout).expect("exported");
    let small = small(&layout, Fault::Nothing);
    let into = store(dir.path(), "into");
    let mirrors = vec!["127.0.0.1:1".to_owned(), format!("http://{}", small.address)];
    let pulled = pull("registry.invalid/a/b:1", &into, &PullOptions { mirrors, ..platform() }, &()).expect("pulled");
    assert_eq!(pulled.manifest, original.manifest);
    assert!(into.resolve_for("registry.invalid/a/b:1", &platform().platform).expect("resolved").is_some());
}

/// Ends the process it holds.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_registry_there_and_back() {
    let program = std::env::var_os("PLIMSOLL_REGISTRY").unwrap_or_else(|| "docker-registry".into());
    if Command::new(&program).arg("--version").output().is_err() {
        eprintln!("SKIPPED: docker-registry is not installed (PLIMSOLL_REGISTRY names one elsewhere)");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let config = dir.path().join("config.yml");
    let text = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"127.0.0.1:{port}\"}}\n",
        dir.path().join("data").display()
    );
    std::fs::write(&config, text).expect("written");
    let quiet = || Stdio::null();
    let child = Command::new(&program).arg("serve").arg(&config).stdout(quiet()).stderr(quiet()).spawn();
    let _ended = Ended(child.expect("a registry"));
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < Duration::from_secs(20), "the registry does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    let source = store(dir.path(), "source");
    let original = image(&source);
    let sent = Mutex::new(0);
    struct Count<'c>(&'c Mutex<u64>);
    impl Progress for Count<'_> {
        fn moved(&self, _: &Digest, done: u64, total: u64) {
            assert!(done <= total);
            *self.0.lock().expect("unpoisoned") += 1;
        }
    }
    for (name, compression) in [("gzip", Compression::Gzip), ("zstd", Compression::Zstd), ("plain", Compression::None)]
    {
        let reference = format!("localhost:{port}/team/app:{name}");
        let options = PushOptions { compression: Some(compression), level: None };
        let pushed = push(&source, &original, &reference, &options, &Count(&sent)).expect("pushed");
        assert!(pushed.sent > 0);
        let again = push(&source, &original, &reference, &options, &()).expect("pushed again");
        assert_eq!((again.manifest, again.sent), (pushed.manifest, 0));
        let into = store(dir.path(), name);
        let pulled = pull(&reference, &into, &platform(), &()).expect("pulled");
        assert_eq!(pulled.manifest, pushed.manifest);
        assert_eq!(pulled.config_digest, original.config_digest);
        assert_eq!(pulled.size(), original.size());
        let by_digest = format!("localhost:{port}/team/app@{}", pushed.manifest);
        assert_eq!(pull(&by_digest, &into, &platform(), &()).expect("by digest").manifest, pushed.manifest);
        assert_eq!(into.verify().expect("verified").problems, []);
    }
    assert!(*sent.lock().expect("unpoisoned") > 0);
    let missing = format!("localhost:{port}/team/app:missing");
    let error = pull(&missing, &source, &platform(), &()).expect_err("missing");
    assert!(matches!(error, RegistryError::NotFound(_)), "{error}");
}
