//! Matching one pattern against one path, quickly.
//!
//! Most patterns are compared as text. The others run as a set of places in the pattern, so that no pattern takes more than
//! its length times that of the path; and before they run, a fingerprint of the path tells most of them that they need not.

use super::PatternError;
use super::regexp::{Assertion, Broken, Set, Shape, Step, compile, translate};

/// How a pattern is matched.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    Exact,
    Prefix,
    Suffix,
    /// One alternative, or several.
    Program(Vec<Program>),
    /// The expression does not compile.
    Broken,
}

impl Matcher {
    pub(super) fn new(pattern: &str) -> Self {
        let (shape, expression) = translate(pattern);
        match shape {
            Shape::Exact => Self::Exact,
            Shape::Prefix => Self::Prefix,
            Shape::Suffix => Self::Suffix,
            Shape::Expression => match compile(&expression) {
                Ok(alternatives) => Self::Program(alternatives.into_iter().map(Program::new).collect()),
                Err(Broken) => Self::Broken,
            },
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        matches!(self, Self::Broken)
    }

    /// Whether the pattern could match the path of this signature, or a directory above it.
    pub(super) fn may_match(&self, signature: &Signature) -> bool {
        match self {
            Self::Program(programs) => programs.iter().any(|program| signature.holds(&program.signature)),
            _ => true,
        }
    }

    /// Whether the pattern matches the path or a directory above it, where that can be told at once.
    pub(super) fn matches_or_above(&self, path: &str, signature: &Signature) -> Option<bool> {
        let Self::Program(programs) = self else { return None };
        let mut any = false;
        for program in programs {
            any |= signature.holds(&program.signature) && program.matches_or_above(path)?;
        }
        Some(any)
    }

    pub(super) fn matches(&self, pattern: &str, path: &str, signature: &Signature) -> Result<bool, PatternError> {
        Ok(match self {
            Self::Exact => path == pattern,
            Self::Prefix => {
                path.as_bytes().starts_with(pattern.as_bytes().get(..pattern.len() - 2).unwrap_or_default())
            }
            Self::Suffix => {
                let suffix = pattern.as_bytes().get(2..).unwrap_or_default();
                // `**/name` takes `name` too.
                path.as_bytes().ends_with(suffix)
                    || suffix.strip_prefix(b"/").is_some_and(|name| path.as_bytes() == name)
            }
            Self::Program(programs) => {
                programs.iter().any(|program| signature.holds(&program.signature) && program.matches(path))
            }
            Self::Broken => return Err(PatternError::Syntax),
        })
    }
}

/// Which bytes stand in a text, and which pairs of neighbouring ones, folded into 256 bits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signature {
    bytes: [u64; 4],
    pairs: [u64; 4],
}

impl Signature {
    pub(super) fn of(path: &str) -> Self {
        let mut signature = Self::default();
        signature.add(path.as_bytes());
        signature
    }

    fn add(&mut self, text: &[u8]) {
        fn mark(bits: &mut [u64; 4], bit: u8) {
            if let Some(word) = bits.get_mut(usize::from(bit >> 6)) {
                *word |= 1 << (bit & 63);
            }
        }
        let mut before = None;
        for &byte in text {
            mark(&mut self.bytes, byte);
            if let Some(before) = before {
                mark(&mut self.pairs, u8::wrapping_mul(before, 37) ^ byte.wrapping_mul(101));
            }
            before = Some(byte);
        }
    }

    /// Whether everything of `needed` is here.
    fn holds(&self, needed: &Self) -> bool {
        fn missing([a, b, c, d]: [u64; 4], [e, f, g, h]: [u64; 4]) -> u64 {
            (e & !a) | (f & !b) | (g & !c) | (h & !d)
        }
        missing(self.pairs, needed.pairs) | missing(self.bytes, needed.bytes) == 0
    }
}

/// The steps of a pattern with what can be told about a path without running them.
#[derive(Clone, Debug)]
pub(super) struct Program {
    states: Vec<State>,
    /// What every matching path begins with.
    prefix: String,
    /// What every matching path ends with.
    suffix: String,
    signature: Signature,
    /// Between prefix and suffix stands only `[^/]*`.
    name_between: bool,
    /// Between prefix and suffix stands only `(.*/)?[^/]*`, and no line end: anything will do.
    any_between: bool,
    /// Some of the states are conditions.
    conditional: bool,
    /// The same states for text in ASCII, where they are few enough.
    table: Option<Box<Table>>,
}

/// What each byte of ASCII does to a set of states that fits into a word.
#[derive(Clone, Debug)]
struct Table {
    /// States that go on to the next one with this byte, and states that stay.
    bytes: [(u64, u64); 128],
    /// States that may be left without taking anything.
    skip: u64,
    /// States that may be left out together with the next one.
    optional: u64,
    /// Where everything was taken.
    end: u64,
}

