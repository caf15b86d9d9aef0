//! The wrong fixes that other tools were seen to make: each is done right here, or not at all.

use plimsoll_analyzer::diagnostic::Diagnostic;
use plimsoll_analyzer::model::{Inputs, Model};
use plimsoll_optimizer::converge::{Converged, Outcome};
use plimsoll_optimizer::{Level, converge};
use plimsoll_rules::{Settings, check_all};

fn check(text: &str) -> Vec<Diagnostic> {
    let file = plimsoll_parser::parse(text);
    check_all(&Model::new(&file, Inputs::default()), &Settings::default())
}

/// Every fix that is not the author's choice, to a fixed point; the result parses.
fn fixed(text: &str) -> String {
    let Converged { text: fixed, outcome, .. } = converge(text, &mut check, Level::Unsafe);
    assert!(!matches!(outcome, Outcome::UndoneBecause { .. }), "{outcome:?}");
    assert_eq!(plimsoll_parser::parse(&fixed).errors, [], "{fixed}");
    fixed
}

#[test]
fn a_package_list_keeps_its_continuations() {
    let text = fixed(
        "FROM debian:12\nRUN apt-get update && apt-get install -y --no-install-recommends \\\n    zsh \\\n    curl \\\n    bash \\\n    && rm -rf \
         /var/lib/apt/lists/*\n",
    );
    for package in ["zsh", "curl", "bash"] {
        assert!(text.contains(package), "{text}");
    }
    assert!(text.contains("&& rm -rf /var/lib/apt/lists/*"), "{text}");
}

#[test]
fn a_legacy_variable_whose_value_is_on_the_next_line() {
    let text = fixed("FROM debian:12\nENV NAME \\\n    value of it\nRUN echo \"$NAME\"\n");
    assert!(!text.contains("NAME=\\\n"), "{text}");
    let file = plimsoll_parser::parse(&text);
    let value = file.instructions.iter().find_map(|instruction| match &instruction.kind {
        plimsoll_parser::syntax::Kind::Env(pairs) => pairs.first().map(|pair| pair.value.trim_matches('"').to_owned()),
        _ => None,
    });
    let value = value.expect("ENV stays").replace("\\ ", " ");
    assert_eq!(value.split_whitespace().collect::<Vec<_>>(), ["value", "of", "it"], "{text}");
}

#[test]
fn a_flag_stays_beside_its_value() {
    let text = fixed("FROM fedora:40\nRUN dnf install -y --setopt tsflags=nodocs zsh bash && dnf clean all\n");
    assert!(text.contains("--setopt tsflags=nodocs"), "{text}");
}

#[test]
fn no_symbolic_mode_in_copy() {
    let text = fixed("FROM debian:12\nCOPY run.sh /run.sh\nRUN chmod +x /run.sh\nCMD [\"/run.sh\"]\n");
    assert!(!text.contains("--chmod=+x"), "{text}");
}

#[test]
fn a_failure_that_is_swallowed_stays_swallowed() {
    let text = fixed("FROM debian:12\nRUN cd /tmp && false || true\n");
    assert!(text.contains("|| true"), "{text}");
    assert!(!text.contains("set -e"), "{text}");
}

#[test]
fn a_semicolon_goes_on_after_a_failure() {
    let text = fixed(
        "FROM debian:12\nRUN test -f /x; echo two\nRUN cd /tmp\nRUN touch here\nRUN set +e; false; true\nRUN echo three\n",
    );
    assert!(text.contains("test -f /x; echo two"), "{text}");
    assert!(!text.contains("set -e\n") && !text.contains("set -ex"), "{text}");
    assert!(
        !text.contains("cd /tmp && touch here") && !text.contains("cd /tmp \\\n    && touch here"),
        "cd leaks:\n{text}"
    );
    let file = plimsoll_parser::parse(&text);
    let with_set = file.instructions.iter().find(|i| i.range.of(&text).contains("set +e")).expect("it stays");
    assert!(!with_set.range.of(&text).contains("three"), "set +e leaks:\n{text}");
}

#[test]
fn a_change_of_directory_does_not_become_that_of_the_image() {
    let text = fixed("FROM debian:12\nRUN cd /w && make\nRUN ls\nCMD [\"./x\"]\n");
    assert!(!text.contains("WORKDIR /w"), "{text}");
    assert!(text.contains("make"), "{text}");
}

#[test]
fn no_shell_that_the_base_may_not_have() {
    for base in ["alpine:3.20", "busybox:1.36", "debian:12"] {
        let text = fixed(&format!("FROM {base}\nRUN wget -O - http://localhost/x | sh\n"));
        assert!(!text.contains("SHELL"), "{text}");
    }
    let set = "FROM debian:12\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nRUN cat /x | sort\n";
    assert_eq!(fixed(set).matches("SHELL").count(), 1);
}

#[test]
fn what_was_literal_is_not_expanded_by_the_builder() {
    let text = fixed("FROM debian:12\nRUN echo 'l $HOME' >> /f\nRUN echo 'm $HOME' >> /f\n");
    assert!(!text.contains("<<EOF"), "{text}");
    assert!(text.contains("'l $HOME'") && text.contains("'m $HOME'"), "{text}");
}

#[test]
fn an_entrypoint_with_a_builtin_keeps_its_shell() {
    let text = fixed("FROM debian:12\nENTRYPOINT exec top -b\n");
    assert!(!text.contains("[\"exec\""), "{text}");
    let text = fixed("FROM debian:12\nCMD echo $HOME && ls | sort\n");
    assert!(text.contains("CMD echo $HOME && ls | sort"), "{text}");
}

#[test]
fn no_variables_for_the_tools_of_the_build() {
    let text = fixed("FROM debian:12\nRUN curl -fsSL -o /x http://localhost/x\nRUN wget -q http://localhost/y\n");
    assert!(!text.contains("ENV"), "{text}");
}
