//! Manual pages, out of what the rules say of themselves.

use crate::rule::Meta;

/// The page of a rule as markdown.
#[must_use]
pub fn page(meta: &Meta) -> String {
    let mut page = format!("# {}\n\n", meta.id);
    page.push_str(&format!(
        "{} · {} · fix: {} · since {}\n",
        meta.group.as_str(),
        meta.severity,
        meta.fixable.as_str(),
        meta.since
    ));
    if !meta.aliases.is_empty() {
        page.push_str(&format!("\nAlso known as {}.\n", meta.aliases.join(", ")));
    }
    page.push('\n');
    for line in meta.page {
        let line = line.strip_prefix(' ').unwrap_or(line);
        let line = match line.strip_prefix("```dockerfile,") {
            Some(info) => {
                let kind = info.split(',').next().unwrap_or_default();
                page.push_str(if kind == "bad" { "Instead of\n\n" } else { "write\n\n" });
                "```dockerfile"
            }
            None => line,
        };
        page.push_str(line.trim_end());
        page.push('\n');
    }
    if !meta.may_change.is_empty() {
        page.push_str("\nAfter its safe fix, images may differ in:\n\n");
        for path in meta.may_change {
            page.push_str(&format!("- `{path}`\n"));
        }
    }
    page
}
