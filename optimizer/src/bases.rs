//! What is known of base images by their names alone.

use crate::moves::NotApplicable;

/// What a base image brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BaseKind {
    /// debian, ubuntu: apt and little else.
    Debian,
    Python,
    Ruby,
    Node,
    Golang,
    Rust,
    /// maven, gradle, and JDKs.
    Java,
    Other,
}

/// A base image's name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseImage {
    /// Without tag.
    pub(crate) repository: String,
    /// `latest` where none is written.
    pub(crate) tag: String,
    pub(crate) kind: BaseKind,
}

const RELEASES: [&str; 7] = ["trixie", "bookworm", "bullseye", "buster", "stretch", "jessie", "sid"];

impl BaseImage {
    /// Reads `image` as FROM has it.
    ///
    /// # Errors
    /// Says why where the name does not tell what it is: variables, a digest, no image at all.
    pub(crate) fn of(image: &str) -> Result<Self, NotApplicable> {
        if image.contains('$') {
            return Err(NotApplicable::because(format!("the base {image} depends on a variable")));
        }
        if image.contains('@') {
            return Err(NotApplicable::because(format!("the base {image} is pinned by digest")));
        }
        if image.eq_ignore_ascii_case("scratch") {
            return Err(NotApplicable::because("the image stands on scratch"));
        }
        let name_start = image.rfind('/').map_or(0, |at| at + 1);
        let colon = image.get(name_start..).and_then(|name| name.find(':')).map(|at| name_start + at);
        let (repository, tag) = match colon {
            Some(at) => (image.get(..at).unwrap_or_default(), image.get(at + 1..).unwrap_or_default()),
            None => (image, "latest"),
        };
        let plain = repository.strip_prefix("docker.io/").unwrap_or(repository);
        let plain = plain.strip_prefix("library/").unwrap_or(plain);
        let alpine = tag.contains("alpine") || tag.contains("windows") || tag.contains("nanoserver");
        let kind = match plain {
            _ if alpine => BaseKind::Other,
            "debian" | "ubuntu" => BaseKind::Debian,
            "python" => BaseKind::Python,
            "ruby" => BaseKind::Ruby,
            "node" => BaseKind::Node,
            "golang" => BaseKind::Golang,
            "rust" => BaseKind::Rust,
            "maven" | "gradle" | "openjdk" | "eclipse-temurin" | "amazoncorretto" => BaseKind::Java,
            _ => BaseKind::Other,
        };
        Ok(Self { repository: repository.to_owned(), tag: tag.to_owned(), kind })
    }

    /// The name as FROM would have it.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// Debian's release, where the tag says it.
    pub(crate) fn release(&self) -> Option<&'static str> {
        let numbered = [("13", "trixie"), ("12", "bookworm"), ("11", "bullseye"), ("10", "buster")];
        let tag = self.tag.split(['-', '.']);
        let named = RELEASES.iter().copied().find(|release| tag.clone().any(|part| part == *release));
        let first = self.tag.split(['-', '.']).next().unwrap_or_default();
        named.or_else(|| {
            let debian = self.kind == BaseKind::Debian && self.repository.ends_with("debian");
            debian.then(|| numbered.iter().find(|(number, _)| *number == first).map(|(_, name)| *name)).flatten()
        })
    }

    /// The names under which a smaller variant of the same image is published, best first.
    pub(crate) fn slimmer(&self) -> Vec<String> {
        let taken = ["slim", "alpine", "windows", "nanoserver", "onbuild", "distroless"];
        if taken.iter().any(|word| self.tag.contains(word)) {
            return Vec::new();
        }
        let tag = self.tag.as_str();
        let release =
            RELEASES.iter().find_map(|release| tag.strip_suffix(release).and_then(|head| head.strip_suffix('-')));
        let tags: Vec<String> = match self.kind {
            BaseKind::Debian if self.repository.ends_with("debian") && tag != "latest" => vec![format!("{tag}-slim")],
            BaseKind::Python | BaseKind::Ruby | BaseKind::Node | BaseKind::Rust if tag == "latest" => {
                vec!["slim".to_owned()]
            }
            BaseKind::Node => vec![format!("{tag}-slim")],
            BaseKind::Python | BaseKind::Ruby | BaseKind::Rust => match release {
                Some(version) => {
                    let release = tag.get(version.len() + 1..).unwrap_or_default();
                    vec![format!("{version}-slim-{release}")]
                }
                None => vec![format!("{tag}-slim")],
            },
            BaseKind::Other if ["alpine", "busybox"].iter().any(|small| self.repository.ends_with(small)) => Vec::new(),
            BaseKind::Other if tag == "latest" => vec!["slim".to_owned(), "latest-slim".to_owned()],
            BaseKind::Other => vec![format!("{tag}-slim")],
            _ => Vec::new(),
        };
        tags.into_iter().map(|tag| format!("{}:{tag}", self.repository)).collect()
    }

    /// The first smaller variant that can be had.
    pub(crate) fn slimmest(&self, available: &dyn Fn(&str) -> bool) -> Option<String> {
        self.slimmer().into_iter().find(|name| available(name))
    }
}

/// The smallest image that a program without shared libraries can stand on and that brings certificates and time zones.
pub(crate) fn static_base(available: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    ["gcr.io/distroless/static-debian12:latest", "gcr.io/distroless/static:latest"]
        .into_iter()
        .find(|name| available(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_variants_by_name() {
        let slimmer = |image: &str| BaseImage::of(image).expect("a name").slimmer();
        assert_eq!(slimmer("debian:bookworm"), ["debian:bookworm-slim"]);
        assert_eq!(slimmer("python:3.11"), ["python:3.11-slim"]);
        assert_eq!(slimmer("docker.io/library/python:3.11-bookworm"), ["docker.io/library/python:3.11-slim-bookworm"]);
        assert_eq!(slimmer("node:18-bookworm"), ["node:18-bookworm-slim"]);
        assert_eq!(slimmer("ruby"), ["ruby:slim"]);
        assert!(slimmer("debian").is_empty());
        assert!(slimmer("python:3.11-alpine").is_empty());
        assert_eq!(slimmer("localhost:5000/own"), ["localhost:5000/own:slim", "localhost:5000/own:latest-slim"]);
        assert!(BaseImage::of("python:${V}").is_err());
        assert!(BaseImage::of("python@sha256:00").is_err());
        assert_eq!(BaseImage::of("debian:12").expect("a name").release(), Some("bookworm"));
        assert_eq!(BaseImage::of("python:3.11-slim-bullseye").expect("a name").release(), Some("bullseye"));
    }
}
