//! An image as plain data: its configuration, what each layer says, and the root filesystem they give together, applied as
//! containerd applies them. An own reading of the store, so that a mistake of the program is not repeated here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use plimsoll_runtime::digest::Digest;
use plimsoll_runtime::image::Image;
use plimsoll_runtime::layer::decoder;
use plimsoll_runtime::store::Store;
use serde_json::{Map, Value, json};

/// The fields of a configuration that are compared.
const FIELDS: [&str; 13] = [
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "Healthcheck",
    "OnBuild",
    "Shell",
    "ArgsEscaped",
];

/// One file, however many names it has.
#[derive(Debug, Clone, PartialEq)]
struct Inode {
    kind: &'static str,
    mode: u32,
    uid: u64,
    gid: u64,
    mtime: u64,
    size: Option<u64>,
    sha256: Option<String>,
    link: Option<String>,
    xattrs: BTreeMap<String, String>,
}

/// A root filesystem being put together.
#[derive(Clone, Default)]
struct Root {
    entries: BTreeMap<String, Arc<Inode>>,
}

impl Root {
    /// The path with links among its parents followed inside the root.
    fn resolve(&self, path: &str, depth: usize) -> String {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let mut done: Vec<String> = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            if *part == ".." {
                done.pop();
                continue;
            }
            let mut here = done.clone();
            here.push((*part).to_owned());
            let here = here.join("/");
            if at + 1 < parts.len()
                && depth < 40
                && let Some(target) = self.entries.get(&here).and_then(|inode| inode.link.clone())
            {
                let start = if target.starts_with('/') { target } else { format!("{}/{target}", done.join("/")) };
                return self.resolve(&format!("{start}/{}", parts[at + 1..].join("/")), depth + 1);
            }
            done.push((*part).to_owned());
        }
        done.join("/")
    }

    fn remove(&mut self, path: &str, keep: &BTreeSet<String>) {
        let below = format!("{path}/");
        let gone: Vec<String> = self
            .entries
            .keys()
            .filter(|key| (*key == path || key.starts_with(&below)) && !keep.contains(*key))
            .filter(|key| !keep.iter().any(|kept| kept.starts_with(&format!("{key}/"))))
            .cloned()
            .collect();
        for key in gone {
            self.entries.remove(&key);
        }
    }

    fn put(&mut self, path: String, inode: Arc<Inode>) {
        if self.entries.get(&path).is_some_and(|old| old.kind != "dir" || inode.kind != "dir") {
            self.remove(&path, &BTreeSet::new());
        }
        self.entries.insert(path, inode);
    }
}

/// An image that others stand on, read once.
pub(crate) struct Base {
    /// What it looks like.
    pub(crate) described: Value,
    diff_ids: Vec<Digest>,
    root: Root,
}

/// Describes the image of this name, or of this manifest, in the store there.
pub(crate) fn dump(store: &Path, reference: &str) -> Value {
    let (store, image) = open(store, reference);
    describe(&store, &image, None).0
}

/// Describes an image that others stand on.
pub(crate) fn base(store: &Path, reference: &str) -> Base {
    let (store, image) = open(store, reference);
    let (described, root) = describe(&store, &image, None);
    Base { described, diff_ids: image.layers.iter().map(|layer| layer.diff_id).collect(), root }
}

/// Describes an image that probably stands on this base.
pub(crate) fn dump_on(base: &Base, store: &Path, reference: &str) -> Value {
    let (store, image) = open(store, reference);
    describe(&store, &image, Some(base)).0
}

fn open(store: &Path, reference: &str) -> (Store, Image) {
    let store = Store::open(store).expect("the store opens");
    let found = store.resolve(reference).expect("the store reads");
    (store, found.unwrap_or_else(|| panic!("{reference} is not there")))
}

