//! The shortest name of a path.

use std::borrow::Cow;

/// The shortest path that says the same by its letters alone, as Go's `filepath.Clean`: doubled and trailing `/`, `.` and
/// inner `..` go; nothing becomes `.`.
#[must_use]
pub fn clean(path: &str) -> Cow<'_, str> {
    if let Some(path) = already(path) {
        return Cow::Borrowed(path);
    }
    let rooted = path.starts_with('/');
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => match names.last() {
                Some(&last) if last != ".." => {
                    names.pop();
                }
                _ if rooted => {}
                _ => names.push(".."),
            },
            name => names.push(name),
        }
    }
    let joined = names.join("/");
    Cow::Owned(match (rooted, joined.as_str()) {
        (true, _) => format!("/{joined}"),
        (false, "") => ".".to_owned(),
        (false, _) => joined,
    })
}

/// The path itself, less one trailing `/`, where nothing else has to be done.
fn already(path: &str) -> Option<&str> {
    let path = match path.strip_suffix('/') {
        Some("") | None => path,
        Some(rest) => rest,
    };
    if path == "/" {
        return Some(path);
    }
    let names = path.strip_prefix('/').unwrap_or(path);
    let mut up = path.len() == names.len();
    for name in names.split('/') {
        match name {
            "" | "." => return None,
            ".." if !up => return None,
            ".." => {}
            _ => up = false,
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_the_same_shorter() {
        let cases = [
            ("", "."),
            (".", "."),
            ("/", "/"),
            ("//", "/"),
            ("a", "a"),
            ("a/", "a"),
            ("a//", "a"),
            ("/a/", "/a"),
            ("//a", "/a"),
            ("a//b", "a/b"),
            ("a/./b", "a/b"),
            ("./a", "a"),
            ("a/..", "."),
            ("a/../b", "b"),
            ("../a", "../a"),
            ("../../a", "../../a"),
            ("a/../../b", "../b"),
            ("/..", "/"),
            ("/../a", "/a"),
            ("a/b/..", "a"),
            ("..", ".."),
            ("../", ".."),
            ("..a", "..a"),
            ("a/..b", "a/..b"),
            ("./", "."),
            ("a/.", "a"),
            ("!a/..", "."),
            ("!../a", "!../a"),
        ];
        for (path, expected) in cases {
            assert_eq!(clean(path), expected, "{path:?}");
        }
    }
}
