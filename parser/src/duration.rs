//! Durations as HEALTHCHECK's options take them: `30s`, `1m30s`, `1.5h`, `-2us` (Go's duration format).

use crate::quote::quote;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::character::complete::{char, digit0, digit1};
use nom::combinator::{opt, recognize, value};
use nom::multi::fold_many1;
use nom::{IResult, Parser};

/// Nanoseconds.
///
/// # Errors
/// BuildKit's words for what is wrong.
pub fn parse(text: &str) -> Result<i64, String> {
    if matches!(text, "0" | "+0" | "-0") {
        return Ok(0);
    }
    match signed(text) {
        Ok(("", Some(nanoseconds))) => Ok(nanoseconds),
        Ok((rest, _)) if !rest.is_empty() && !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            Err(format!("time: invalid duration {}", quote(text)))
        }
        _ => Err(reason(text)),
    }
}

/// Which of the ways a duration can be wrong this one is.
fn reason(text: &str) -> String {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    while let Ok((after, _)) = number(rest) {
        let unit = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(unit);
        if unit.is_empty() {
            return format!("time: missing unit in duration {}", quote(text));
        }
        if !matches!(scale(unit), Ok(("", _))) {
            return format!("time: unknown unit {} in duration {}", quote(unit), quote(text));
        }
        rest = next;
    }
    format!("time: invalid duration {}", quote(text))
}

/// The sum of all numbers with units; nothing where it is too large.
fn signed(input: &str) -> IResult<&str, Option<i64>> {
    let (rest, sign) = opt(alt((value(1_i128, char('+')), value(-1, char('-'))))).parse(input)?;
    let add = |sum: Option<i128>, part: Option<i128>| Some(sum?.saturating_add(part?));
    let (rest, sum) = fold_many1(part, || Some(0_i128), add).parse(rest)?;
    Ok((rest, sum.and_then(|sum| i64::try_from(sum * sign.unwrap_or(1)).ok())))
}

fn part(input: &str) -> IResult<&str, Option<i128>> {
    let (rest, (whole, fraction)) = number(input)?;
    let (rest, scale) = scale(rest)?;
    let whole = if whole.is_empty() { Some(0) } else { whole.parse::<i128>().ok() };
    // More digits than a nanosecond needs change nothing.
    let fraction = fraction.get(..fraction.len().min(18)).unwrap_or_default();
    let mut below = 0;
    let mut unit = scale;
    for digit in fraction.bytes() {
        below += i128::from(digit - b'0') * unit % 10 / 10;
        unit /= 10;
        below += i128::from(digit - b'0') * unit;
    }
    Ok((rest, whole.and_then(|whole| whole.checked_mul(scale)).map(|whole| whole + below)))
}

/// `12`, `12.5`, `12.`, `.5`
fn number(input: &str) -> IResult<&str, (&str, &str)> {
    let (rest, whole) = recognize(digit0).parse(input)?;
    let (rest, dot) = opt(char('.')).parse(rest)?;
    let (rest, fraction) = if dot.is_some() { digit0(rest)? } else { (rest, "") };
    if whole.is_empty() && fraction.is_empty() {
        return digit1(input).map(|(rest, digits)| (rest, (digits, "")));
    }
    Ok((rest, (whole, fraction)))
}

fn scale(input: &str) -> IResult<&str, i128> {
    alt((
        value(1, tag("ns")),
        value(1_000, alt((tag("us"), tag("\u{b5}s"), tag("\u{3bc}s")))),
        value(1_000_000, tag("ms")),
        value(1_000_000_000, tag("s")),
        value(60_000_000_000, tag("m")),
        value(3_600_000_000_000, tag("h")),
    ))
    .parse(input)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations() {
        assert_eq!(parse("30s"), Ok(30_000_000_000));
        assert_eq!(parse("1m30.5s"), Ok(90_500_000_000));
        assert_eq!(parse("1.5h"), Ok(5_400_000_000_000));
        assert_eq!(parse("-2\u{b5}s"), Ok(-2_000));
        assert_eq!(parse("0"), Ok(0));
        assert_eq!(parse(".5ms"), Ok(500_000));
        assert_eq!(parse("1.000000001s"), Ok(1_000_000_001));
        assert_eq!(parse("30"), Err("time: missing unit in duration \"30\"".to_owned()));
        assert_eq!(parse("30x"), Err("time: unknown unit \"x\" in duration \"30x\"".to_owned()));
        assert_eq!(parse("x"), Err("time: invalid duration \"x\"".to_owned()));
        assert_eq!(parse("5m3"), Err("time: missing unit in duration \"5m3\"".to_owned()));
        assert_eq!(parse("99999999999h"), Err("time: invalid duration \"99999999999h\"".to_owned()));
    }
}
