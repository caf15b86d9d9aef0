//! Labels and the forms of their values.

use crate::options::{LabelKind, Options};
use crate::words::unquoted;
use plimsoll_analyzer::model::{Model, Step};
use plimsoll_parser::syntax::{Kind, Pair};

/// Every label of the file with its step, triggers left aside.
pub(crate) fn pairs<'t, 'm>(model: &'t Model<'m>) -> impl Iterator<Item = (&'t Step<'m>, &'m Pair<'m>)> + 't {
    model.steps().iter().filter(|step| !step.onbuild).flat_map(|step| {
        let pairs: &'m [Pair<'m>] = match &step.instruction.kind {
            Kind::Label(pairs) => pairs,
            _ => &[],
        };
        pairs.iter().map(move |pair| (step, pair))
    })
}

/// Hands `refuse` the labels of that kind whose value does not hold.
pub(crate) fn check_values<'m>(
    model: &Model<'m>,
    options: &Options,
    kind: LabelKind,
    holds: impl Fn(&str) -> bool,
    mut refuse: impl FnMut(&'m Pair<'m>),
) {
    if !options.label_schema.values().any(|known| *known == kind) {
        return;
    }
    for (_, pair) in pairs(model) {
        if options.label_schema.get(unquoted(&pair.key)) == Some(&kind) && !holds(unquoted(&pair.value)) {
            refuse(pair);
        }
    }
}

/// A scheme, a colon and no blank.
pub(crate) fn is_url(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once(':') else { return false };
    let mut letters = scheme.bytes();
    letters.next().is_some_and(|b| b.is_ascii_alphabetic())
        && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        && !rest.contains(|c: char| c.is_whitespace() || "<>\"{}|\\^`".contains(c))
}

/// `2021-03-10T10:26:33.5+01:00`
pub(crate) fn is_rfc3339(value: &str) -> bool {
    let Some((date, time)) = value.split_once(['T', 't']) else { return false };
    let numbers = |text: &str, by: char| -> Option<Vec<u32>> { text.split(by).map(number).collect() };
    let Some(&[year, month, day]) = numbers(date, '-').as_deref() else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let zone = time.find(['Z', 'z', '+', '-']);
    let Some((clock, zone)) = zone.map(|at| time.split_at(at)) else { return false };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let Some(&[hour, minute, second]) = numbers(clock, ':').as_deref() else { return false };
    let offset = zone.trim_start_matches(['+', '-']).replace(':', "");
    let zoned = zone.eq_ignore_ascii_case("z") || offset.len() == 4 && number(&offset).is_some();
    (1..=12).contains(&month)
        && (1..=days).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60
        && !fraction.is_empty()
        && fraction.bytes().all(|b| b.is_ascii_digit())
        && zoned
        && date.len() == 10
        && clock.len() == 8
}

fn number(text: &str) -> Option<u32> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Seven or forty hexadecimal digits.
pub(crate) fn is_hash(value: &str) -> bool {
    matches!(value.len(), 7 | 40) && value.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Three numbers, then what follows `-` and `+`.
pub(crate) fn is_semver(value: &str) -> bool {
    let (core, rest) = value.find(['-', '+']).map_or((value, ""), |at| value.split_at(at));
    let numbers: Vec<_> = core.split('.').map(number).collect();
    numbers.len() == 3
        && numbers.iter().all(Option::is_some)
        && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+.".contains(&b))
}

/// Something, an at sign, something, no blank.
pub(crate) fn is_email(value: &str) -> bool {
    let Some((user, host)) = value.split_once('@') else { return false };
    let fine = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "@<>,()".contains(c));
    fine(user) && fine(host)
}

/// Whether a label may have this name.
pub(crate) fn is_name(name: &str) -> bool {
    let reserved = ["com.docker.", "io.docker.", "org.dockerproject."];
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b);
    let (first, last) = (name.bytes().next(), name.bytes().last());
    first.is_some_and(|b| b.is_ascii_lowercase())
        && last.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && name.bytes().all(fine)
        && !name.contains("..")
        && !name.contains("--")
        && !reserved.iter().any(|prefix| name.starts_with(prefix))
}
