//! Paths as a tree with the bytes below each, for maps and for walking.

use plimsoll_runtime::inspect::{Inspected, LayerReport};
use serde::Serialize;
use std::collections::BTreeMap;

/// A directory or file.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Tree {
    /// Its name.
    pub name: String,
    /// Bytes of it and all below.
    pub bytes: u64,
    /// Files below.
    pub files: usize,
    /// What is in it, the largest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Tree>,
}

#[derive(Default)]
struct Node<'p> {
    bytes: u64,
    files: usize,
    children: BTreeMap<&'p str, Node<'p>>,
}

impl<'p> Node<'p> {
    fn add(&mut self, path: &'p str, bytes: u64) {
        let mut node = self;
        for part in path.split('/') {
            node.bytes += bytes;
            node.files += 1;
            node = node.children.entry(part).or_default();
        }
        node.bytes += bytes;
        node.files += 1;
    }

    /// The tree, where everything smaller than `least` is put together.
    fn tree(self, name: &str, least: u64) -> Tree {
        let mut children = Vec::new();
        let mut rest = Tree { name: String::new(), ..Tree::default() };
        for (name, node) in self.children {
            if node.bytes < least {
                rest.bytes += node.bytes;
                rest.files += node.files;
            } else {
                children.push(node.tree(name, least));
            }
        }
        if rest.bytes > 0 && !children.is_empty() {
            rest.name = format!("… {} more", rest.files);
            children.push(rest);
        }
        children.sort_by(|a, b| (b.bytes, &a.name).cmp(&(a.bytes, &b.name)));
        Tree { name: name.to_owned(), bytes: self.bytes, files: self.files, children }
    }
}

/// What a container sees, without what is smaller than `least`.
pub fn of_visible(found: &Inspected, least: u64) -> Tree {
    let mut root = Node::default();
    for file in found.visible.iter().filter(|file| file.bytes > 0) {
        root.add(&file.path, file.bytes);
    }
    root.tree("/", least)
}

/// What a layer brings, without what is smaller than `least`.
pub fn of_layer(layer: &LayerReport, least: u64) -> Tree {
    let mut root = Node::default();
    for entry in layer.index.entries.iter().filter(|entry| entry.size > 0) {
        root.add(&entry.path, entry.size);
    }
    root.tree("/", least)
}
