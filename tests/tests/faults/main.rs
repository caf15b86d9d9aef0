//! What goes wrong around a build: it is killed, the disk is full, others build too, the registry lies. After each the store is
//! whole and the next build succeeds. `PLIMSOLL_FAULTS=full` kills two hundred times instead of a dozen.

mod registry;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll_tests::{Account, Outcome, World, skip};

const DOCKERFILE: &str = "FROM busybox AS one\nCOPY big /big\nRUN cp /big /copy && mkdir /d && touch /d/a /d/b\nRUN rm -r /d && echo x > /d\n\
    FROM busybox\nCOPY --from=one /copy /copy\nWORKDIR /w\nRUN --mount=type=cache,target=/c sh -c 'echo y >> /c/y; cat /copy > /z'\n";

/// A world with a busybox and a context, or why not.
fn world(account: Account) -> Result<World, String> {
    let world = World::of(account);
    world.is_possible()?;
    world.bases(&["busybox:latest"]);
    let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    world.write("c/big", bytes);
    world.write("c/Dockerfile", DOCKERFILE);
    Ok(world)
}

/// The store is whole.
fn verify(world: &World) {
    world.run(&["images", "verify"]).expect(0).says("nothing is damaged");
}

/// What is unfinished is gone after this; a process that was killed may need a moment to go.
fn prune(world: &World) {
    let start = Instant::now();
    loop {
        let outcome = world.run(&["prune"]);
        if outcome.code == 0 {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{outcome}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let left: Vec<_> = std::fs::read_dir(world.store().join("tmp")).expect("there").flatten().collect();
    assert!(left.is_empty(), "prune leaves {left:?}");
}

#[test]
fn killed_at_any_moment() {
    let full = std::env::var("PLIMSOLL_FAULTS").is_ok_and(|value| value == "full");
    let (count, every) = if full { (200, 10) } else { (12, 6) };
    for account in Account::all() {
        let world = match world(account) {
            Ok(world) => world,
            Err(reason) => skip!("{reason}"),
        };
        let build = ["build", "--no-cache", "--progress=plain", "--tag", "built", "c"];
        let start = Instant::now();
        world.run(&build).expect(0);
        let whole = start.elapsed();
        let mut random: u64 = 1876;
        for number in 0..count {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let moment = whole.mul_f64((random >> 40) as f64 / (1 << 24) as f64);
            let mut command = world.command();
            command.args(build).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().expect("it starts");
            std::thread::sleep(moment);
            let _ = child.kill();
            let _ = child.wait();
            if number % every == every - 1 {
                verify(&world);
                // At once, beside whatever of the killed ones still lives; then with what they left in the cache.
                world.run(&build).expect(0);
                world.run(&["build", "--progress=plain", "c"]).expect(0);
                world.run(&["run", "--rm", "built", "cmp", "/copy", "/z"]).expect(0);
            }
        }
        prune(&world);
        verify(&world);
        world.run(&["build", "--progress=plain", "c"]).expect(0);
    }
}

#[test]
fn a_full_disk_is_told_and_survived() {
    if !Account::current().is_root() {
        skip!("only root mounts a disk of its own");
    }
    let world = match world(Account::current()) {
        Ok(world) => world,
        Err(reason) => skip!("{reason}"),
    };
    world.write("fill/Dockerfile", "FROM busybox\nRUN dd if=/dev/zero of=/full bs=1M count=200\n");
    world.write("copy/Dockerfile", "FROM busybox\nCOPY big /big\n");
    world.write("copy/big", vec![7; 100 << 20]);
    world.write("small/Dockerfile", "FROM busybox\nRUN echo fits > /f\n");
    world.run(&["save", "--output", "busybox.tar", "busybox"]).expect(0);
    let script = r#"set -u
        mkdir small-disk && mount -t tmpfs -o size=64m tmpfs small-disk && export PLIMSOLL_STORE=$PWD/small-disk/store
        "$0" load --name busybox --input busybox.tar || exit 90
        for case in fill copy; do
            "$0" build --progress=plain "$case" 2>err && exit 91
            tr -d '\n│' < err | tr -s ' ' | grep -q 'disk is full' || { cat err; exit 92; }
            "$0" images verify || exit 93
            "$0" build --progress=plain --no-cache small || exit 94
        done
        "$0" load --name other --input too-large.tar 2>err && exit 95
        "$0" prune && "$0" images verify && "$0" build --progress=plain small || exit 96
    "#;
    world.write("too-large.tar", []);
    let program = world.command().get_program().to_owned();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(program).current_dir(world.path()).env("NO_COLOR", "1");
    Outcome::of(&mut command).expect(0);
}

#[test]
fn many_at_once_on_one_store() {
    let world = match world(Account::ordinary().unwrap_or_else(|_| Account::current())) {
        Ok(world) => world,
        Err(reason) => skip!("{reason}"),
    };
    let contexts: Vec<PathBuf> = (0..8)
        .map(|number| {
            // Every second has steps of its own; the others all want to make the same ones.
            let own = if number % 2 == 0 { String::new() } else { format!("RUN echo {number} > /own\n") };
            world.write(&format!("many{number}/Dockerfile"), format!("{DOCKERFILE}{own}"));
            let file = world.path().join(format!("many{number}/big"));
            std::fs::copy(world.path().join("c/big"), &file).expect("own folder");
            Outcome::of(Command::new("touch").args(["-d", "@1700000000"]).arg(&file)).expect(0);
            file.parent().expect("a folder").to_owned()
        })
        .collect();
    let children: Vec<_> = contexts
        .iter()
        .map(|context: &PathBuf| {
            let mut command = world.command();
            command.args(["build", "--progress=plain", "--format", "json", "--tag"]);
            command.arg(context.file_name().expect("a name")).arg(context);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("it starts")
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    verify(&world);
    for (number, context) in contexts.iter().enumerate() {
        let name = context.file_name().expect("a name").to_string_lossy().into_owned();
        let own = if number % 2 == 0 { "! test -e /own".to_owned() } else { format!("test $(cat /own) = {number}") };
        world.run(&["run", "--rm", &name, "sh", "-c", &format!("cmp /copy /z && {own}")]).expect(0);
        // Two that made one step at the same time leave one of the results; whose builds on the other makes its own once more.
        world.run(&["build", "--progress=plain", &name]).expect(0);
        let again = world.run(&["build", "--progress=plain", "--format", "json", &name]).expect(0).json();
        let steps = again["steps"].as_array().expect("steps").clone();
        assert!(steps.iter().all(|step| step["cached"] == true || step["bytes"].is_null()), "{again}");
    }
    prune(&world);
    verify(&world);
}

/// A damaged blob is found, named, and made again.
#[test]
fn damage_is_found() {
    let world = match world(Account::current()) {
        Ok(world) => world,
        Err(reason) => skip!("{reason}"),
    };
    world.run(&["build", "--progress=plain", "c"]).expect(0);
    verify(&world);
    let largest = largest(&world.store().join("blobs/sha256"));
    let mut bytes = std::fs::read(&largest).expect("a blob");
    bytes[1000] ^= 1;
    std::fs::remove_file(&largest).expect("own store");
    std::fs::write(&largest, bytes).expect("own store");
    let name = largest.file_name().expect("a name").to_string_lossy().into_owned();
    world.run(&["images", "verify"]).expect(1).says(&name);
    let told = world.run(&["images", "verify", "--format", "json"]).expect(1).json();
    assert!(told["problems"][0].as_str().is_some_and(|problem| problem.contains(&name)), "{told}");
    world.run(&["prune", "--verify"]).expect(0);
    world.run(&["build", "--progress=plain", "c"]).expect(0);
    verify(&world);
}

fn largest(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder).expect("there").flatten();
    files.max_by_key(|entry| entry.metadata().map_or(0, |meta| meta.len())).expect("a blob").path()
}
