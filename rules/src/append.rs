//! A command put at the end of a RUN, laid out as its author laid out the others.

use plimsoll_analyzer::model::{Model, Run};
use plimsoll_parser::Edit;

/// `command` after the RUN's last one, which ends at `end`: on a line of its own where the RUN has several, indented and
/// joined as they are.
pub(crate) fn command(model: &Model<'_>, run: &Run<'_>, end: u32, command: &str) -> Edit {
    let text = model.file.text.get(run.instruction.range.start as usize..end as usize).unwrap_or_default();
    let escape = model.file.escape;
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let is_said = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let lines: Vec<&str> = text.lines().filter(is_said).collect();
    let Some((_, rest)) = lines.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return Edit::insert(end, format!(" && {command}"));
    };
    let indent = |line: &str| line.chars().take_while(|c| matches!(c, ' ' | '\t')).collect::<String>();
    let leading = rest.iter().rfind(|line| line.trim_start().starts_with("&&"));
    let trails = |line: &str| line.trim_end().trim_end_matches(escape).trim_end().ends_with("&&");
    let after_trailing = lines.windows(2).rfind(|pair| matches!(pair, [line, _] if trails(line)));
    match (leading, after_trailing) {
        (None, Some([_, line])) => Edit::insert(end, format!(" && {escape}{newline}{}{command}", indent(line))),
        (leading, _) => {
            let least = || rest.iter().map(|line| indent(line)).min_by_key(String::len).unwrap_or_default();
            let indent = leading.map_or_else(least, |line| indent(line));
            Edit::insert(end, format!(" {escape}{newline}{indent}&& {command}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::layer_size::apt_lists_kept::AptListsKept;
    use crate::testing::fixed;

    fn run(text: &str) -> String {
        fixed(&AptListsKept, &format!("FROM debian:12\nRUN {text}\n"))
            .trim_start_matches("FROM debian:12\nRUN ")
            .trim_end()
            .to_owned()
    }

    #[test]
    fn joined_as_the_author_joins() {
        let list = "/var/lib/apt/lists/*";
        assert_eq!(run("apt-get update"), format!("apt-get update && rm -rf {list}"));
        let leading = "apt-get update \\\n\t&& apt-get install -y \\\n\t\tcurl";
        assert_eq!(run(leading), format!("{leading} \\\n\t&& rm -rf {list}"));
        let trailing = "apt-get update && \\\n  apt-get install -y \\\n    curl";
        assert_eq!(run(trailing), format!("{trailing} && \\\n  rm -rf {list}"));
        let packages = "apt-get update && apt-get install -y \\\n    # why\n      curl \\\n    git";
        assert_eq!(run(packages), format!("{packages} \\\n    && rm -rf {list}"));
        let windows = "apt-get update \\\r\n && true";
        assert_eq!(run(windows), format!("{windows} \\\r\n && rm -rf {list}"));
    }
}
