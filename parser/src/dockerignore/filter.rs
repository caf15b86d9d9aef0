//! The walk of a build context: what is taken, what is left out, and where there is no need to look.

use super::{Ignore, PatternError};

/// What happens to an entry of the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is taken.
    Keep,
    /// It is left out. Of a directory: something below it may be taken, and then the directory is taken with it.
    Leave,
    /// A directory that is left out with everything below it.
    Prune,
}

/// Patterns of what is taken (`None`: everything) and of what is left out.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// A path has to match one of these.
    pub include: Option<Ignore>,
    /// A path must not match one of these.
    pub exclude: Option<Ignore>,
}

impl Filter {
    /// Reads a context from its root on, directory by directory.
    #[must_use]
    pub fn walker(&self) -> Walker<'_> {
        Walker::new(self.include.as_ref(), self.exclude.as_ref())
    }

    /// Which of the entries of a context are taken. They come in the order of a walk: a directory, what is below it, then its
    /// next neighbour. A directory that is left out is taken with the first thing below it that is.
    ///
    /// # Errors
    /// A pattern that does not compile; see [`Ignore::test`].
    pub fn select<'p>(&self, entries: impl IntoIterator<Item = (&'p str, bool)>) -> Result<Vec<bool>, PatternError> {
        let mut walker = self.walker();
        let mut kept = Vec::new();
        // The directories above the present entry: where each ends, its place among the entries, and whether it is pruned.
        let mut above: Vec<(&str, usize, bool)> = Vec::new();
        for (index, (path, is_dir)) in entries.into_iter().enumerate() {
            kept.push(false);
            let inside = |dir: &str| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
            while above.last().is_some_and(|(dir, ..)| !inside(dir)) {
                above.pop();
                walker.leave();
            }
            let (dir, pruned) = above.last().map_or(("", false), |(dir, _, pruned)| (*dir, *pruned));
            let name = path.get(dir.len()..).unwrap_or_default().trim_start_matches('/');
            let verdict = if pruned { Verdict::Prune } else { walker.visit(name, is_dir)? };
            if verdict == Verdict::Keep {
                for place in above.iter().map(|(_, place, _)| *place).chain([index]) {
                    if let Some(kept) = kept.get_mut(place) {
                        *kept = true;
                    }
                }
            }
            if is_dir {
                walker.enter(name);
                above.push((path, index, verdict == Verdict::Prune));
            }
        }
        Ok(kept)
    }
}

/// Where a walk stands, and what the patterns said about the directories above.
#[derive(Clone, Debug)]
pub struct Walker<'f> {
    include: Option<&'f Ignore>,
    exclude: Option<&'f Ignore>,
    /// The present directory and the entry looked at last: `dir/sub/name`.
    path: String,
    /// Length in `path` of each directory entered, outermost first, and what the patterns said there.
    above: Vec<(usize, Said)>,
    /// What the patterns said about the entry looked at last.
    last: Said,
}

#[derive(Clone, Debug, Default)]
struct Said {
    include: Vec<bool>,
    exclude: Vec<bool>,
}

impl<'f> Walker<'f> {
    pub(super) fn new(include: Option<&'f Ignore>, exclude: Option<&'f Ignore>) -> Self {
        Self { include, exclude, path: String::new(), above: Vec::new(), last: Said::default() }
    }

    /// What happens to the entry `name` of the present directory.
    ///
    /// # Errors
    /// A pattern that does not compile; see [`Ignore::test`].
    pub fn visit(&mut self, name: &str, is_dir: bool) -> Result<Verdict, PatternError> {
        self.path.truncate(self.above.last().map_or(0, |(len, _)| *len));
        if !self.path.is_empty() {
            self.path.push('/');
        }
        self.path.push_str(name);
        let above = self.above.last().map(|(_, said)| said);
        let mut verdict = Verdict::Keep;
        if let Some(include) = self.include
            && !include.step(&self.path, above.map(|said| &*said.include), &mut self.last.include)?
        {
            verdict = if is_dir && !include.may_include_below(&self.path) { Verdict::Prune } else { Verdict::Leave };
        }
        if let Some(exclude) = self.exclude
            && exclude.step(&self.path, above.map(|said| &*said.exclude), &mut self.last.exclude)?
            && verdict != Verdict::Prune
        {
            verdict = if is_dir && !exclude.may_reinclude_below(&self.path) { Verdict::Prune } else { Verdict::Leave };
        }
        Ok(verdict)
    }

    /// Whether the entry `name` of the present directory is left out, whatever becomes of things below it.
    #[must_use]
    pub fn excluded(&mut self, name: &str) -> bool {
        !matches!(self.visit(name, false), Ok(Verdict::Keep))
    }

    /// Goes into the directory `name` of the present directory.
    pub fn enter(&mut self, name: &str) {
        let len = self.above.last().map_or(0, |(len, _)| *len);
        let asked = self.path.get(len..).unwrap_or_default();
        let asked = if len == 0 { asked } else { asked.strip_prefix('/').unwrap_or_default() };
        if asked != name {
            let _ = self.visit(name, true);
        }
        self.above.push((self.path.len(), std::mem::take(&mut self.last)));
    }

    /// Goes back to the directory above.
    pub fn leave(&mut self) {
        self.above.pop();
        self.path.truncate(self.above.last().map_or(0, |(len, _)| *len));
    }

    /// The present directory, relative to the root; empty there.
    #[must_use]
    pub fn directory(&self) -> &str {
        self.path.get(..self.above.last().map_or(0, |(len, _)| *len)).unwrap_or_default()
    }
}

impl Ignore {
    /// For patterns of what is taken: whether one could take something below `dir`, which none takes itself.
    fn may_include_below(&self, dir: &str) -> bool {
        let plain = self.patterns.iter().all(|pattern| pattern.negated || pattern.is_plain());
        !plain || self.patterns.iter().any(|pattern| !pattern.negated && pattern.may_be_below(dir))
    }
}
