//! Pages that stand alone: one file, no script, no font and no request; light or dark as the reader likes it.

/// Text as it stands in an element or a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A whole page.
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n",
        escape(title)
    )
}

/// A unified diff as lines with a class each.
pub fn diff(text: &str) -> String {
    let mut out = String::from("<pre class=\"diff\">");
    for line in text.lines() {
        let class = match line.as_bytes().first() {
            _ if line.starts_with("+++") || line.starts_with("---") => "file",
            Some(b'+') => "plus",
            Some(b'-') => "minus",
            Some(b'@') => "hunk",
            _ => "",
        };
        out.push_str(&format!("<span class=\"{class}\">{}\n</span>", escape(line)));
    }
    out.push_str("</pre>");
    out
}

const STYLE: &str = "
:root { color-scheme: light dark; --ground: #fff; --text: #1c2430; --quiet: #5b6675; --line: #d9dee5; --panel: #f5f7f9;
  --good: #1a7f4b; --bad: #b3261e; --bar: #2c6fbb; --plus: #e3f5ea; --minus: #fbe7e6;
  --t0: #cfe0f3; --t1: #d6ebdc; --t2: #f3e3c8; --t3: #ecd7e6; --t4: #dcdcf2; --t5: #e4e7ea; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #12161c; --text: #e4e8ee; --quiet: #9aa5b3; --line: #2c343f; --panel: #1a2028;
    --good: #62c990; --bad: #f28b82; --bar: #6aa9ee; --plus: #173324; --minus: #3b1f1f;
    --t0: #23405f; --t1: #24492f; --t2: #4f3d1c; --t3: #492f43; --t4: #34345c; --t5: #353b43; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 1.25rem 1rem 3rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
.quiet { color: var(--quiet); } .good { color: var(--good); } .bad { color: var(--bad); }
.verdict { font-size: 1.15rem; font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--quiet); font-weight: 500; } td.n, th.n { text-align: right; white-space: nowrap; }
td code { overflow-wrap: anywhere; }
.bar { background: var(--panel); height: .9rem; min-width: 6rem; border-radius: 2px; }
.bar i { display: block; height: 100%; background: var(--bar); border-radius: 2px; min-width: 2px; }
pre { background: var(--panel); padding: .7rem; overflow-x: auto; font: 13px/1.45 ui-monospace, monospace; border-radius: 4px; }
.diff span { display: block; min-width: max-content; margin: 0 -.7rem; padding: 0 .7rem; }
.diff .plus { background: var(--plus); } .diff .minus { background: var(--minus); }
.diff .hunk, .diff .file { color: var(--quiet); }
.maps { display: grid; grid-template-columns: 1fr; gap: 1.2rem; }
@media (min-width: 60rem) { .maps { grid-template-columns: 1fr 1fr; } }
figure { margin: 0; } figcaption { color: var(--quiet); margin-bottom: .3rem; }
.treemap { width: 100%; height: auto; display: block; background: var(--panel); border-radius: 4px; }
.treemap rect { stroke: var(--ground); stroke-width: 1.5; } .treemap text { font: 10.5px ui-monospace, monospace; fill: var(--text); }
.t0 rect { fill: var(--t0); } .t1 rect { fill: var(--t1); } .t2 rect { fill: var(--t2); }
.t3 rect { fill: var(--t3); } .t4 rect { fill: var(--t4); } .t5 rect { fill: var(--t5); }
@media (max-width: 40rem) { th, td { padding: .3rem .35rem; } th.n { white-space: normal; } .wide { display: none; } body { font-size: 14px; } }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_asks_for_nothing_and_runs_nothing() {
        let page = page("a <b>", &diff("--- a\n+++ b\n-<i>\n+&"));
        assert!(page.contains("<title>a &lt;b&gt;</title>"));
        assert!(page.contains("<span class=\"minus\">-&lt;i&gt;\n</span><span class=\"plus\">+&amp;\n</span>"));
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));
    }
}
