//! Image references: `[registry/]repository[:tag][@digest]` (Docker's reference grammar).

use crate::text::TextRange;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while_m_n, take_while1};
use nom::character::complete::{char, satisfy};
use nom::combinator::{all_consuming, opt, recognize, verify};
use nom::multi::many0_count;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};
use std::fmt;
use std::ops::Range;

/// The registry where none is written.
pub const DEFAULT_REGISTRY: &str = "docker.io";
/// The namespace of the default registry's images that are written without one.
const OFFICIAL: &str = "library/";
/// A repository's path is no longer than this.
const MAX_PATH: usize = 255;

/// A reference with everything that was left out put in, but for the tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageRef {
    /// `docker.io`, `localhost:5000`
    pub registry: String,
    /// `library/debian`
    pub repository: String,
    /// `bookworm`
    pub tag: Option<String>,
    /// `sha256:…`
    pub digest: Option<String>,
}

/// Why a text is no image reference; worded as BuildKit does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadReference(pub String);

impl fmt::Display for BadReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadReference {}

impl ImageRef {
    /// Reads a reference, where the text is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::check(text).ok()
    }

    /// Reads a reference, or says why the text is none.
    ///
    /// # Errors
    /// Where BuildKit refuses the text as a `FROM` image.
    pub fn check(text: &str) -> Result<Self, BadReference> {
        let Reference { registry, official, path, tag, digest } = Reference::read(text).map_err(BadReference)?;
        Ok(Self {
            registry: registry.to_owned(),
            repository: format!("{}{path}", if official { OFFICIAL } else { "" }),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// Why a text is no reference; nothing where it is one.
    #[must_use]
    pub fn refused(text: &str) -> Option<BadReference> {
        if is_ordinary(text) {
            return None;
        }
        Reference::read(text).err().map(BadReference)
    }

    /// The same with the tag `latest` where neither tag nor digest is written.
    #[must_use]
    pub fn with_default_tag(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some("latest".to_owned());
        }
        self
    }

    /// As people write it: `debian:bookworm` for `docker.io/library/debian:bookworm`.
    #[must_use]
    pub fn familiar(&self) -> String {
        let path = match self.repository.strip_prefix(OFFICIAL) {
            _ if self.registry != DEFAULT_REGISTRY => format!("{}/{}", self.registry, self.repository),
            Some(name) if !name.contains('/') => name.to_owned(),
            _ => self.repository.clone(),
        };
        format!("{path}{}", Suffix(self))
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.registry, self.repository, Suffix(self))
    }
}

/// `:tag@digest`
struct Suffix<'r>(&'r ImageRef);

impl fmt::Display for Suffix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tag) = &self.0.tag {
            write!(f, ":{tag}")?;
        }
        self.0.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

/// Whether a text is a short reference of lower case letters, digits and single signs between them, perhaps with a tag.
/// Nearly all are; this spares them the parser.
fn is_ordinary(text: &str) -> bool {
    let mut rest = text.as_bytes();
    let mut tagged = false;
    loop {
        let other = rest.iter().position(|byte| !matches!(byte, b'a'..=b'z' | b'0'..=b'9'));
        let sign = other.and_then(|at| rest.get(at));
        let fine = match sign {
            None => return !rest.is_empty() && text.len() < 64,
            Some(b'.' | b'-') => true,
            Some(b'/') => !tagged,
            Some(b':') => !std::mem::replace(&mut tagged, true),
            Some(_) => false,
        };
        if other == Some(0) || !fine {
            return false;
        }
        rest = other.and_then(|at| rest.get(at + 1..)).unwrap_or_default();
    }
}

/// A reference's parts in the text.
struct Reference<'t> {
    registry: &'t str,
    /// Whether the path is one of the default registry's without a namespace.
    official: bool,
    path: &'t str,
    tag: Option<&'t str>,
    digest: Option<&'t str>,
}

