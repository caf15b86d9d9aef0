//! What is to be said of the comments that switch findings off.

use plimsoll_analyzer::diagnostic::Diagnostic;
use plimsoll_analyzer::model::Model;
use plimsoll_analyzer::pragma::{Ask, Dialect};
use plimsoll_rules::UnusedIgnore;
use plimsoll_rules::ignores::{ReasonlessComment, UnusedComment};

/// The id of a comment that switches nothing off.
pub const UNUSED: &str = UnusedComment::META.id;
/// The id of one that does not say why.
const REASONLESS: &str = ReasonlessComment::META.id;

/// A finding for each comment that switches nothing off, and for each of Plimsoll's without a reason where one is required.
pub fn about(model: &Model<'_>, unused: &[UnusedIgnore], require_reason: bool) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for ignore in unused {
        let names = ignore.names.join(", ");
        let mut diagnostic = Diagnostic::new(UNUSED, ignore.comment, format!("{names}: nothing here is switched off"))
            .with_help("remove what is not needed: it would hide a finding to come");
        diagnostic.severity = UnusedComment::META.severity;
        found.push(diagnostic);
    }
    for pragma in model.pragmas().iter().filter(|_| require_reason) {
        if pragma.dialect == Dialect::Plimsoll && matches!(pragma.ask, Ask::Ignore { .. }) && pragma.reason.is_none() {
            let message = "the comment does not say why";
            let help = "write the reason behind the names: `# plimsoll ignore=RULE the next RUN needs them`";
            found.push(Diagnostic::new(REASONLESS, pragma.range, message).with_help(help));
        }
    }
    found
}
