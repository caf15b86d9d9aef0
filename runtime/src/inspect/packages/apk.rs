//! Alpine's packages: one file with every package and its paths.

use super::{Kept, Owned, Package, Seen};

const INSTALLED: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

pub(super) fn knows(path: &str) -> bool {
    INSTALLED.contains(&path)
}

pub(super) fn find(kept: &Kept<'_>, seen: &Seen<'_>, owned: &mut Owned) -> Vec<Package> {
    let mut found = Vec::new();
    for bytes in INSTALLED.iter().filter_map(|path| kept.get(path)) {
        let text = String::from_utf8_lossy(bytes);
        for paragraph in text.split("\n\n") {
            let (mut name, mut version, mut folder) = ("", "", "");
            let mut files = Vec::new();
            for line in paragraph.lines() {
                match line.split_once(':') {
                    Some(("P", value)) => name = value,
                    Some(("V", value)) => version = value,
                    Some(("F", value)) => folder = value,
                    Some(("R", value)) => files.extend(seen.find(&format!("{folder}/{value}"))),
                    _ => {}
                }
            }
            if !name.is_empty() {
                let files = owned.take(files);
                found.push(seen.package("apk", name.to_owned(), version.to_owned(), &files));
            }
        }
    }
    found
}
