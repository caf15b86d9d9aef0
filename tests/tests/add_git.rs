//! ADD of git repositories, from a real server on loopback.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use plimsoll_tests::{Account, GitServer, World, git, skip, tool, user_namespaces};

/// A world with busybox, and a server of the repositories below `served`.
fn prepared() -> Result<(World, GitServer), String> {
    if !tool("mmdebstrap") {
        return Err("mmdebstrap is not installed".to_owned());
    }
    user_namespaces(&Account::current())?;
    let world = World::new();
    std::fs::create_dir(world.path().join("served")).expect("own folder");
    let server = GitServer::start(&world.path().join("served"))?;
    world.bases(&["busybox:latest"]);
    Ok((world, server))
}

macro_rules! prepared {
    () => {
        match prepared() {
            Ok(prepared) => prepared,
            Err(reason) => skip!("{reason}"),
        }
    };
}

/// A repository with two commits, a branch, a light tag and a tag object; gives both commits.
fn repository(world: &World, name: &str) -> (String, String) {
    let work = world.path().join("work").join(name);
    std::fs::create_dir_all(&work).expect("own folder");
    git(&work, &["init", "-q", "-b", "main", "."]);
    world.write(&format!("work/{name}/docs/deep/page"), "page one\n");
    world.write(&format!("work/{name}/run.sh"), "#!/bin/sh\n");
    std::fs::set_permissions(work.join("run.sh"), Permissions::from_mode(0o775)).expect("own file");
    git(&work, &["add", "."]);
    git(&work, &["commit", "-q", "-m", "one"]);
    git(&work, &["tag", "light"]);
    git(&work, &["tag", "-a", "-m", "v1", "v1"]);
    git(&work, &["branch", "old"]);
    let first = git(&work, &["rev-parse", "HEAD"]);
    world.write(&format!("work/{name}/docs/deep/page"), "page two\n");
    git(&work, &["commit", "-q", "-am", "two"]);
    let second = git(&work, &["rev-parse", "HEAD"]);
    publish(&work, &world.path().join("served").join(name));
    (first, second)
}

fn publish(work: &Path, to: &Path) {
    git(work, &["clone", "-q", "--bare", ".", &to.display().to_string()]);
}

#[test]
fn a_repository_is_added_by_branch_tag_commit_and_folder() {
    let (world, server) = prepared!();
    let (first, second) = repository(&world, "r.git");
    let url = server.url("r.git");
    let checks = [
        (url.clone(), "docs/deep/page", "page two"),
        (format!("{url}#old"), "docs/deep/page", "page one"),
        (format!("{url}#v1:docs"), "deep/page", "page one"),
        (format!("{url}#light:docs/deep"), "page", "page one"),
        (format!("{url}#{first}"), "docs/deep/page", "page one"),
        (format!("{url}#:docs"), "deep/page", "page two"),
        (format!("{url}?branch=main&subdir=docs"), "deep/page", "page two"),
        (format!("{url}?tag=v1&checksum={}", &first[..10]), "docs/deep/page", "page one"),
        (format!("{url}?commit={second}"), "docs/deep/page", "page two"),
    ];
    let mut text = "FROM busybox\nUSER 7\n".to_owned();
    for (number, (source, ..)) in checks.iter().enumerate() {
        text.push_str(&format!("ADD {source} /{number}\n"));
    }
    text.push_str(&format!("ADD --keep-git-dir --checksum={second} --chown=5:6 {url} /kept/\n"));
    text.push_str("RUN set -e; test \"$(cat /kept/.git/HEAD)\" = ");
    text.push_str(&second);
    for (number, (_, path, line)) in checks.iter().enumerate() {
        text.push_str(&format!("; test \"$(cat /{number}/{path})\" = '{line}'; test ! -e /{number}/.git"));
    }
    text.push_str("; test \"$(stat -c %a:%u:%g:%Y /0/run.sh)\" = 755:0:0:1700000000");
    text.push_str("; test \"$(stat -c %a:%u:%g /kept/docs/deep/page)\" = 644:5:6\n");
    world.write("c/Dockerfile", &text);
    world.run(&["build", "c", "--progress", "plain"]).expect(0);
    // The second time only the refs are asked for.
    let again = world.run(&["build", "c", "--progress", "plain"]).expect(0);
    let done: Vec<&str> =
        again.stderr.lines().filter(|line| line.contains("] ADD") || line.contains("] RUN")).collect();
    assert_eq!(done.len(), checks.len() + 2, "{again}");
    assert!(done.iter().all(|line| line.contains("(cached")), "{again}");
    // A new commit on the branch is another key.
    let work = world.path().join("work/r.git");
    world.write("work/r.git/new", "new\n");
    git(&work, &["add", "."]);
    git(&work, &["commit", "-q", "-m", "three"]);
    git(&work, &["push", "-q", &world.path().join("served/r.git").display().to_string(), "main"]);
    world.write("c/Dockerfile", format!("FROM busybox\nADD {url} /0\nRUN test -e /0/new\n"));
    world.run(&["build", "c"]).expect(0);
}