impl<'t> Reference<'t> {
    /// What stands before the first slash is a registry when it has a dot, a colon or an upper case letter in it, or is
    /// `localhost`.
    fn read(text: &'t str) -> Result<Self, String> {
        if text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(format!("invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"));
        }
        let (registry, rest) = match text.split_once('/') {
            Some((registry, rest)) if is_registry(registry) => (registry, rest),
            _ => (DEFAULT_REGISTRY, text),
        };
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
        let official = registry == DEFAULT_REGISTRY && !rest.contains('/');
        let prefix = if official { OFFICIAL } else { "" };
        let path = rest.split(':').next().unwrap_or_default();
        if has_upper_case(path) {
            return Err(format!("invalid reference format: repository name ({prefix}{path}) must be lowercase"));
        }
        let Some((path, tag, digest)) = whole(host, registry).and_then(|_| whole(remote, rest)) else {
            let (registry, rest) = (registry.to_lowercase(), rest.to_lowercase());
            let lower = whole(host, &registry).is_some() && whole(remote, &rest).is_some();
            let why = if lower { "repository name must be lowercase" } else { "invalid reference format" };
            return Err(why.to_owned());
        };
        if prefix.len() + path.len() > MAX_PATH {
            return Err(format!("repository name must not be more than {MAX_PATH} characters"));
        }
        match digest.and_then(bad_digest) {
            Some(why) => Err(why.to_owned()),
            None => Ok(Self { registry, official, path, tag, digest }),
        }
    }
}

fn has_upper_case(text: &str) -> bool {
    if text.is_ascii() { text.bytes().any(|byte| byte.is_ascii_uppercase()) } else { text.to_lowercase() != text }
}

fn is_registry(word: &str) -> bool {
    word == "localhost" || word.contains(['.', ':']) || has_upper_case(word)
}

/// What a parser makes of a text it takes as a whole.
fn whole<'t, T>(parser: impl Fn(&'t str) -> IResult<&'t str, T>, text: &'t str) -> Option<T> {
    all_consuming(parser).parse(text).ok().map(|(_, read)| read)
}

type Remote<'t> = (&'t str, Option<&'t str>, Option<&'t str>);

/// `path[:tag][@digest]`
fn remote(input: &str) -> IResult<&str, Remote<'_>> {
    let (rest, path) = recognize((path_component, many0_count((char('/'), path_component)))).parse(input)?;
    let (rest, tag) = opt(preceded(char(':'), tag_name)).parse(rest)?;
    let (rest, digest) = opt(preceded(char('@'), digest)).parse(rest)?;
    Ok((rest, (path, tag, digest)))
}

fn host(input: &str) -> IResult<&str, &str> {
    let sign = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let label = || verify(take_while1(sign), |label: &str| !label.starts_with('-') && !label.ends_with('-'));
    let ipv6 = recognize(delimited(char('['), take_while1(|c: char| c.is_ascii_hexdigit() || c == ':'), char(']')));
    let name = alt((ipv6, recognize((label(), many0_count((char('.'), label()))))));
    recognize((name, opt(preceded(char(':'), take_while1(|c: char| c.is_ascii_digit()))))).parse(input)
}

/// Lower case letters and digits, joined by one dot, one or two underscores, or hyphens.
fn path_component(input: &str) -> IResult<&str, &str> {
    let word = || take_while1(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let separator = alt((tag("__"), tag("_"), tag("."), take_while1(|c| c == '-')));
    recognize((word(), many0_count((separator, word())))).parse(input)
}

fn tag_name(input: &str) -> IResult<&str, &str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    recognize((satisfy(word), take_while_m_n(0, 127, move |c: char| word(c) || matches!(c, '.' | '-')))).parse(input)
}

/// `sha256:` and its kin: an algorithm of one or more parts, and at least 32 hexadecimal digits.
fn digest(input: &str) -> IResult<&str, &str> {
    let part = || (satisfy(|c| c.is_ascii_alphabetic()), take_while(|c: char| c.is_ascii_alphanumeric()));
    let joined = (satisfy(|c| matches!(c, '-' | '_' | '+' | '.')), part());
    let digits = verify(take_while1(|c: char| c.is_ascii_hexdigit()), |digits: &str| digits.len() >= 32);
    recognize((part(), many0_count(joined), char(':'), digits)).parse(input)
}

fn bad_digest(digest: &str) -> Option<&'static str> {
    let (algorithm, digits) = digest.split_once(':')?;
    let len = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return Some("unsupported digest algorithm"),
    };
    if digits.len() != len {
        return Some("invalid checksum digest length");
    }
    digits.bytes().any(|byte| byte.is_ascii_uppercase()).then_some("invalid checksum digest format")
}

/// Where the parts of a reference stand in it, variables and all: for a rule that points at a tag, or a fix that
/// changes one. Nothing is put in that is not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Before the first slash, when that is a registry.
    pub registry: Option<Range<usize>>,
    /// The repository.
    pub name: Range<usize>,
    /// After the colon.
    pub tag: Option<Range<usize>>,
    /// After the `@`.
    pub digest: Option<Range<usize>>,
}