impl Table {
    fn new(states: &[State]) -> Option<Box<Self>> {
        if states.len() >= 64 {
            return None;
        }
        let mut table = Box::new(Self { bytes: [(0, 0); 128], skip: 0, optional: 0, end: 1 << states.len() });
        for (at, state) in states.iter().enumerate() {
            let bit = 1_u64 << at;
            match state {
                State::Stay(_) => table.skip |= bit,
                State::Optional => table.optional |= bit,
                State::Assert(_) => return None,
                _ => {}
            }
            for (byte, (go, stay)) in (0_u8..).map(char::from).zip(&mut table.bytes) {
                match state {
                    State::Take(Taken::Char(wanted)) if *wanted == byte => *go |= bit,
                    State::Take(Taken::Set(set)) if set.has(byte) => *go |= bit,
                    State::Stay(set) if set.has(byte) => *stay |= bit,
                    State::Inside if byte == '/' => (*go, *stay) = (*go | bit, *stay | bit),
                    State::Inside if byte != '\n' => *stay |= bit,
                    _ => {}
                }
            }
        }
        Some(table)
    }

    /// With what can be reached without taking anything.
    fn reached(&self, marks: u64) -> u64 {
        let mut marks = marks;
        loop {
            let optional = marks & self.optional;
            let more = marks | (marks & self.skip) << 1 | optional << 1 | optional << 2;
            if more == marks {
                return marks;
            }
            marks = more;
        }
    }

    /// As [`Program::run`]; none where the text is not ASCII.
    fn run(&self, text: &str, any_name: bool) -> Option<bool> {
        let mut marks = self.reached(1);
        for byte in text.bytes() {
            let &(go, stay) = self.bytes.get(usize::from(byte))?;
            if any_name && byte == b'/' && marks & self.end != 0 {
                return Some(true);
            }
            marks = self.reached((marks & go) << 1 | marks & stay);
            if marks == 0 {
                return Some(false);
            }
        }
        Some(marks & self.end != 0)
    }
}

#[derive(Clone, Debug)]
enum State {
    /// Takes one character and goes on.
    Take(Taken),
    /// Takes characters and stays; may be left at any time.
    Stay(Set),
    /// May be left out together with the next state.
    Optional,
    /// Takes characters and stays; left only behind a `/`.
    Inside,
    /// Takes nothing.
    Assert(Assertion),
}