#[test]
fn what_a_repository_lacks_is_told_with_the_line() {
    let (world, server) = prepared!();
    let (first, second) = repository(&world, "r.git");
    let url = server.url("r.git");
    let build = |line: &str| {
        world.write("c/Dockerfile", format!("FROM scratch\n{line}\n"));
        world.run(&["build", "c"]).expect(2).says("Dockerfile:2")
    };
    build(&format!("ADD {url}#none /x")).says("no branch or tag none");
    build(&format!("ADD {url}#{} /x", &first[..8])).says("needs all of its digits");
    build(&format!("ADD {url}#:none /x")).says("has no none");
    build(&format!("ADD {url}#:run.sh /x")).says("is no directory");
    build(&format!("ADD --checksum={first} {url}#main /x")).says(&second);
    build(&format!("ADD --checksum=sha256:{first}{} {url} /x", &first[..24])).says("is no commit");
    build(&format!("ADD {url}?banch=x /x")).says("`banch` is not known");
    build(&format!("ADD {url}#{} /x", "0".repeat(40))).says("cannot be had");
    build(&format!("ADD {} /x", server.url("nothing.git"))).says("not found");
    build("ADD http://me:secret@127.0.0.1:1/r.git /x").says("me:***@127.0.0.1:1");
}

#[test]
fn a_hostile_repository_reaches_nothing_of_this_machine() {
    let (world, server) = prepared!();
    repository(&world, "inner.git");
    let secret = world.write("secret/file", "not for you\n");
    let work = world.path().join("work/evil.git");
    std::fs::create_dir_all(&work).expect("own folder");
    git(&work, &["init", "-q", "-b", "main", "."]);
    std::os::unix::fs::symlink(secret.parent().expect("a folder"), work.join("out")).expect("own folder");
    std::os::unix::fs::symlink("../../../../../..", work.join("up")).expect("own folder");
    world.write("work/evil.git/.gitattributes", "* filter=evil\n");
    world.write("work/evil.git/a", "a\n");
    git(&work, &["add", "."]);
    git(&work, &["commit", "-q", "-m", "one"]);
    publish(&work, &world.path().join("served/evil.git"));
    let url = server.url("evil.git");
    let build = |line: &str| {
        world.write("c/Dockerfile", format!("FROM busybox\n{line}\n"));
        world.run(&["build", "c", "--progress", "plain"])
    };
    // Links inside stay links; one that is named as the folder is followed inside the repository only.
    build(&format!("ADD {url} /x\nRUN test -L /x/out && test -L /x/up && test -f /x/a")).expect(0);
    build(&format!("ADD {url}#:out /x")).expect(2).says("Dockerfile:2");
    build(&format!("ADD {url}#:up /x\nRUN test -f /x/a && test ! -e /x/etc")).expect(0);
    // Submodules come by the same protocols as repositories.
    let module = |address: &str, branch: &str| {
        git(&work, &["checkout", "-q", "-b", branch, "main"]);
        git(&work, &["submodule", "--quiet", "add", &server.url("inner.git"), "module"]);
        git(&work, &["config", "-f", ".gitmodules", "submodule.module.url", address]);
        git(&work, &["add", "."]);
        git(&work, &["commit", "-q", "-m", branch]);
        git(&work, &["push", "-q", &world.path().join("served/evil.git").display().to_string(), branch]);
        git(&work, &["rm", "-qrf", "module"]);
        git(&work, &["reset", "-q", "--hard"]);
        std::fs::remove_dir_all(work.join(".git/modules")).expect("own folder");
        git(&work, &["config", "--remove-section", "submodule.module"]);
    };
    module("../inner.git", "fine");
    module(&world.path().join("served/inner.git").display().to_string(), "path");
    module(&format!("file://{}", world.path().join("served/inner.git").display()), "file");
    module("ext::sh -c touch% /tmp/plimsoll-was-here", "ext");
    build(&format!("ADD {url}#fine /x\nRUN test \"$(cat /x/module/docs/deep/page)\" = 'page two'")).expect(0);
    build(&format!("ADD {url}?branch=fine&submodules=false /x\nRUN test ! -e /x/module/docs")).expect(0);
    for branch in ["path", "file", "ext"] {
        build(&format!("ADD {url}#{branch} /x")).expect(2).says("not allowed");
    }
    assert!(!Path::new("/tmp/plimsoll-was-here").exists());
}
