//! Our images in the hands of tools that are not ours: read by skopeo, unpacked by umoci, run by runc.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll_tests::{Account, Outcome, World, network, skip, tool};
use serde_json::Value;

/// What the service answers in the network namespace of `pid`.
fn ask(pid: &str, path: &str) -> Option<String> {
    let url = format!("http://127.0.0.1:8080{path}");
    let mut curl = Command::new("nsenter");
    curl.args(["--target", pid, "--net", "curl", "--silent", "--fail", "--max-time", "5", &url]);
    let outcome = Outcome::of(&mut curl);
    (outcome.code == 0).then_some(outcome.stdout)
}

/// The container's first process, once it answers.
fn answering(name: &str) -> Option<String> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        let state = Outcome::of(Command::new("runc").args(["state", name]));
        let state: Value = serde_json::from_str(&state.stdout).unwrap_or_default();
        let pid = state["pid"].as_u64().filter(|pid| *pid > 0).map(|pid| pid.to_string());
        if let Some(pid) = pid.filter(|pid| ask(pid, "/").is_some()) {
            return Some(pid);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    None
}

/// Runs the image under runc and gives what it answers to `/` and `/waste/cans`.
fn served_by_runc(world: &World, image: &str) -> Vec<String> {
    let layout = world.path().join(format!("{image}-layout"));
    let layout = layout.to_string_lossy();
    world.run(&["save", image, "--format", "oci", "--output", &layout]).expect(0);
    let seen = Outcome::of(Command::new("skopeo").args(["inspect", &format!("oci:{layout}")])).expect(0).json();
    let ours = world.run(&["inspect", image, "--format", "json"]).expect(0).json();
    assert_eq!(seen["Digest"], ours["digest"], "skopeo and plimsoll name the same manifest");
    assert_eq!(seen["Layers"].as_array().map(Vec::len), ours["layers"].as_array().map(Vec::len));

    let tags = Outcome::of(Command::new("umoci").args(["ls", "--layout", &layout])).expect(0);
    let tag = tags.stdout.lines().next().expect("a name in the layout");
    let bundle = world.path().join(format!("{image}-bundle"));
    let mut unpack = Command::new("umoci");
    unpack.args(["unpack", "--image", &format!("{layout}:{tag}")]).arg(&bundle);
    Outcome::of(&mut unpack).expect(0);
    let path = bundle.join("config.json");
    let mut config: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("umoci wrote it")).expect("JSON");
    config["process"]["terminal"] = Value::Bool(false);
    config["root"]["readonly"] = Value::Bool(false);
    if let Some(linux) = config["linux"].as_object_mut() {
        linux.remove("resources");
    }
    if let Some(namespaces) = config["linux"]["namespaces"].as_array_mut() {
        namespaces.retain(|namespace| namespace["type"] != "cgroup");
    }
    std::fs::File::create(&path)
        .and_then(|mut file| file.write_all(config.to_string().as_bytes()))
        .expect("own folder");

    let name = format!("plimsoll-{}-{image}", std::process::id());
    let mut runc = Command::new("runc");
    runc.args(["run", "--bundle"]).arg(&bundle).arg(&name);
    // A file, not a pipe: what the container leaves behind could hold a pipe open for ever.
    let said = bundle.join("stderr");
    let log = std::fs::File::create(&said).expect("own folder");
    let runc = runc.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
    let mut runc = runc.expect("runc can be started");
    let pid = answering(&name);
    let answers = pid.as_ref().map(|pid| ["/", "/waste/cans"].map(|path| ask(pid, path).unwrap_or_default()));
    if let Some(pid) = &pid {
        let _ = Command::new("kill").args(["-KILL", pid]).status();
    }
    let _ = runc.kill();
    let _ = runc.wait();
    let _ = Command::new("runc").args(["delete", "--force", &name]).stderr(Stdio::null()).status();
    let Some(answers) = answers else {
        panic!("{image} under runc does not answer: {}", std::fs::read_to_string(&said).unwrap_or_default());
    };
    answers.to_vec()
}

#[test]
fn the_original_and_the_smaller_image_run_under_runc_and_answer_the_same() {
    if !Account::current().is_root() {
        skip!("runc needs root");
    }
    for needed in ["skopeo", "umoci", "runc", "curl", "nsenter", "mmdebstrap"] {
        if !tool(needed) {
            skip!("{needed} is not installed");
        }
    }
    if let Err(reason) = network() {
        skip!("{reason}");
    }
    let world = World::new().with_kept_store();
    world.bases(&["debian:bookworm", "debian:bookworm-slim"]);
    let context = world.app("inventory").to_string_lossy().into_owned();
    world.run(&["build", &context, "--tag", "before", "--quiet"]).expect(0);
    world.run(&["optimize", &context, "--verify", "--write", "--quiet"]).expect(0);
    world.run(&["build", &context, "--tag", "after", "--quiet"]).expect(0);
    let before = served_by_runc(&world, "before");
    assert_eq!(before[0].trim(), r#"{"version":"0.1"}"#);
    assert_eq!(before, served_by_runc(&world, "after"));
}
