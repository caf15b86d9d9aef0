//! Parts of answers that a probe says may differ.

use plimsoll_runtime::probe::Answer;

/// What stands in the place of an ignored part.
const IGNORED: &str = "(ignored)";

/// Replaces in `answer` whatever the patterns match.
pub fn answer(answer: &mut Answer, patterns: &[String]) {
    if patterns.is_empty() {
        return;
    }
    match answer {
        Answer::Http(http) => {
            // A body that is no text has nothing that a pattern could name.
            if let Ok(text) = std::str::from_utf8(&http.body) {
                http.body = text_without(text, patterns).into_bytes();
            }
        }
        Answer::Exec { stdout, stderr, .. } => {
            *stdout = text_without(stdout, patterns);
            *stderr = text_without(stderr, patterns);
        }
        _ => {}
    }
}

fn text_without(text: &str, patterns: &[String]) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        let (content, end) = line.strip_suffix('\n').map_or((line, ""), |content| (content, "\n"));
        patterns.iter().fold(content.to_owned(), |line, pattern| line_without(&line, pattern)) + end
    });
    lines.collect()
}

/// The line with every match of the pattern replaced; each `*` takes as little as it can.
fn line_without(line: &str, pattern: &str) -> String {
    let parts: Vec<&str> = pattern.split('*').collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return line.to_owned() };
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(first) {
        let mut end = start + first.len();
        for part in parts.iter().skip(1) {
            let Some(at) = rest.get(end..).and_then(|tail| tail.find(part)) else { return out + rest };
            end += at + part.len();
        }
        if parts.len() > 1 && last.is_empty() {
            end = rest.len();
        }
        if end == start {
            break;
        }
        out.push_str(rest.get(..start).unwrap_or_default());
        out.push_str(IGNORED);
        rest = rest.get(end..).unwrap_or_default();
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_match_goes_and_a_star_takes_little() {
        assert_eq!(
            line_without(r#"{"a": "1", "t": "x", "t": "y"}"#, r#""t": "*""#),
            r#"{"a": "1", (ignored), (ignored)}"#
        );
        assert_eq!(line_without("id 42 of host", "id *"), "(ignored)");
        assert_eq!(line_without("nothing here", "id *"), "nothing here");
        assert_eq!(line_without("x", ""), "x");
        assert_eq!(text_without("t=1\nu=2\n", &["t=*".to_owned()]), "(ignored)\nu=2\n");
    }
}
