//! `inspect --tui` in a terminal of its own: keys walk, and the terminal is afterwards as it was before.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use plimsoll_tests::{Archive, World, binary, item, noise, skip};

/// A program in a pseudo-terminal that `script` of util-linux makes.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn start(world: &World, command: &str) -> Option<Self> {
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", command, "/dev/null"]).current_dir(world.path());
        script.env("PLIMSOLL_STORE", world.path().join("store")).env("TERM", "xterm-256color").env_remove("NO_COLOR");
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().ok()?;
        let keys = child.stdin.take()?;
        let mut out = child.stdout.take()?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = out.read(&mut buffer) {
                writer.lock().expect("no panic").extend_from_slice(&buffer[..read]);
            }
        });
        Some(Self { child, keys, seen })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().expect("no panic")).into_owned()
    }

    /// Waits until what is printed after the first `from` bytes has this text.
    #[track_caller]
    fn wait_for(&self, text: &str, from: usize) {
        let start = Instant::now();
        while !self.text().get(from..).is_some_and(|tail| tail.contains(text)) {
            assert!(start.elapsed() < Duration::from_secs(20), "no {text:?} in {:?}", self.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How it ended, once it has.
    #[track_caller]
    fn end(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("own child") {
                return status;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "it does not end: {:?}", self.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses keys, and waits for what they show.
    #[track_caller]
    fn press(&mut self, keys: &str, shows: &str) {
        let from = self.text().len();
        self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush()).expect("a terminal");
        self.wait_for(shows, from);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn keys_walk_and_the_terminal_is_given_back() {
    if Command::new("script").arg("--version").output().is_err() {
        skip!("script (util-linux) is not installed");
    }
    for leave in ["q", "\x1b", "\x03"] {
        let world = World::new();
        Archive::new()
            .layer("ADD rootfs", [item("bin/sh", noise(1, 20_000))])
            .layer("COPY app /srv", [item("srv/models/weights", noise(2, 50_000)), item("srv/zzz", noise(3, 1_000))])
            .write(&world.path().join("image.tar"), "walk:1");
        let line = format!(
            "stty cols 100 rows 30; stty -a >before; {} inspect image.tar --tui; echo code $? >code; stty -a >after",
            binary().display()
        );
        let mut terminal = Terminal::start(&world, &line).expect("script can be started");
        terminal.wait_for("all layers", 0);
        // Down through the layers, over to the folders of the second, into them and out again. Only what changes is drawn.
        terminal.press("j", "bin");
        terminal.press("\x1b[B", "srv");
        terminal.press("l\r", "models/");
        terminal.press("\x1b[C", "weights");
        terminal.press("h", "models/");
        terminal.keys.write_all(leave.as_bytes()).and_then(|()| terminal.keys.flush()).expect("a terminal");
        let status = terminal.end();
        assert!(status.success(), "{leave:?}: {}", terminal.text());
        let read = |name: &str| std::fs::read_to_string(world.path().join(name)).expect("written by the shell");
        assert_eq!(read("code").trim(), "code 0");
        assert_eq!(read("before"), read("after"), "modes of the terminal");
        // Another screen was shown and taken away, and the cursor is back.
        let text = terminal.text();
        let last = |sequence: &str| text.rfind(sequence).unwrap_or_else(|| panic!("no {sequence:?} in {text:?}"));
        assert!(last("\x1b[?1049l") > last("\x1b[?1049h"), "{text:?}");
        assert!(text.rfind("\x1b[?25l").is_none_or(|hidden| last("\x1b[?25h") > hidden), "{text:?}");
    }
}
