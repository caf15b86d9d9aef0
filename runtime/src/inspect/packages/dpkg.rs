//! Debian's packages: one file of paragraphs, or one for each package where there is no dpkg.

use super::{Kept, Owned, Package, Seen};

const STATUS: &str = "var/lib/dpkg/status";
const STATUS_D: &str = "var/lib/dpkg/status.d/";
const INFO: &str = "var/lib/dpkg/info/";

pub(super) fn knows(path: &str) -> bool {
    path == STATUS || path.starts_with(STATUS_D) || (path.starts_with(INFO) && path.ends_with(".list"))
}

pub(super) fn find(kept: &Kept<'_>, seen: &Seen<'_>, owned: &mut Owned) -> Vec<Package> {
    let mut found = Vec::new();
    let mut texts: Vec<(&str, String)> = kept
        .iter()
        .filter(|(path, _)| **path == STATUS || (path.starts_with(STATUS_D) && !path.ends_with(".md5sums")))
        .map(|(path, bytes)| (*path, String::from_utf8_lossy(bytes).into_owned()))
        .collect();
    texts.sort_unstable();
    for (path, text) in &texts {
        for paragraph in text.split("\n\n") {
            let field = |name: &str| {
                let value = |line: &'_ str| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned);
                paragraph.lines().find_map(value).unwrap_or_default()
            };
            let name = field("Package");
            let status = field("Status");
            if name.is_empty() || !(status.is_empty() || status.ends_with(" installed")) {
                continue;
            }
            let lists = [format!("{INFO}{name}.list"), format!("{INFO}{name}:{}.list", field("Architecture"))];
            let mut files: Vec<usize> = Vec::new();
            if let Some(list) = lists.iter().find_map(|list| kept.get(list.as_str())) {
                files.extend(String::from_utf8_lossy(list).lines().filter_map(|path| seen.find(path)));
            }
            // `hash  path`, as distroless images have it.
            if let Some(sums) = kept.get(format!("{path}.md5sums").as_str()) {
                let text = String::from_utf8_lossy(sums).into_owned();
                files.extend(text.lines().filter_map(|line| seen.find(line.split_once("  ")?.1)));
            }
            // dpkg's own notes of the package are its too.
            files.extend(["list", "md5sums", "triggers", "postinst", "prerm", "symbols", "shlibs"].iter().flat_map(
                |end| {
                    [format!("{INFO}{name}.{end}"), format!("{INFO}{name}:{}.{end}", field("Architecture"))]
                        .into_iter()
                        .filter_map(|path| seen.find(&path))
                        .collect::<Vec<_>>()
                },
            ));
            let files = owned.take(files);
            found.push(seen.package("dpkg", name, field("Version"), &files));
        }
    }
    found
}
