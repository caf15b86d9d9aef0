//! What stands out in a shell script, found in one walk so that each rule has only to tell it.

mod builtins;
mod expansion;
mod portability;
mod quoting;
mod variables;
mod walk;

pub use walk::{Surroundings, find};

use plimsoll_parser::TextRange;

/// One thing that stands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub kind: FactKind,
    /// Where.
    pub range: TextRange,
    /// The name it is about: a variable, an option, a program.
    pub name: String,
}

/// The kinds of things that stand out in shell code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FactKind {
    /// `$name` that is split into words.
    UnquotedVariable,
    /// `$(…)` that is split into words.
    UnquotedSubstitution,
    /// `$@` without quotes.
    UnquotedArguments,
    /// `` `…` ``
    Backquotes,
    /// `echo $(…)`
    EchoOfSubstitution,
    /// `'$name'`
    ExpansionInSingleQuotes,
    /// `echo "\n"`
    EscapeForEcho,
    /// `rm *`
    GlobLikeOption,
    /// `printf "$name"`
    VariableInFormat,
    /// `\d` outside of quotes.
    EscapedLetter,
    /// `\n` outside of quotes.
    EscapedControl,
    /// `export NAME="$(…)"`
    MaskedStatus,
    /// `cd` whose failure goes unnoticed.
    UncheckedCd,
    /// A variable that is set and never used.
    UnusedVariable,
    /// A variable that is used and never set.
    UnsetVariable,
    /// One that is nearly like another that is set.
    MisspelledVariable,
    /// `for x in one`
    LoopOverOne,
    /// `find | xargs`
    FindIntoXargs,
    /// `ls | …`
    ListingRead,
    /// `grep | wc -l`
    CountedMatches,
    /// `egrep`, `fgrep`
    OldGrep,
    /// `! command` where nothing looks at the status.
    IdleNegation,
    /// `rm -rf "$name/"`
    RemovalOfRoot,
    /// `mkdir -p -m`
    ModeWithParents,
    /// `source` in sh.
    SourceInSh,
    /// `{a,b}` in sh.
    BracesInSh,
    /// `[[ ]]` in sh.
    DoubleBracketInSh,
    /// `==` in `[` of sh.
    DoubleEqualsInSh,
    /// `echo -e` in sh.
    EchoOptionInSh,
    /// `set -o pipefail` in sh.
    SetOptionInSh,
    /// `&>` in sh.
    BothOutputsInSh,
    /// `$RANDOM` in sh.
    BashVariableInSh,
    /// `${name:1:2}` in sh.
    SubstringInSh,
    /// `${name/a/b}` in sh.
    ReplacementInSh,
    /// `pushd` and its like in sh.
    BashBuiltinInSh,
    /// `$'…'` in sh.
    AnsiQuotesInSh,
    /// `<<<` in sh.
    HereStringInSh,
    /// `|&` in sh.
    PipeBothInSh,
    /// `name=( … )` in sh.
    ArrayInSh,
    /// A name of a command that ends in what cannot be meant.
    OddCommandName,
    /// The script cannot be read from here on: a bracket.
    StrayBracket,
    /// The script cannot be read from here on.
    Unreadable,
}
