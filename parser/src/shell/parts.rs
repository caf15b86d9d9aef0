//! The pieces of a word, of which there is nearly always one.

use super::tree::WordPart;

/// The pieces of a word: a slice that costs no allocation while there is but one.
#[derive(Clone, Default)]
pub struct Parts<'s>(Inner<'s>);

#[derive(Clone, Default)]
enum Inner<'s> {
    #[default]
    None,
    One(WordPart<'s>),
    Many(Vec<WordPart<'s>>),
}

impl<'s> Parts<'s> {
    /// The pieces.
    #[must_use]
    pub fn as_slice(&self) -> &[WordPart<'s>] {
        match &self.0 {
            Inner::None => &[],
            Inner::One(part) => std::slice::from_ref(part),
            Inner::Many(parts) => parts,
        }
    }

    pub(super) fn push(&mut self, part: WordPart<'s>) {
        self.0 = match std::mem::take(&mut self.0) {
            Inner::None => Inner::One(part),
            Inner::One(first) => Inner::Many(vec![first, part]),
            Inner::Many(mut parts) => {
                parts.push(part);
                Inner::Many(parts)
            }
        };
    }
}

impl<'s> From<WordPart<'s>> for Parts<'s> {
    fn from(part: WordPart<'s>) -> Self {
        Self(Inner::One(part))
    }
}

impl<'s> From<Vec<WordPart<'s>>> for Parts<'s> {
    fn from(parts: Vec<WordPart<'s>>) -> Self {
        Self(Inner::Many(parts))
    }
}

impl<'s> std::ops::Deref for Parts<'s> {
    type Target = [WordPart<'s>];
    fn deref(&self) -> &[WordPart<'s>] {
        self.as_slice()
    }
}

impl<'t, 's> IntoIterator for &'t Parts<'s> {
    type Item = &'t WordPart<'s>;
    type IntoIter = std::slice::Iter<'t, WordPart<'s>>;
    fn into_iter(self) -> Self::IntoIter {
        self.as_slice().iter()
    }
}

impl std::fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_slice().fmt(f)
    }
}
