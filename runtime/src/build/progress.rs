//! What a build tells while it runs.

use std::time::Duration;

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'e> {
    /// A stage begins.
    Stage {
        /// Its number in the file.
        index: usize,
        /// Its name.
        name: Option<&'e str>,
        /// What it stands on.
        base: &'e str,
    },
    /// An image is fetched.
    Pull {
        /// Which.
        image: &'e str,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, when known.
        total: Option<u64>,
    },
    /// A step begins.
    Step {
        /// Its number among all steps of the build, from 1.
        number: usize,
        /// How many steps there are.
        total: usize,
        /// The stage's number.
        stage: usize,
        /// The instruction, continuations joined.
        instruction: &'e str,
        /// Its line.
        line: u32,
    },
    /// A line that a process wrote.
    Output {
        /// The step's number.
        number: usize,
        /// Whether it came from standard error.
        stderr: bool,
        /// Without its end; bytes that are no UTF-8 are replaced.
        line: &'e str,
    },
    /// A step is done.
    Done {
        /// Its number.
        number: usize,
        /// It had been done before.
        cached: bool,
        /// How long it took.
        duration: Duration,
        /// Uncompressed bytes of its layer, when it has one.
        layer: Option<u64>,
    },
    /// Something the user should know.
    Warning {
        /// What.
        message: &'e str,
        /// The line it is about.
        line: Option<u32>,
    },
}

/// Whoever wants to know how a build goes on.
pub trait Progress: Send {
    /// Takes note.
    fn event(&mut self, event: Event<'_>);
}

/// Nobody does.
impl Progress for () {
    fn event(&mut self, _event: Event<'_>) {}
}
