//! Builds in a user namespace of one ID: layers have the owners that they would have anywhere.

use plimsoll_tests::{Account, World, repository, skip};

use super::{dump, load};

const DOCKERFILE: &str = r#"FROM debian:bookworm AS made
RUN groupadd --gid 700 crew && useradd --create-home --uid 1234 --groups crew app
RUN install --owner app --group crew --mode 640 /etc/passwd /home/app/copy \
 && ln -s nowhere /home/app/link && chown --no-dereference app:crew /home/app/link \
 && mkdir /srv/shared && chgrp crew /srv/shared && chmod 2775 /srv/shared && touch /srv/shared/by-root \
 && mknod /srv/null c 1 3 && chown app /srv/null && mkfifo /srv/pipe && chown 0:700 /srv/pipe \
 && mkdir -p /tmp/p/DEBIAN /tmp/p/opt/tool && printf 'Package: tool\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n' > /tmp/p/DEBIAN/control \
 && touch /tmp/p/opt/tool/f && chown -R app:crew /tmp/p/opt/tool && dpkg-deb --build /tmp/p /tmp/tool.deb \
 && dpkg --install /tmp/tool.deb && rm -r /tmp/p /tmp/tool.deb
RUN su app -c 'id > /home/app/id && mkdir /home/app/d && ln -s x /home/app/d/l && touch /srv/shared/by-app' \
 && tar -C / -cf /tmp/t.tar srv home/app && mkdir /unpacked && tar -C /unpacked -xf /tmp/t.tar && rm /tmp/t.tar
USER app:crew
WORKDIR /home/app/work
RUN touch mine && (touch /etc/not-mine || true) && (chown 0 mine || true) && umask 077 && mkdir private
USER root
RUN stat -c '%u:%g %A %n' /home/app/link /srv/null /srv/pipe /srv/shared/by-root /opt/tool/f /home/app/work/mine > /seen \
 && setpriv --reuid 1234 --regid 700 --clear-groups sh -c 'id -u; id -g; id -G' >> /seen \
 && mv /home/app/link /home/app/renamed
FROM scratch
COPY --from=made /home/app /app
COPY --from=made --chown=5:6 /srv/null /null
COPY --from=made /srv/pipe /seen /
"#;

#[test]
fn owners_are_those_of_any_other_build() {
    let account = match Account::ordinary() {
        Ok(account) => account,
        Err(reason) => skip!("{reason}"),
    };
    let world = World::of(account).with_one_id();
    if let Err(reason) = world.is_possible() {
        skip!("{reason}");
    }
    let base = repository().join(".cache/bases/debian-bookworm");
    if !base.join("index.json").is_file() {
        skip!("no debian:bookworm: make one with fixtures/bases/make debian:bookworm");
    }
    load(&world, &base, "debian:bookworm");
    world.write("c/Dockerfile", DOCKERFILE);
    for (target, tag) in [("made", "made"), ("", "copied")] {
        let mut args = vec!["build", "--progress=plain", "--tag", tag];
        if !target.is_empty() {
            args.extend(["--target", target]);
        }
        args.push("c");
        world.run(&args).expect(0);
    }
    let image = dump::dump(world.store(), "made");
    let check = |image: &serde_json::Value, path: &str, kind: &str, owner: (u64, u64), mode: u64| {
        let entry = &image["rootfs"][path];
        let found = (entry["type"].as_str(), entry["uid"].as_u64(), entry["gid"].as_u64(), entry["mode"].as_u64());
        assert_eq!(found, (Some(kind), Some(owner.0), Some(owner.1), Some(mode)), "{path}: {entry}");
    };
    for (path, kind, owner, mode) in [
        ("/home/app", "dir", (1234, 1234), 0o755),
        ("/home/app/.profile", "file", (1234, 1234), 0o644),
        ("/home/app/copy", "file", (1234, 700), 0o640),
        ("/home/app/renamed", "symlink", (1234, 700), 0o777),
        ("/home/app/id", "file", (1234, 1234), 0o644),
        ("/home/app/d", "dir", (1234, 1234), 0o755),
        ("/home/app/d/l", "symlink", (1234, 1234), 0o777),
        ("/home/app/work", "dir", (1234, 700), 0o755),
        ("/home/app/work/mine", "file", (1234, 700), 0o644),
        ("/home/app/work/private", "dir", (1234, 700), 0o700),
        ("/srv/shared", "dir", (0, 700), 0o2775),
        ("/srv/shared/by-root", "file", (0, 700), 0o644),
        ("/srv/shared/by-app", "file", (1234, 700), 0o644),
        ("/srv/null", "char", (1234, 0), 0o644),
        ("/srv/pipe", "fifo", (0, 700), 0o644),
        ("/opt/tool/f", "file", (1234, 700), 0o644),
        ("/unpacked/srv/shared/by-app", "file", (1234, 700), 0o644),
        ("/unpacked/srv/null", "char", (1234, 0), 0o644),
        ("/unpacked/home/app/link", "symlink", (1234, 700), 0o777),
        ("/etc/shadow", "file", (0, 42), 0o640),
    ] {
        check(&image, path, kind, owner, mode);
    }
    assert!(image["rootfs"]["/etc/not-mine"].is_null(), "a directory of root's is not everybody's");
    let copied = dump::dump(world.store(), "copied");
    for (path, kind, owner, mode) in [
        ("/app/copy", "file", (1234, 700), 0o640),
        ("/app/renamed", "symlink", (1234, 700), 0o777),
        ("/null", "char", (5, 6), 0o644),
        ("/pipe", "fifo", (0, 700), 0o644),
    ] {
        check(&copied, path, kind, owner, mode);
    }
    let seen = world.run(&["run", "--rm", "made", "cat", "/seen", "/home/app/id"]).expect(0).stdout;
    let expected = "1234:700 lrwxrwxrwx /home/app/link\n1234:0 crw-r--r-- /srv/null\n0:700 prw-r--r-- /srv/pipe\n\
        0:700 -rw-r--r-- /srv/shared/by-root\n1234:700 -rw-r--r-- /opt/tool/f\n1234:700 -rw-r--r-- /home/app/work/mine\n\
        1234\n700\n700\nuid=1234(app) gid=1234(app) groups=1234(app),700(crew)\n";
    assert_eq!(seen, expected);
    // A set-user-ID program is its owner, and whoever gave root up does not get it back.
    let status = "passwd --status && ! setpriv --reuid 0 true 2>/dev/null";
    assert!(
        world.run(&["run", "--rm", "--user", "app", "made", "sh", "-c", status]).expect(0).stdout.starts_with("app L ")
    );
    // A container of it starts from the unpacked layers, and a process that joins it is supervised too.
    let user = ["run", "--rm", "--user", "app", "made", "sh", "-c", "stat -c %u:%g /home/app/renamed; id -u"];
    assert_eq!(world.run(&user).expect(0).stdout, "1234:700\n1234\n");
    world.run(&["doctor"]).expect(0).says("one ID").says("second real ID is not true");
}
