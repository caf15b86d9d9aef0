//! Quotes, escapes and patterns that do not do what they look like.

use super::FactKind;
use super::walk::{Place, Walk};
use plimsoll_parser::TextRange;
use plimsoll_parser::shell::{Simple, Word, WordPart};

impl Walk<'_> {
    pub(super) fn quoting_facts(&mut self, part: &WordPart<'_>, quoted: bool) {
        let WordPart::Literal(literal) = part else { return };
        if quoted {
            return;
        }
        let source = literal.range.of(self.around.text);
        if !source.contains('\\') {
            return;
        }
        let mut letters = source.char_indices().peekable();
        while let Some((at, c)) = letters.next() {
            if c != '\\' {
                continue;
            }
            let Some((_, next)) = letters.next() else { break };
            let start = literal.range.start as usize + at;
            let range = TextRange::new(start, start + 1 + next.len_utf8());
            match next {
                'n' | 't' | 'r' => self.tell(FactKind::EscapedControl, range, &next.to_string()),
                'a'..='z' | 'A'..='Z' | '0'..='9' => self.tell(FactKind::EscapedLetter, range, &next.to_string()),
                _ => {}
            }
        }
    }

    pub(super) fn word_facts(&mut self, word: &Word<'_>, place: Place) {
        self.portable_word_facts(word, place);
    }

    /// What the words of a command look like to it.
    pub(super) fn argument_facts(&mut self, simple: &Simple<'_>, name: &str) {
        let args = simple.words.get(1..).unwrap_or_default();
        if !matches!(name, "echo" | "printf") {
            for word in args.iter().take_while(|word| !word.is("--")) {
                if let Some(WordPart::Glob(glob)) = word.parts.first()
                    && glob.value.starts_with(['*', '?'])
                {
                    self.tell(FactKind::GlobLikeOption, word.range, &word.raw);
                }
            }
        }
        if name == "echo" {
            let option = |word: &Word<'_>| {
                word.raw.len() > 1
                    && word.raw.strip_prefix('-').is_some_and(|rest| rest.bytes().all(|b| b"neE".contains(&b)))
            };
            let expands = args
                .iter()
                .take_while(|word| option(word))
                .any(|word| word.raw.contains('e') || word.raw.contains('E'));
            for word in args.iter().filter(|_| !expands) {
                if has_escape(&word.parts) {
                    self.tell(FactKind::EscapeForEcho, word.range, "");
                }
            }
            if let [word] = args {
                let only = match word.parts.as_slice() {
                    [WordPart::Command(substitution)] => Some(substitution),
                    [WordPart::Double(double)] => match double.parts.as_slice() {
                        [WordPart::Command(substitution)] => Some(substitution),
                        _ => None,
                    },
                    _ => None,
                };
                if let Some(substitution) = only {
                    self.tell(FactKind::EchoOfSubstitution, substitution.range, "");
                }
            }
        }
        if name == "printf" {
            let format = args.iter().find(|word| !word.raw.starts_with('-'));
            if let Some(format) = format.filter(|word| word.literal().is_none() && !word.literal_with("").contains('%'))
            {
                self.tell(FactKind::VariableInFormat, format.range, "");
            }
        }
        self.single_quotes(simple, name);
    }

    fn single_quotes(&mut self, simple: &Simple<'_>, name: &str) {
        const MEANT: [&str; 24] = [
            "trap",
            "sh",
            "bash",
            "ksh",
            "zsh",
            "dash",
            "ssh",
            "eval",
            "xprop",
            "alias",
            "sudo",
            "doas",
            "docker",
            "podman",
            "oc",
            "dpkg-query",
            "jq",
            "rename",
            "rg",
            "unset",
            "git",
            "time",
            "prename",
            "busybox",
        ];
        let base = name.rsplit('/').next().unwrap_or(name);
        let git = base == "git" && !simple.words.iter().any(|word| word.is("filter-branch"));
        let find = base == "find" && simple.words.iter().any(|word| word.is("-exec") || word.is("-execdir"));
        if MEANT.contains(&base) && !git || base.ends_with("awk") || base.starts_with("perl") || find {
            return;
        }
        let mut quoted: Vec<(TextRange, String)> = Vec::new();
        for word in &simple.words {
            gather_single(&word.parts, &mut quoted);
        }
        for assignment in simple.assignments.iter().filter(|assignment| !assignment.name.starts_with("PS")) {
            if let plimsoll_parser::shell::AssignedValue::Word(word) = &assignment.value {
                gather_single(&word.parts, &mut quoted);
            }
        }
        for (range, text) in quoted {
            if looks_expanded(&text) && !(base == "sed" && is_address(&text)) {
                self.tell(FactKind::ExpansionInSingleQuotes, range, "");
            }
        }
    }
}

fn has_escape(parts: &[WordPart<'_>]) -> bool {
    let escape = |text: &str| ["\\n", "\\t", "\\r"].iter().any(|escape| text.contains(escape));
    parts.iter().any(|part| match part {
        WordPart::Single(literal) => escape(&literal.value),
        WordPart::Double(double) => double.parts.iter().any(|part| match part {
            WordPart::Literal(literal) => escape(&literal.value),
            _ => false,
        }),
        _ => false,
    })
}

fn gather_single(parts: &[WordPart<'_>], found: &mut Vec<(TextRange, String)>) {
    for part in parts {
        if let WordPart::Single(literal) = part {
            found.push((literal.range, literal.value.to_string()));
        }
    }
}

fn looks_expanded(text: &str) -> bool {
    let dollar =
        text.split('$').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "{(_".contains(c)));
    dollar || text.split('`').count() > 2 && !text.contains("``")
}

/// Whether every `$` in a sed script is the last line or the end of a line.
fn is_address(text: &str) -> bool {
    text.split('$').skip(1).all(|rest| {
        let mut letters = rest.chars();
        match letters.next() {
            Some(c) if "dpsaic".contains(c) => !letters.next().is_some_and(|c| c.is_ascii_alphabetic()),
            Some(c) => !(c.is_ascii_alphanumeric() || "{(_".contains(c)),
            None => true,
        }
    })
}
