//! The Docker Engine API, which podman speaks too: a context goes in as a tar, the image comes back as an archive.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::time::Duration;

use super::http::{Address, Response, request};
use super::{EngineError, Input, Result, load_only};
use crate::build::{BuildOptions, Event, Progress};
use crate::exec::Network;
use crate::export::tar_tree;
use crate::image::Image;
use crate::layer::{Entry, Kind, TarWriter};
use crate::store::Store;

/// What the Dockerfile is called in the context that is sent.
const DOCKERFILE: &str = ".plimsoll.Dockerfile";
/// Lines of a failed build that are repeated.
const LAST_LINES: usize = 30;
/// The longest line of what a build tells.
const MAX_LINE: u64 = 4 << 20;

/// Builds there and fetches the image.
pub(super) fn build(
    engine: &'static str,
    address: &Address,
    store: &Store,
    options: &BuildOptions,
    progress: &mut dyn Progress,
) -> Result<Image> {
    let unsupported = [
        (!options.secrets.is_empty(), "secrets"),
        (!options.ssh.is_empty(), "agents of ssh"),
        (!options.contexts.is_empty(), "named contexts"),
        (!options.no_cache_filter.is_empty(), "--no-cache-filter"),
    ];
    if let Some((_, what)) = unsupported.iter().find(|(asked, _)| *asked) {
        return Err(EngineError::Unsupported { engine, what });
    }
    let unreachable = |source| EngineError::Unreachable { address: address.clone(), source };
    let broken = |error: io::Error| EngineError::Build { engine, reason: error.to_string() };
    let input = Input::read(options)?;
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO).as_nanos();
    let tag = format!("localhost/plimsoll-build:{}-{since}", std::process::id());
    let target = format!("/build?{}", query(options, &tag));
    let mut send = |out: &mut dyn Write| send_context(&input, out);
    let answer = request(address, "POST", &target, "application/x-tar", Some(&mut send)).map_err(unreachable)?;
    follow(engine, answer, progress)?;
    let saved = request(address, "GET", &format!("/images/{tag}/get"), "text/plain", None).map_err(unreachable)?;
    let mut saved = checked(engine, saved)?;
    let scratch = store.scratch()?;
    let path = scratch.path().join("image.tar");
    let written = std::fs::File::create(&path).and_then(|mut file| io::copy(&mut saved.body, &mut file));
    // Its layers stay there as that engine's cache.
    let removed = request(address, "DELETE", &format!("/images/{tag}?noprune=1"), "text/plain", None);
    written.map_err(broken)?;
    drop(removed);
    load_only(store, &path)
}

fn query(options: &BuildOptions, tag: &str) -> String {
    let json = |value: &std::collections::BTreeMap<String, String>| serde_json::to_string(value).unwrap_or_default();
    let mut fields = vec![
        ("dockerfile", DOCKERFILE.to_owned()),
        ("t", tag.to_owned()),
        ("rm", "1".to_owned()),
        ("forcerm", "1".to_owned()),
        ("buildargs", json(&options.build_args)),
        ("labels", json(&options.labels)),
        ("networkmode", if options.network == Network::None { "none" } else { "host" }.to_owned()),
    ];
    fields.extend(options.target.clone().map(|target| ("target", target)));
    fields.extend(options.platform.clone().map(|platform| ("platform", platform)));
    fields.extend(options.no_cache.then(|| ("nocache", "1".to_owned())));
    fields.extend((options.pull == crate::build::Pull::Always).then(|| ("pull", "1".to_owned())));
    fields.extend(options.shm_size.map(|size| ("shmsize", size.to_string())));
    if !options.extra_hosts.is_empty() {
        let hosts: Vec<String> =
            options.extra_hosts.iter().map(|(name, address)| format!("{name}:{address}")).collect();
        fields.push(("extrahosts", hosts.join(",")));
    }
    fields.iter().map(|(name, value)| format!("{name}={}", encode(value, b"-._~"))).collect::<Vec<_>>().join("&")
}

/// With everything but letters, digits and `plain` as `%41`.
fn encode(text: &str, plain: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || plain.contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// An image that is there, as the archive that `docker save` would write.
pub(super) fn saved(engine: &'static str, address: &Address, name: &str) -> Result<Response> {
    let target = format!("/images/{}/get", encode(name, b"-._~/:@"));
    let answer = request(address, "GET", &target, "text/plain", None)
        .map_err(|source| EngineError::Unreachable { address: address.clone(), source })?;
    checked(engine, answer).map_err(|error| match error {
        EngineError::Build { engine, reason } => EngineError::Save { engine, name: name.to_owned(), reason },
        other => other,
    })
}

/// The context as docker's client sends it: all owned by root, the Dockerfile beside it and hidden from COPY.
fn send_context(input: &Input, out: &mut dyn Write) -> io::Result<()> {
    let failed = |error: crate::export::ExportError| io::Error::other(error.to_string());
    let layer = |error: crate::layer::LayerError| io::Error::other(error.to_string());
    let mut writer = TarWriter::new(out, None);
    let hidden = [Path::new(".dockerignore"), Path::new(DOCKERFILE)];
    tar_tree(&input.context, &mut writer, &hidden).map_err(failed)?;
    let mut ignore = input.ignore.clone().unwrap_or_default();
    ignore.push_str(&format!("\n{DOCKERFILE}\n"));
    if input.ignore.is_none() {
        ignore.push_str(".dockerignore\n");
    }
    for (name, text) in [(".dockerignore", ignore.as_bytes()), (DOCKERFILE, &input.dockerfile)] {
        let kind = Kind::File { size: text.len() as u64 };
        let entry = Entry { path: name.as_bytes(), kind, mode: 0o644, uid: 0, gid: 0, mtime: 0, xattrs: &[] };
        writer.file(&entry, text).map_err(layer)?;
    }
    let (out, _) = writer.finish().map_err(layer)?;
    out.flush()
}

/// Reads what a build tells, one JSON object a line, to its end.
fn follow(engine: &'static str, answer: Response, progress: &mut dyn Progress) -> Result<()> {
    let answer = checked(engine, answer)?;
    let mut last: Vec<String> = Vec::new();
    let mut body = answer.body;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = body.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        // The rest of a line too long to be one of a builder is read as the next one, which is no JSON.
        if read.map_err(|error| EngineError::Build { engine, reason: error.to_string() })? == 0 {
            return Ok(());
        }
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(&line) else { continue };
        if let Some(text) = value["stream"].as_str() {
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                progress.event(Event::Output { number: 0, stderr: false, line });
                if last.len() == LAST_LINES {
                    last.remove(0);
                }
                last.push(line.to_owned());
            }
        }
        if let Some(error) = value["error"].as_str() {
            let mut reason = error.trim().to_owned();
            if !last.is_empty() {
                reason.push_str("; its last lines:\n  ");
                reason.push_str(&last.join("\n  "));
            }
            return Err(EngineError::Build { engine, reason });
        }
    }
}

fn checked(engine: &'static str, mut answer: Response) -> Result<Response> {
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let mut text = String::new();
    // What it says is only shown.
    let _ = answer.body.by_ref().take(16 << 10).read_to_string(&mut text);
    let message = serde_json::from_str::<serde_json::Value>(&text).ok();
    let message = message.and_then(|value| value["message"].as_str().map(str::to_owned));
    let reason = format!("it answers {}: {}", answer.status, message.unwrap_or(text).trim());
    Err(EngineError::Build { engine, reason })
}