fn describe(store: &Store, image: &Image, base: Option<&Base>) -> (Value, Root) {
    let mut root = Root::default();
    let mut layers = Vec::new();
    let mut todo = image.layers.as_slice();
    if let Some(base) = base
        && let Some((below, above)) = todo.split_at_checked(base.diff_ids.len())
        && below.iter().map(|layer| layer.diff_id).eq(base.diff_ids.iter().copied())
    {
        root = base.root.clone();
        layers = base.described["layers"].as_array().expect("a list").clone();
        todo = above;
    }
    for layer in todo {
        let blob = layer.blob.expect("a layer has a blob");
        let mut plain = Vec::new();
        let file = store.open_blob(&blob.digest).expect("the blob is there");
        decoder(file).expect("a known compression").read_to_end(&mut plain).expect("it reads");
        assert_eq!(Digest::of(&plain), layer.diff_id, "the diff ID is that of the layer's bytes");
        layers.push(apply(&mut root, &plain));
    }
    let config = serde_json::to_value(&image.config).expect("JSON");
    let mut fields = Map::new();
    for name in FIELDS {
        let value = &config["config"][name];
        let empty = match value {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        if !empty {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    let history: Vec<Value> = image
        .config
        .history
        .iter()
        .map(|entry| json!({"created_by": entry.created_by.clone().unwrap_or_default(), "empty_layer": entry.empty_layer}))
        .collect();
    let mut names: HashMap<*const Inode, Vec<&str>> = HashMap::new();
    for (path, inode) in &root.entries {
        names.entry(Arc::as_ptr(inode)).or_default().push(path);
    }
    let rootfs: Map<String, Value> = root
        .entries
        .iter()
        .map(|(path, inode)| {
            let group = &names[&Arc::as_ptr(inode)];
            (format!("/{path}"), entry(inode, group))
        })
        .collect();
    let described = json!({
        "architecture": image.config.architecture,
        "os": image.config.os,
        "author": image.config.author,
        "config": fields,
        "history": history,
        "layers": layers,
        "rootfs": rootfs,
    });
    (described, root)
}

fn entry(inode: &Inode, group: &[&str]) -> Value {
    let mut map = Map::new();
    map.insert("type".to_owned(), inode.kind.into());
    map.insert("mode".to_owned(), inode.mode.into());
    map.insert("uid".to_owned(), inode.uid.into());
    map.insert("gid".to_owned(), inode.gid.into());
    map.insert("mtime".to_owned(), inode.mtime.into());
    if let Some(size) = inode.size {
        map.insert("size".to_owned(), size.into());
    }
    if let Some(digest) = &inode.sha256 {
        map.insert("sha256".to_owned(), digest.clone().into());
    }
    if let Some(link) = &inode.link {
        map.insert("link".to_owned(), link.clone().into());
    }
    if !inode.xattrs.is_empty() {
        map.insert("xattrs".to_owned(), json!(inode.xattrs));
    }
    if group.len() > 1 {
        map.insert("hardlink".to_owned(), format!("/{}", group.iter().min().expect("two names")).into());
        map.insert("nlink".to_owned(), group.len().into());
    }
    Value::Object(map)
}

fn apply(root: &mut Root, tar: &[u8]) -> Value {
    let mut seen = BTreeSet::new();
    let (mut entries, mut whiteouts, mut opaque) = (Vec::new(), Vec::new(), Vec::new());
    let mut archive = tar::Archive::new(tar);
    for file in archive.entries().expect("a tar") {
        let mut file = file.expect("an entry");
        let name = String::from_utf8_lossy(&file.path_bytes()).into_owned();
        let path = root.resolve(&name, 0);
        let (parent, last) = path.rsplit_once('/').unwrap_or(("", &path));
        if last == ".wh..wh..opq" {
            opaque.push(parent.to_owned());
            let below: Vec<String> =
                root.entries.keys().filter(|key| key.starts_with(&format!("{parent}/"))).cloned().collect();
            for key in below {
                root.remove(&key, &seen);
            }
            continue;
        }
        if let Some(hidden) = last.strip_prefix(".wh.") {
            let hidden = if parent.is_empty() { hidden.to_owned() } else { format!("{parent}/{hidden}") };
            root.remove(&hidden, &seen);
            whiteouts.push(hidden);
            continue;
        }
        if path.is_empty() {
            continue;
        }
        entries.push(path.clone());
        seen.insert(path.clone());
        let target = file.link_name_bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if file.header().entry_type() == tar::EntryType::Link {
            let target = root.resolve(&target.expect("a hard link has a target"), 0);
            let inode = root.entries.get(&target).unwrap_or_else(|| panic!("{path} links to {target}")).clone();
            root.put(path, inode);
            continue;
        }
        let kind = match file.header().entry_type() {
            tar::EntryType::Directory => "dir",
            tar::EntryType::Symlink => "symlink",
            tar::EntryType::Char => "char",
            tar::EntryType::Block => "block",
            tar::EntryType::Fifo => "fifo",
            _ => "file",
        };
        let mut xattrs = BTreeMap::new();
        for extension in file.pax_extensions().expect("extensions").into_iter().flatten().flatten() {
            if let Some(name) = extension.key().ok().and_then(|key| key.strip_prefix("SCHILY.xattr.")) {
                let hex = extension.value_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
                xattrs.insert(name.to_owned(), hex);
            }
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("content");
        let header = file.header();
        let is_file = kind == "file";
        root.put(
            path,
            Arc::new(Inode {
                kind,
                mode: if kind == "symlink" { 0o777 } else { header.mode().expect("a mode") & 0o7777 },
                uid: header.uid().expect("an owner"),
                gid: header.gid().expect("a group"),
                mtime: header.mtime().expect("a time"),
                size: is_file.then_some(bytes.len() as u64),
                sha256: is_file.then(|| Digest::of(&bytes).hex()),
                link: target.filter(|_| kind == "symlink"),
                xattrs,
            }),
        );
    }
    entries.sort();
    whiteouts.sort();
    opaque.sort();
    json!({"entries": entries, "whiteouts": whiteouts, "opaque": opaque})
}