impl Written {
    /// Splits a reference as it is written. Signs inside `${…}` split nothing.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let signs = outside_braces(text);
        let last = |sign: char, before: usize| {
            signs.iter().rev().find(|(at, c)| *c == sign && *at < before).map(|(at, _)| *at)
        };
        let mut end = text.len();
        let mut digest = None;
        if let Some(at) = signs.iter().find(|(_, c)| *c == '@').map(|(at, _)| *at) {
            digest = Some(at + 1..end);
            end = at;
        }
        let mut tag = None;
        if let Some(at) = last(':', end).filter(|at| last('/', end).is_none_or(|slash| slash < *at)) {
            tag = Some(at + 1..end);
            end = at;
        }
        let slash = signs.iter().find(|(at, c)| *c == '/' && *at < end).map(|(at, _)| *at);
        let registry = slash.filter(|at| text.get(..*at).is_some_and(is_registry));
        Self { name: registry.map_or(0, |at| at + 1)..end, registry: registry.map(|at| 0..at), tag, digest }
    }

    /// A part's place in the file when the reference's text stands there in one piece from `start` on.
    #[must_use]
    pub fn place(start: u32, part: &Range<usize>) -> TextRange {
        TextRange::new(start as usize + part.start, start as usize + part.end)
    }
}

/// The signs `/`, `:` and `@` that stand in no `${…}`, with their offsets.
fn outside_braces(text: &str) -> Vec<(usize, char)> {
    let mut depth = 0_usize;
    let mut signs = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '$' if chars.next_if(|(_, c)| *c == '{').is_some() => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '/' | ':' | '@' if depth == 0 => signs.push((at, c)),
            _ => {}
        }
    }
    signs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_put_in() {
        for (written, full, familiar) in [
            ("debian:bookworm", "docker.io/library/debian:bookworm", "debian:bookworm"),
            ("grafana/grafana", "docker.io/grafana/grafana", "grafana/grafana"),
            ("docker.io/debian", "docker.io/library/debian", "debian"),
            ("index.docker.io/library/debian", "docker.io/library/debian", "debian"),
            ("localhost:5000/a/b:1", "localhost:5000/a/b:1", "localhost:5000/a/b:1"),
            ("localhost/a", "localhost/a", "localhost/a"),
            ("[::1]:5000/a", "[::1]:5000/a", "[::1]:5000/a"),
            ("a__b--c.d", "docker.io/library/a__b--c.d", "a__b--c.d"),
        ] {
            assert_eq!(ImageRef::refused(written), None);
            let parsed = ImageRef::parse(written).unwrap_or_else(|| panic!("{written}"));
            assert_eq!((parsed.to_string().as_str(), parsed.familiar().as_str()), (full, familiar));
        }
        let digest = format!("a:1@sha256:{}", "0".repeat(64));
        assert_eq!(ImageRef::parse(&digest).unwrap().to_string(), format!("docker.io/library/{digest}"));
        assert_eq!(ImageRef::parse("a").unwrap().with_default_tag().tag.as_deref(), Some("latest"));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let why = |text: &str| ImageRef::check(text).unwrap_err().0;
        assert_eq!(why("alpine:."), "invalid reference format");
        assert_eq!(why("alpine:"), "invalid reference format");
        assert_eq!(why("a@x"), "invalid reference format");
        assert_eq!(why("a___b"), "invalid reference format");
        assert_eq!(why("BASE"), "invalid reference format: repository name (library/BASE) must be lowercase");
        assert_eq!(why(&format!("a@sha256:{}", "0".repeat(63))), "invalid checksum digest length");
        assert_eq!(why(&format!("alpine:{}", "1".repeat(129))), "invalid reference format");
        assert_eq!(why(&"a".repeat(300)), "repository name must not be more than 255 characters");
        assert!(why(&"a0".repeat(32)).starts_with("invalid repository name"));
    }

    #[test]
    fn parts_as_written() {
        let text = "${IMAGE_PREFIX:?}${DISTRO:?}:${VERSION:?}@sha256:12";
        let written = Written::of(text);
        assert_eq!(&text[written.name.clone()], "${IMAGE_PREFIX:?}${DISTRO:?}");
        assert_eq!(written.tag.clone().map(|tag| &text[tag]), Some("${VERSION:?}"));
        assert_eq!(written.digest.map(|digest| &text[digest]), Some("sha256:12"));
        let text = "r.io:443/a/b";
        let written = Written::of(text);
        assert_eq!(written.registry, Some(0..8));
        assert_eq!((&text[written.name], written.tag), ("a/b", None));
    }
}
