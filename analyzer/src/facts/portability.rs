//! Things of bash in scripts for sh.

use super::FactKind;
use super::walk::{Place, Walk};
use plimsoll_parser::shell::{ParameterOpKind, Redirect, RedirectOp, Simple, Word, WordPart};

/// Variables that bash sets by itself.
const OF_BASH: [&str; 16] = [
    "RANDOM",
    "UID",
    "EUID",
    "HOSTNAME",
    "HOSTTYPE",
    "OSTYPE",
    "MACHTYPE",
    "SECONDS",
    "BASHPID",
    "BASH_SOURCE",
    "FUNCNAME",
    "DIRSTACK",
    "SHLVL",
    "PIPESTATUS",
    "BASH_VERSION",
    "EPOCHSECONDS",
];

/// Commands that are bash's own.
const BUILTINS: [&str; 15] = [
    "pushd",
    "popd",
    "dirs",
    "shopt",
    "disown",
    "suspend",
    "typeset",
    "declare",
    "complete",
    "compgen",
    "enable",
    "caller",
    "mapfile",
    "readarray",
    "bind",
];

impl Walk<'_> {
    pub(super) fn portable_part_facts(&mut self, part: &WordPart<'_>) {
        if !self.around.plain_sh {
            return;
        }
        match part {
            WordPart::AnsiC(literal) => self.tell(FactKind::AnsiQuotesInSh, literal.range, ""),
            WordPart::Parameter(parameter) => {
                let name = parameter.name.to_string();
                if OF_BASH.contains(&name.as_str())
                    && !self.around.known.contains(&name.as_str())
                    && name != "HOSTNAME"
                    && name != "SHLVL"
                {
                    self.tell(FactKind::BashVariableInSh, parameter.range, &name);
                }
                match parameter.op.as_ref().map(|op| op.kind) {
                    Some(ParameterOpKind::Substring) => self.tell(FactKind::SubstringInSh, parameter.range, &name),
                    Some(ParameterOpKind::Replace { .. }) => {
                        self.tell(FactKind::ReplacementInSh, parameter.range, &name);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    pub(super) fn portable_word_facts(&mut self, word: &Word<'_>, place: Place) {
        if !self.around.plain_sh || place == Place::Free && !word.raw.contains('{') {
            return;
        }
        for part in &word.parts {
            if let WordPart::Literal(literal) = part
                && has_braces(&literal.value)
                && place != Place::Free
            {
                self.tell(FactKind::BracesInSh, literal.range, &word.raw);
                return;
            }
        }
        // `a{b,$c}`: the braces stand in several pieces.
        let plain: String = word
            .parts
            .iter()
            .map(|part| match part {
                WordPart::Literal(literal) | WordPart::Glob(literal) => literal.value.as_ref(),
                _ => "x",
            })
            .collect();
        if place != Place::Free && has_braces(&plain) {
            self.tell(FactKind::BracesInSh, word.range, &word.raw);
        }
    }

    pub(super) fn redirect_facts(&mut self, redirect: &Redirect<'_>) {
        if !self.around.plain_sh {
            return;
        }
        match redirect.op {
            RedirectOp::OutputBoth | RedirectOp::AppendBoth => {
                self.tell(FactKind::BothOutputsInSh, redirect.op_range, "&>");
            }
            RedirectOp::DuplicateOutput if redirect.fd.is_none() => {
                let target = redirect.target.literal().unwrap_or_default();
                if !target.bytes().all(|b| b.is_ascii_digit()) && target != "-" && !target.is_empty() {
                    self.tell(FactKind::BothOutputsInSh, redirect.op_range, ">&");
                }
            }
            RedirectOp::HereString => self.tell(FactKind::HereStringInSh, redirect.op_range, "<<<"),
            _ => {}
        }
    }

    pub(super) fn portable_command_facts(&mut self, simple: &Simple<'_>, name: &str) {
        let Some(first) = simple.words.first().filter(|_| self.around.plain_sh) else { return };
        let args = simple.words.get(1..).unwrap_or_default();
        match name {
            "source" => self.tell(FactKind::SourceInSh, first.range, name),
            "echo" => {
                if let Some(word) = args.first().filter(|word| is_echo_option(&word.raw)) {
                    self.tell(FactKind::EchoOptionInSh, word.range, &word.raw);
                }
            }
            "set" => {
                for pair in args.windows(2) {
                    let [flag, option] = pair else { continue };
                    const POSIX: [&str; 15] = [
                        "allexport",
                        "errexit",
                        "ignoreeof",
                        "monitor",
                        "noclobber",
                        "noexec",
                        "noglob",
                        "nolog",
                        "notify",
                        "nounset",
                        "verbose",
                        "vi",
                        "xtrace",
                        "emacs",
                        "hashall",
                    ];
                    let is_flag = flag.raw.starts_with(['-', '+']) && flag.raw.ends_with('o');
                    if is_flag && !POSIX.contains(&option.raw.as_ref()) {
                        self.tell(FactKind::SetOptionInSh, option.range, &option.raw);
                    }
                }
            }
            "[" | "test" => {
                if let Some(word) = args.iter().find(|word| word.is("==")) {
                    self.tell(FactKind::DoubleEqualsInSh, word.range, "==");
                }
            }
            name if BUILTINS.contains(&name) => self.tell(FactKind::BashBuiltinInSh, first.range, name),
            _ => {}
        }
    }
}

/// `-e`, `-ne`; a lone `-n` is what dash and busybox know as well.
fn is_echo_option(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b"neE".contains(&b)))
}

/// `{a,b}`, `{1..3}`
fn has_braces(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((inside, after)) = after.split_once('}') else { return false };
        if (inside.contains(',') || inside.contains("..")) && !inside.contains([' ', '\n']) {
            return true;
        }
        rest = after;
    }
    false
}
