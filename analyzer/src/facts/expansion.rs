//! What is split into words.

use super::FactKind;
use super::walk::{Place, Walk};
use plimsoll_parser::shell::{Command, List, SubstitutionForm, WordPart};

impl Walk<'_> {
    pub(super) fn part_facts(&mut self, part: &WordPart<'_>, place: Place, quoted: bool) {
        self.quoting_facts(part, quoted);
        self.portable_part_facts(part);
        match part {
            WordPart::Parameter(parameter) if !quoted && place == Place::Argument => {
                if parameter.name.as_str() == "@" && !parameter.length {
                    self.tell(FactKind::UnquotedArguments, parameter.range, "@");
                } else if self.variables.may_split(parameter) {
                    let name = parameter.name.to_string();
                    self.tell(FactKind::UnquotedVariable, parameter.range, &name);
                }
            }
            WordPart::Command(substitution) => {
                let name = only_program(&substitution.list).unwrap_or_default();
                let empty = substitution.list.items.is_empty();
                if !quoted && !empty && place == Place::Argument && !matches!(name.as_str(), "seq" | "pgrep" | "pidof")
                {
                    self.tell(FactKind::UnquotedSubstitution, substitution.range, &name);
                }
                if substitution.form == SubstitutionForm::Backquote && !empty {
                    self.tell(FactKind::Backquotes, substitution.range, &name);
                }
            }
            _ => {}
        }
    }
}

/// The program of a list that is one simple command.
fn only_program(list: &List<'_>) -> Option<String> {
    let [item] = list.items.as_slice() else { return None };
    let alone = item.list.rest.is_empty() && item.list.first.commands.len() == 1;
    match item.list.first.commands.first().filter(|_| alone)? {
        Command::Simple(simple) => simple.words.first()?.literal().map(std::borrow::Cow::into_owned),
        _ => None,
    }
}
