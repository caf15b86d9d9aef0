//! `ONBUILD instruction` (Dockerfile reference, "ONBUILD").

use super::{Line, Reader, flags, instruction};
use crate::syntax::Kind;

pub(super) fn read<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Kind<'s>> {
    if line.args.is_empty() {
        return line.missing_argument(reader);
    }
    if reader.trigger {
        // A trigger of a trigger: refused by the line around it, and not read any deeper.
        return None;
    }
    let logical = line.logical().sub(line.args.clone());
    let range = logical.full_range();
    let inner = &mut Reader { escape: reader.escape, errors: reader.errors, warnings: reader.warnings, trigger: true };
    let trigger = instruction(logical, range, inner);
    let keyword = trigger.keyword.to_uppercase();
    let place = trigger.keyword.range;
    if !flags::check(line, &[], reader) {
        return None;
    }
    match keyword.as_str() {
        "ONBUILD" => {
            let message = "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed";
            reader.wrong("onbuild-chained", place, message, "write ONBUILD once");
            None
        }
        "MAINTAINER" | "FROM" => {
            let message = format!("{keyword} isn't allowed as an ONBUILD trigger");
            reader.wrong("onbuild-trigger", place, message, "take the line out: it cannot wait for another build");
            None
        }
        _ => Some(Kind::Onbuild(Box::new(trigger))),
    }
}
