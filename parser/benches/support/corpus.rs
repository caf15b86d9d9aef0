//! The Dockerfiles that are read. The folder is `PLIMSOLL_CORPUS`, by default `../shared/corpus/files` beside the
//! workspace; without one, the project's own `fixtures/syntax` stand in.

use plimsoll_parser::Source;
use std::path::{Path, PathBuf};

pub(crate) fn files() -> Vec<String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let corpus =
        std::env::var_os("PLIMSOLL_CORPUS").map_or_else(|| workspace.join("../shared/corpus/files"), PathBuf::from);
    let folder = if corpus.is_dir() { corpus } else { workspace.join("fixtures/syntax") };
    let mut found = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "json") {
                found.push(Source::new(std::fs::read(path).expect("a file of the corpus")).text().to_owned());
            }
        }
    }
    found.sort();
    found
}
