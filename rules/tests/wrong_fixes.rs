//! Fixes that other tools get wrong: here they are refused or done right, safe and unsafe ones alike.

use plimsoll_analyzer::Applicability;
use plimsoll_analyzer::model::{Inputs, Model};
use plimsoll_parser::Edit;
use plimsoll_rules::{Settings, check_all};

/// The text after every fix that may be applied, to a fixed point.
fn fixed(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..20 {
        let file = plimsoll_parser::parse(&text);
        let model = Model::new(&file, Inputs::default());
        let mut edits: Vec<Edit> = Vec::new();
        for diagnostic in check_all(&model, &Settings::default()) {
            let Some(fix) = diagnostic.fix.filter(|fix| fix.applicability() != Applicability::Manual) else { continue };
            let apart = |a: &Edit, b: &Edit| a.range.end < b.range.start || b.range.end < a.range.start;
            if fix.edits().iter().all(|edit| edits.iter().all(|other| apart(edit, other))) {
                edits.extend(fix.edits().iter().cloned());
            }
        }
        if edits.is_empty() {
            return text;
        }
        edits.sort_by_key(|edit| std::cmp::Reverse(edit.range));
        for edit in edits {
            text.replace_range(edit.range.to_usize(), &edit.text);
        }
    }
    panic!("the fixes never end:\n{text}");
}

fn untouched(text: &str) {
    assert_eq!(fixed(text), text);
}

#[test]
fn a_package_list_keeps_its_order_and_its_continuations() {
    let text = "FROM debian:12\nRUN apt-get update && apt-get install -y --no-install-recommends \\\n    zip=3 \\\n    curl=8 \\\n    # for the tests\n    bash=5 \\\n && rm -rf /var/lib/apt/lists/*\n";
    untouched(text);
}

#[test]
fn the_old_form_of_env_over_two_lines_is_left() {
    untouched("FROM debian:12\nENV NAME \\\n    value of it\n");
}

#[test]
fn a_flag_keeps_its_value() {
    let text = "FROM centos:7\nRUN yum install -y --setopt tsflags=nodocs \\\n    httpd-2.4.6 && yum clean all\n";
    untouched(text);
}

#[test]
fn chmod_with_letters_stays_in_run() {
    untouched("FROM debian:12\nCOPY run.sh /run.sh\nRUN chmod +x /run.sh\n");
    let recursive = "FROM debian:12\nCOPY bin /opt/bin\nRUN chmod -R +x /opt/bin\n";
    untouched(recursive);
}

#[test]
fn a_failure_that_is_allowed_stays_allowed() {
    untouched("FROM debian:12\nRUN cd /tmp && false || true\nRUN true\n");
}

#[test]
fn commands_after_a_semicolon_are_not_joined() {
    let text = "FROM debian:12\nRUN test -f /x; echo two\nRUN true\n";
    untouched(text);
    untouched("FROM debian:12\nRUN cd /tmp\nRUN ls\n");
    untouched("FROM debian:12\nRUN set +e\nRUN ls\n");
}

#[test]
fn cd_does_not_become_workdir() {
    untouched("FROM debian:12\nRUN cd /w && make\nRUN ls && true\n");
}

#[test]
fn no_shell_is_added() {
    untouched("FROM alpine:3.20\nRUN curl https://example.org/a | tar -x\n");
    untouched("FROM debian:12\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nRUN a | b\n");
}

#[test]
fn quoted_text_stays_quoted() {
    untouched("FROM debian:12\nRUN echo 'l $HOME' >> /etc/f && echo 'b' >> /etc/f\n");
}

#[test]
fn the_shell_form_with_exec_stays() {
    untouched("FROM debian:12\nENTRYPOINT exec top -b\n");
}

#[test]
fn no_variables_are_added_for_downloads() {
    let text = "FROM debian:12\nRUN curl -fsSLO https://example.org/a && wget -q https://example.org/b\n";
    untouched(text);
}

#[test]
fn a_tool_that_is_removed_again_is_not_called_after_that() {
    let text = "FROM debian:12\nRUN npm ci && apt-get remove -y npm\n";
    untouched(text);
}
