//! Which program a simple command starts, looked at through `sudo`, `env` and their like.

use super::tree::{Simple, Word};
use std::borrow::Cow;

/// The program a simple command starts and its arguments.
#[derive(Clone, Debug)]
pub struct Invocation<'t, 's> {
    /// The program's word.
    pub word: &'t Word<'s>,
    /// The program as written, quotes removed: `apt-get`, `/usr/bin/apt-get`.
    pub name: Cow<'s, str>,
    /// Its arguments.
    pub args: &'t [Word<'s>],
    /// What stands in front of it with its own options (`sudo -E`, `env A=b`): the words before the program.
    pub wrappers: &'t [Word<'s>],
}

impl<'t, 's> Invocation<'t, 's> {
    /// The program without its directory.
    #[must_use]
    pub fn program(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    /// The arguments as literals; an argument that holds an expansion is none.
    pub fn literals(&self) -> impl Iterator<Item = (&'t Word<'s>, Option<Cow<'s, str>>)> + use<'t, 's> {
        self.args.iter().map(|word| (word, word.literal()))
    }

    /// Whether one of the arguments is exactly one of `flags`.
    #[must_use]
    pub fn has_flag(&self, flags: &[&str]) -> bool {
        self.args.iter().any(|word| flags.iter().any(|flag| word.is(flag)))
    }

    /// Arguments that are not options: nothing that begins with `-`, and everything after `--`. An expansion counts as one.
    pub fn operands(&self) -> impl Iterator<Item = &'t Word<'s>> + use<'t, 's> {
        let mut all = false;
        self.args.iter().filter(move |word| {
            if all {
                return true;
            }
            all = word.is("--");
            let option = word.raw.starts_with('-') && word.raw.len() > 1;
            !all && !option
        })
    }

    /// Whether it is started through `program` (`sudo`, `env`).
    #[must_use]
    pub fn through(&self, program: &str) -> bool {
        self.wrappers.iter().any(|word| word.is(program))
    }
}

/// A program that runs the program behind its own options.
struct Wrapper {
    name: &'static str,
    /// Short options that take the next word, by letter.
    short: &'static str,
    /// Long options that take the next word.
    long: &'static [&'static str],
    /// How many words of its own follow the options.
    operands: usize,
    /// Options with which it runs nothing.
    stops: &'static [&'static str],
}

const WRAPPERS: &[Wrapper] = &[
    Wrapper {
        name: "sudo",
        short: "ugpCrthDRT",
        long: &["--user", "--group", "--prompt", "--chdir", "--chroot", "--host", "--role", "--type", "--close-from"],
        operands: 0,
        stops: &["-l", "-v", "-V", "-e", "--list", "--validate", "--edit", "-k", "-K"],
    },
    Wrapper { name: "doas", short: "uCa", long: &[], operands: 0, stops: &["-L"] },
    Wrapper { name: "env", short: "uCS", long: &["--unset", "--chdir", "--split-string"], operands: 0, stops: &[] },
    Wrapper { name: "command", short: "", long: &[], operands: 0, stops: &["-v", "-V"] },
    Wrapper { name: "builtin", short: "", long: &[], operands: 0, stops: &[] },
    Wrapper { name: "exec", short: "a", long: &[], operands: 0, stops: &[] },
    Wrapper { name: "time", short: "fo", long: &["--format", "--output"], operands: 0, stops: &[] },
    Wrapper { name: "nohup", short: "", long: &[], operands: 0, stops: &[] },
    Wrapper { name: "nice", short: "n", long: &["--adjustment"], operands: 0, stops: &[] },
    Wrapper {
        name: "ionice",
        short: "cnpPu",
        long: &["--class", "--classdata"],
        operands: 0,
        stops: &["-p", "-P", "-u"],
    },
    Wrapper { name: "timeout", short: "ks", long: &["--kill-after", "--signal"], operands: 1, stops: &[] },
    Wrapper { name: "stdbuf", short: "ioe", long: &["--input", "--output", "--error"], operands: 0, stops: &[] },
    Wrapper { name: "setarch", short: "", long: &[], operands: 1, stops: &[] },
    Wrapper { name: "eatmydata", short: "", long: &[], operands: 0, stops: &[] },
    Wrapper { name: "gosu", short: "", long: &[], operands: 1, stops: &[] },
    Wrapper { name: "su-exec", short: "", long: &[], operands: 1, stops: &[] },
];

impl<'s> Simple<'s> {
    /// The program it starts, looked for behind `sudo`, `doas`, `env`, `command`, `builtin`, `exec`, `time`, `nohup`,
    /// `nice`, `ionice`, `timeout`, `stdbuf`, `eatmydata`, `gosu` and `su-exec`. None where the program's name is an expansion
    /// or there is none. What `eval`, `xargs` and `sh -c` run is not looked into.
    #[must_use]
    pub fn invocation(&self) -> Option<Invocation<'_, 's>> {
        let mut at = 0;
        loop {
            let word = self.words.get(at)?;
            let name = word.literal()?;
            let program = name.rsplit('/').next().unwrap_or_default();
            if let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.name == program)
                && let Some(next) = behind(wrapper, self.words.get(at + 1..).unwrap_or_default())
            {
                at += 1 + next;
                continue;
            }
            let args = self.words.get(at + 1..).unwrap_or_default();
            return Some(Invocation { word, name, args, wrappers: self.words.get(..at).unwrap_or_default() });
        }
    }
}

/// How many words after the wrapper's name are its own; none where it runs nothing.
fn behind(wrapper: &Wrapper, words: &[Word<'_>]) -> Option<usize> {
    let mut at = 0;
    let mut operands = wrapper.operands;
    loop {
        let word = words.get(at)?;
        let raw = &*word.raw;
        let assignment = matches!(wrapper.name, "env" | "sudo") && !raw.starts_with('-') && raw.contains('=');
        if wrapper.stops.contains(&raw) {
            return None;
        }
        if raw == "--" {
            at += 1 + operands;
            break;
        } else if let Some(long) = raw.strip_prefix("--") {
            at += if long.contains('=') || !wrapper.long.contains(&raw) { 1 } else { 2 };
        } else if raw.len() > 1 && raw.starts_with('-') {
            // In a cluster (`-Eu root`) the first letter that takes a value ends it.
            let letters = raw.get(1..).unwrap_or_default();
            let value = letters.char_indices().find(|(_, letter)| wrapper.short.contains(*letter));
            at += if value.is_some_and(|(index, letter)| index + letter.len_utf8() == letters.len()) { 2 } else { 1 };
        } else if assignment {
            at += 1;
        } else if operands > 0 {
            operands -= 1;
            at += 1;
        } else {
            break;
        }
    }
    words.get(at).map(|_| at)
}
