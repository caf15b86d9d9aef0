//! What a safe fix promises: built before and after it, images differ in nothing but what the rule names.

use std::collections::BTreeMap;

use plimsoll_tests::{World, network, skip, user_namespaces};

/// Rule, and a file that it mends: each takes a file of the context, and runs something where that could matter.
const CASES: &[(&str, &str)] = &[
    ("relative-workdir", "FROM busybox\nWORKDIR /srv\nWORKDIR app\nRUN pwd > where\n"),
    ("add-for-files", "FROM busybox\nADD a.txt /srv/\nADD --chown=1:2 dir /srv/dir\n"),
    ("consecutive-runs", "FROM busybox\nWORKDIR /srv\nRUN echo \"$HOME\" > a\nRUN cat a > b\n"),
    ("expose-protocol-casing", "FROM busybox\nEXPOSE 53/UDP 80/Tcp\n"),
    ("redundant-target-platform", "FROM --platform=$TARGETPLATFORM busybox\nRUN uname -m > /arch\n"),
    (
        "legacy-key-value",
        "FROM busybox\nENV WORDS some \"quoted\"  words\nLABEL what it is\nRUN echo \"$WORDS\" > /w\n",
    ),
    ("maintainer-instruction", "FROM busybox\nMAINTAINER An Author <author@example.org>\nCOPY a.txt /\n"),
    ("empty-continuation", "FROM busybox\nRUN echo a \\\n\n  b > /a\n"),
    ("instruction-casing", "FROM busybox\nrun echo a > /a\nCOPY a.txt /\nenv A=1\n"),
    ("from-as-casing", "FROM busybox as base\nFROM base\nCOPY a.txt /\n"),
    ("labels-apart", "FROM busybox\nLABEL a=1\nLABEL b=\"2 $HOME\"\nLABEL a=3\n"),
];

/// The same for what needs the archive of Debian.
const DISTANT: &[(&str, &str)] = &[(
    "apt-lists-kept",
    "FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y --no-install-recommends tini\n",
)];

#[test]
fn images_differ_in_nothing_but_what_a_safe_fix_names() {
    let world = World::new();
    if let Err(reason) = user_namespaces(world.account()) {
        skip!("{reason}");
    }
    world.bases(&["busybox:latest"]);
    prove(&world, CASES);
}

#[test]
fn images_differ_in_nothing_but_what_a_safe_fix_of_packages_names() {
    let world = World::new();
    if let Err(reason) = user_namespaces(world.account()).and_then(|()| network()) {
        skip!("{reason}");
    }
    world.bases(&["debian:bookworm-slim"]);
    prove(&world, DISTANT);
}

fn prove(world: &World, cases: &[(&str, &str)]) {
    let rules = world.run(&["rules", "--format", "json"]).expect(0).json();
    let promises: BTreeMap<&str, Vec<&str>> = rules
        .as_array()
        .expect("rules")
        .iter()
        .map(|rule| {
            let paths = rule["may_change"].as_array().expect("a list").iter();
            (rule["id"].as_str().expect("an id"), paths.map(|path| path.as_str().expect("a path")).collect())
        })
        .collect();
    for (rule, text) in cases {
        let promise = promises.get(rule).unwrap_or_else(|| panic!("no rule {rule}"));
        for side in ["before", "after"] {
            world.write(&format!("{rule}/{side}/a.txt"), "a\n");
            world.write(&format!("{rule}/{side}/dir/b.txt"), "b\n");
            world.write(&format!("{rule}/{side}/Dockerfile"), text);
        }
        let after = format!("{rule}/after/Dockerfile");
        world.run(&["lint", "--fix", "--select", rule, "--fail-on", "none", &after]).expect(0);
        let fixed = std::fs::read_to_string(world.path().join(&after)).expect("own file");
        assert_ne!(*text, fixed, "{rule} mends nothing");
        let (before, after) = (format!("{rule}/before"), format!("{rule}/after"));
        let mut compare = vec!["compare"];
        // What a layer says it came from differs with the text, in any fix.
        for path in promise.iter().filter(|path| **path != "history") {
            compare.extend(["--may-change", path]);
        }
        compare.extend([before.as_str(), after.as_str()]);
        let outcome = world.run(&compare);
        assert_eq!(outcome.code, 0, "{rule}: the images differ beyond {promise:?}\n{fixed}\n{outcome}");
    }
}