fn push_states(step: &Step, states: &mut Vec<State>) {
    match step {
        Step::Char(char) => states.push(State::Take(Taken::Char(*char))),
        Step::One(set) => states.push(State::Take(Taken::Set(set.clone()))),
        Step::Many(set) => states.push(State::Stay(set.clone())),
        Step::Dirs => states.extend([State::Optional, State::Inside]),
        Step::Assert(assertion) => states.push(State::Assert(*assertion)),
        Step::Repeat(step, min, max) => {
            for _ in 0..*min {
                push_states(step, states);
            }
            match (max, &**step) {
                // Asked any number of times, a condition may as well not be asked.
                (_, Step::Assert(_)) => {}
                (Some(max), step) => {
                    for _ in *min..*max {
                        states.push(State::Optional);
                        push_states(step, states);
                    }
                }
                (None, Step::One(set)) => states.push(State::Stay(set.clone())),
                (None, Step::Char(char)) => {
                    let ranges = vec![(*char, *char)];
                    states.push(State::Stay(Set::Class { negated: false, ranges, categories: Vec::new() }));
                }
                (None, _) => {}
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Taken {
    Char(char),
    Set(Set),
}

impl Program {
    fn new(steps: Vec<Step>) -> Self {
        let mut steps = steps;
        // Most are bound to both ends of the path; what is not may stand anywhere in it.
        if steps.first() == Some(&Step::Assert(Assertion::Start)) {
            steps.remove(0);
        } else {
            steps.insert(0, Step::Many(Set::All));
        }
        if steps.last() == Some(&Step::Assert(Assertion::End)) {
            steps.pop();
        } else {
            steps.push(Step::Many(Set::All));
        }
        let mut signature = Signature::default();
        let mut run = String::new();
        for step in steps.iter().chain([&Step::Dirs]) {
            match step {
                Step::Char(char) => run.push(*char),
                Step::Assert(_) => {}
                _ => {
                    signature.add(run.as_bytes());
                    run.clear();
                }
            }
        }
        let literal = |step: &Step| match step {
            Step::Char(char) => Some(*char),
            _ => None,
        };
        let prefix: String = steps.iter().map_while(literal).collect();
        let start = prefix.chars().count();
        let behind = steps.get(start..).unwrap_or_default();
        let suffix: Vec<char> = behind.iter().rev().map_while(literal).collect();
        let middle = behind.get(..behind.len() - suffix.len()).unwrap_or_default();
        let name_between = matches!(middle, [Step::Many(Set::Name)]);
        let any_between = matches!(middle, [Step::Dirs, Step::Many(Set::Name)]);
        let mut states = Vec::with_capacity(behind.len() + 1);
        for step in behind {
            push_states(step, &mut states);
        }
        let conditional = states.iter().any(|state| matches!(state, State::Assert(_)));
        let suffix = suffix.into_iter().rev().collect();
        let table = Table::new(&states);
        Self { states, prefix, suffix, signature, name_between, any_between, conditional, table }
    }

    fn matches(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(self.prefix.as_str()) else { return false };
        let Some(middle) = rest.strip_suffix(self.suffix.as_str()) else { return false };
        if self.name_between {
            return !middle.as_bytes().contains(&b'/');
        }
        if self.any_between && !middle.as_bytes().contains(&b'\n') {
            return true;
        }
        self.run(rest, false)
    }

    /// Whether it matches the path or a directory above it; none where that has to be asked one by one.
    fn matches_or_above(&self, path: &str) -> Option<bool> {
        if self.conditional || !self.suffix.is_empty() {
            // A suffix tells sooner, name by name.
            return None;
        }
        Some(path.strip_prefix(self.prefix.as_str()).is_some_and(|rest| self.run(rest, true)))
    }

    /// Runs the states over `text`, which stands behind the prefix; to its end, or to where any name in it ends.
    fn run(&self, text: &str, any_name: bool) -> bool {
        fn with<const WORDS: usize>(program: &Program, text: &str, any_name: bool) -> bool {
            program.run_in(text, any_name, &mut [0; WORDS], &mut [0; WORDS])
        }
        if let Some(answer) = self.table.as_ref().and_then(|table| table.run(text, any_name)) {
            return answer;
        }
        let words = self.states.len() / 64 + 1;
        match words {
            1 => with::<1>(self, text, any_name),
            2..=4 => with::<4>(self, text, any_name),
            5..=64 => with::<64>(self, text, any_name),
            _ => self.run_in(text, any_name, &mut vec![0; words], &mut vec![0; words]),
        }
    }

    fn run_in<'b>(&self, text: &str, any_name: bool, mut now: &'b mut [u64], mut next: &'b mut [u64]) -> bool {
        let end = self.states.len();
        let at_end = |marks: &[u64]| marks.get(end / 64).is_some_and(|word| word >> (end % 64) & 1 == 1);
        let mut chars = text.chars();
        let mut upcoming = chars.next();
        self.enter(0, now, self.prefix.chars().next_back(), upcoming);
        let mut alive = true;
        while let Some(char) = upcoming {
            if !alive {
                return false;
            }
            if any_name && char == '/' && at_end(now) {
                return true;
            }
            upcoming = chars.next();
            next.fill(0);
            alive = false;
            for (word, bits) in now.iter().enumerate() {
                let mut bits = *bits;
                while bits != 0 {
                    let at = word * 64 + bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    let Some(state) = self.states.get(at) else { continue };
                    let to = match state {
                        State::Take(Taken::Char(wanted)) if *wanted == char => at + 1,
                        State::Take(Taken::Set(set)) if set.has(char) => at + 1,
                        State::Stay(set) if set.has(char) => at,
                        State::Inside if char != '\n' => at,
                        _ => continue,
                    };
                    alive = true;
                    if char == '/' && matches!(state, State::Inside) {
                        self.enter(at + 1, next, Some(char), upcoming);
                    }
                    self.enter(to, next, Some(char), upcoming);
                }
            }
            std::mem::swap(&mut now, &mut next);
        }
        at_end(now)
    }

    /// Marks a state and what can be reached from it without taking a character.
    fn enter(&self, at: usize, marks: &mut [u64], before: Option<char>, after: Option<char>) {
        let mut at = at;
        loop {
            let Some(word) = marks.get_mut(at / 64) else { return };
            let bit = 1 << (at % 64);
            if *word & bit != 0 {
                return;
            }
            *word |= bit;
            match self.states.get(at) {
                Some(State::Stay(_)) => at += 1,
                Some(State::Optional) => {
                    // The next state takes a character: it is marked, and leads nowhere yet.
                    if let Some(word) = marks.get_mut((at + 1) / 64) {
                        *word |= 1 << ((at + 1) % 64);
                    }
                    at += 2;
                }
                Some(State::Assert(assertion)) if assertion.holds(before, after) => at += 1,
                _ => return,
            }
        }
    }
}

impl Assertion {
    fn holds(self, before: Option<char>, after: Option<char>) -> bool {
        let word = |char: Option<char>| char.is_some_and(|char| char.is_ascii_alphanumeric() || char == '_');
        match self {
            Self::Start => before.is_none(),
            Self::End => after.is_none(),
            Self::Boundary => word(before) != word(after),
            Self::NoBoundary => word(before) == word(after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Matches by trying everything, for short patterns.
    fn tried(steps: &[Step], path: &[char], at: usize) -> bool {
        let Some((step, rest)) = steps.split_first() else { return at == path.len() };
        let many = |set: &dyn Fn(char) -> bool| {
            let mut end = at;
            loop {
                if tried(rest, path, end) {
                    return true;
                }
                if end == path.len() || !set(path[end]) {
                    return false;
                }
                end += 1;
            }
        };
        match step {
            Step::Char(char) => path.get(at) == Some(char) && tried(rest, path, at + 1),
            Step::One(set) => path.get(at).is_some_and(|char| set.has(*char)) && tried(rest, path, at + 1),
            Step::Many(set) => many(&|char| set.has(char)),
            Step::Dirs => {
                tried(rest, path, at)
                    || (at..path.len())
                        .take_while(|end| path[*end] != '\n')
                        .any(|end| path[end] == '/' && tried(rest, path, end + 1))
            }
            Step::Assert(assertion) => {
                let before = at.checked_sub(1).map(|at| path[at]);
                assertion.holds(before, path.get(at).copied()) && tried(rest, path, at)
            }
            Step::Repeat(step, min, max) => {
                let most = max.unwrap_or(min + path.len() as u32);
                (*min..=most).any(|times| {
                    let mut steps: Vec<Step> = (0..times).map(|_| (**step).clone()).collect();
                    steps.extend_from_slice(rest);
                    tried(&steps, path, at)
                })
            }
        }
    }

    fn found(alternatives: &[Vec<Step>], path: &[char]) -> bool {
        let mut open = alternatives.to_vec();
        for steps in &mut open {
            if steps.last() != Some(&Step::Assert(Assertion::End)) {
                steps.push(Step::Many(Set::All));
            }
        }
        open.iter().any(|steps| (0..=path.len()).any(|start| tried(steps, path, start)))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn sets_of_places_agree_with_trying_everything(
            pattern in r"([ab/]|\*|\*\*|\*\*/|\?|\[a\]|\[\^b\]|\\b|\\w|\||a\{2\}|b\{1,\}|\^){0,7}",
            path in "[ab/\n]{0,7}",
        ) {
            let (_, expression) = translate(&pattern);
            if let Ok(alternatives) = compile(&expression) {
                let chars: Vec<char> = path.chars().collect();
                let expected = found(&alternatives, &chars);
                let signature = Signature::of(&path);
                let mut programs: Vec<Program> = alternatives.into_iter().map(Program::new).collect();
                for _ in 0..2 {
                    let got =
                        programs.iter().any(|program| signature.holds(&program.signature) && program.matches(&path));
                    prop_assert_eq!(got, expected, "{} {}", pattern, expression);
                    // Once more without tables.
                    programs.iter_mut().for_each(|program| program.table = None);
                }
            }
        }

        #[test]
        fn a_path_is_out_with_what_is_above_it(
            pattern in r"([ab/]|\*|\*\*|\*\*/|\?|\[\^b\]|\\b|\|){1,6}",
            path in "[ab]{1,2}(/[ab]{1,2}){0,3}",
        ) {
            if let Ok(ignore) = crate::dockerignore::Ignore::from_patterns([pattern.as_str()])
                && let [pattern] = ignore.patterns()
                && !pattern.is_exception()
                && let Ok(excluded) = ignore.test(&path)
            {
                let above = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
                let expected = above.map(|end| &path[..end]).any(|path| pattern.matches(path));
                prop_assert_eq!(excluded, expected, "{:?}", pattern);
            }
        }

        #[test]
        fn any_text_is_read_and_matched(text in "[!*?a/\\\\\\[\\]^{}|\n.-]{0,40}|\\PC{0,40}", path in "\\PC{0,20}") {
            let (ignore, errors) = crate::dockerignore::Ignore::parse(&text);
            for pattern in ignore.patterns() {
                prop_assert!(pattern.range().to_usize().end <= text.len() && !pattern.range().is_empty());
            }
            for error in errors {
                prop_assert!(!error.range.of(&text).is_empty());
            }
            let _ = ignore.is_excluded(&path);
            let mut walker = ignore.walker();
            for name in path.split('/') {
                let _ = walker.excluded(name);
                walker.enter(name);
            }
        }
    }

    #[test]
    fn no_pattern_is_slow() {
        let path = "a/".repeat(2_000);
        let started = std::time::Instant::now();
        for pattern in ["**/".repeat(1_000) + "b", "*a".repeat(200) + "b", "a?{1000}".repeat(3), "[*]*{3}".repeat(9)] {
            if let Ok(ignore) = crate::dockerignore::Ignore::from_patterns([pattern.as_str()]) {
                let _ = ignore.test(path.get(..200).unwrap());
            }
        }
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}
