//! Probes and sessions against real programs in containers.

#![expect(clippy::unwrap_used, reason = "a test with its own main")]

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use plimsoll_runtime::compare::RuntimeConfig;
use plimsoll_runtime::compare::behaviour::{Member, Ready, Service, Session, compare_behaviour};
use plimsoll_runtime::exec::{self, Network};
use plimsoll_runtime::probe::{self, Answer, Probe, ProbeError, Question};

mod common;

use common::{Root, out, wait_for_output};

const TESTS: &[common::Test] = &[
    ("a web server is asked from inside", web_server),
    ("ports that never answer are told", never_answered),
    ("a program that exits is told", exited),
    ("what can be asked is found out", discovery),
    ("two versions are compared", comparison),
    ("a program that ends is compared by its output", ends_by_itself),
    ("a health check is run", health_check),
    ("a service that ignores its stop signal is killed at once", deaf_service),
    ("nothing to start", nothing_to_start),
    ("services are there before the program, each with its own ports", services),
    ("a service that does not come up is told with what it said", broken_services),
    ("what runs can be started again", restarted),
    ("a port is forwarded", forwarded),
];

/// `httpd` of busybox in the foreground, serving what is in `/www`.
const SERVE: &str = "echo serving on 8080; exec busybox httpd -f -p 8080 -h /www";

fn web_root(body: &str) -> Root {
    let root = Root::new(common::busybox().unwrap().as_ref());
    fs::create_dir(root.path().join("www")).unwrap();
    fs::write(root.path().join("www/index.html"), body).unwrap();
    fs::write(root.path().join("www/data.json"), "{\"a\": 1}").unwrap();
    root
}

fn config(json: &str) -> RuntimeConfig {
    serde_json::from_str(json).unwrap()
}

fn shell(script: &str, more: &str) -> RuntimeConfig {
    let script = serde_json::to_string(script).unwrap();
    config(&format!("{{\"Env\":[\"PATH=/bin\"],\"Cmd\":[\"sh\",\"-c\",{script}]{more}}}"))
}

fn web_server(_: &Root) {
    let root = web_root("hello\n");
    let mut process = root.sh(SERVE);
    process.network = Network::Private;
    let mut container = exec::spawn(&process).unwrap();
    probe::wait_for_port(&mut container, 8080, Duration::from_secs(10)).unwrap();
    let ports: Vec<u16> = probe::listening(&container).unwrap().iter().map(|socket| socket.port).collect();
    assert_eq!(ports, [8080]);
    let patience = Duration::from_secs(5);
    let mut ask = |probe: &Probe| probe::ask(&mut container, probe, patience).unwrap();
    let Answer::Http(answer) = ask(&Probe::get(8080, "/")) else { panic!() };
    assert_eq!(
        (answer.status, answer.body.as_slice(), answer.header("content-type")),
        (200, &b"hello\n"[..], Some("text/html"))
    );
    let Answer::Http(answer) = ask(&Probe::get(8080, "/missing")) else { panic!() };
    assert_eq!(answer.status, 404);
    assert_eq!(ask(&Probe::Tcp { port: 8080 }), Answer::Connected);
    assert_eq!(ask(&Probe::Tcp { port: 81 }), Answer::Failed { reason: "connection refused".to_owned() });
    let inside = Probe::exec(["sh", "-c", "cat /www/data.json; exit 3"]);
    assert_eq!(ask(&inside), Answer::Exec { code: 3, stdout: "{\"a\": 1}".to_owned(), stderr: String::new() });
    // Nothing of it is to be seen on the host's loopback device.
    assert!(std::net::TcpStream::connect("127.0.0.1:8080").is_err());
    // Two at once, on the same port.
    let mut second = exec::spawn(&process).unwrap();
    probe::wait_for_port(&mut second, 8080, Duration::from_secs(10)).unwrap();
}

fn never_answered(root: &Root) {
    let mut process = root.sh("echo waiting for nobody; sleep 100");
    process.network = Network::Private;
    let mut container = exec::spawn(&process).unwrap();
    let error = probe::wait_for_port(&mut container, 8080, Duration::from_millis(300)).unwrap_err();
    assert!(matches!(error, ProbeError::NeverAnswered { .. }));
    assert_eq!(
        error.to_string(),
        "failed to reach port 8080: no answer within 0 s; its last lines:\nwaiting for nobody"
    );
}

fn exited(root: &Root) {
    let mut process = root.sh("echo no config >&2; exit 9");
    process.network = Network::Private;
    let mut container = exec::spawn(&process).unwrap();
    let error = probe::wait_for_port(&mut container, 8080, Duration::from_secs(10)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to reach port 8080: the program exited with code 9; its last lines:\nno config"
    );
}

fn discovery(root: &Root) {
    let web = web_root("x");
    let session = Session::new(web.path(), shell(SERVE, ",\"ExposedPorts\":{\"8080/tcp\":{}}"));
    assert_eq!(session.discover().unwrap(), [Probe::get(8080, "/")]);
    let tcp = Session::new(root.path(), shell("nc -ll -p 7000 -e cat", ""));
    assert_eq!(tcp.discover().unwrap(), [Probe::Tcp { port: 7000 }]);
    let before = root.listing();
    let ends = Session::new(root.path(), shell("echo done", ""));
    assert_eq!(ends.discover().unwrap(), [Probe::Output]);
    assert_eq!(root.listing(), before);
}

fn comparison(_: &Root) {
    let (same, again, other) = (web_root("a"), web_root("a"), web_root("b"));
    let probes = [Probe::get(0, "/"), Probe::get(8080, "/data.json"), Probe::get(8080, "/none")];
    let observe = |root: &Root| {
        let config = shell(SERVE, ",\"ExposedPorts\":{\"8080/tcp\":{}},\"User\":\"ann\",\"WorkingDir\":\"/www\"");
        Session::new(root.path(), config).observe(&probes).unwrap()
    };
    let (first, second, third) = (observe(&same), observe(&again), observe(&other));
    assert_eq!(first.answers[0].probe, Probe::get(8080, "/"));
    let mut expecting = first.answers[0].clone();
    assert_eq!(expecting.unmet(), None);
    if let Probe::Http { expect_status, expect_body, .. } = &mut expecting.probe {
        (*expect_status, *expect_body) = (Some(200), Some("b".to_owned()));
    }
    assert_eq!(expecting.unmet().as_deref(), Some("no `b` in the body"));
    assert_eq!(first.stdout, "serving on 8080\n");
    let equal = compare_behaviour(&first, Some(&second), &second);
    assert_eq!((equal.agreed, equal.flaky.len()), ((7, 7), 0), "{equal:?}");
    let changed = compare_behaviour(&first, Some(&second), &third);
    assert_eq!(changed.agreed, (6, 7));
    assert_eq!(changed.differences[0].subject, "GET :8080/");
    assert!(changed.differences[0].after.as_ref().unwrap().ends_with("\nb"));
    let mut missing = Session::new(other.path(), shell("exit 1", ""));
    missing.ready_timeout = Duration::from_secs(5);
    assert!(matches!(missing.observe(&probes), Err(ProbeError::NeverAnswered { .. } | ProbeError::Exited { .. })));
}

fn ends_by_itself(root: &Root) {
    let observe = |script: &str| {
        let mut session = Session::new(root.path(), shell(script, ""));
        session.app.env = vec![("WHO".to_owned(), "you".to_owned())];
        session.observe(&[Probe::Output]).unwrap()
    };
    let first = observe("echo hello $WHO at $(busybox date +%T); exit 3");
    assert_eq!(first.exit_code, Some(3));
    let second = observe("echo hello $WHO at $(busybox date +%T); exit 3");
    assert_eq!(compare_behaviour(&first, Some(&second), &second).agreed, (1, 1));
    let other = observe("echo hello $WHO; exit 4");
    assert_eq!(compare_behaviour(&first, Some(&second), &other).agreed, (0, 1));
}

fn health_check(_: &Root) {
    let web = web_root("x");
    let check = |test: &str| {
        let more = format!(
            ",\"ExposedPorts\":{{\"8080/tcp\":{{}}}},\"Healthcheck\":{{\"Test\":{test},\"Timeout\":2000000000}}"
        );
        let mut session = Session::new(web.path(), shell(SERVE, &more));
        session.ready_timeout = Duration::from_secs(2);
        session.observe(&[Probe::get(8080, "/")]).unwrap().health
    };
    assert_eq!(check("[\"CMD-SHELL\",\"cat www/index.html\"]"), Some((0, "x".to_owned())));
    assert_eq!(check("[\"CMD\",\"false\"]"), Some((1, String::new())));
    assert_eq!(check("[\"NONE\"]"), None);
}

fn deaf_service(root: &Root) {
    let mut container = exec::spawn(&root.sh("echo up; exec sleep 100")).unwrap();
    wait_for_output(&container, "up");
    let start = Instant::now();
    let outcome = container.stop(Signal::SIGTERM, Duration::from_secs(30)).unwrap();
    assert_eq!(outcome.status.code(), 137);
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(out(&root.process(&["echo", "on"])), "on\n");
}

fn nothing_to_start(root: &Root) {
    let session = |json: &str| Session::new(root.path(), config(json));
    let error = session("{}").discover().unwrap_err();
    assert!(error.is_start());
    assert_eq!(error.to_string(), "failed to start the image: it has neither entrypoint nor command");
    let error = session("{\"Entrypoint\":[\"gone\"]}").discover().unwrap_err();
    assert!(error.is_start() && error.to_string().starts_with("failed to run gone: ENOENT"), "{error}");
    assert!(session("{\"Cmd\":[\"true\"],\"User\":\"eve\"}").discover().unwrap_err().is_start());
}

fn service(name: &str, root: &Root, script: &str, ready: Ready) -> Service {
    Service { member: Member::new(name, root.path(), shell(script, "")), ready, under_test: false }
}

fn services(_: &Root) {
    let (web, store) = (web_root("front\n"), web_root("stored\n"));
    // Both listen on the same port; the program asks its service in its first instruction.
    let script = "busybox wget -qO /www/got http://shop:8080/ && echo got it; exec busybox httpd -f -p 8080 -h /www";
    let mut session = Session::new(web.path(), shell(script, ""));
    let ready = Ready::Probe(Probe::get(8080, "/"));
    let mut serving = service("store", &store, SERVE, ready);
    serving.member.aliases.push("shop".to_owned());
    serving.under_test = true;
    let once = service("once", &store, "echo migrated", Ready::Ended);
    session.services = vec![serving, once];
    let own = |probe: Probe| Question { service: None, probe };
    let questions = [
        own(Probe::get(8080, "/got")),
        own(Probe::get(8080, "/")),
        Question { service: Some("store".to_owned()), probe: Probe::get(8080, "/") },
        Question { service: Some("store".to_owned()), probe: Probe::exec(["busybox", "hostname"]) },
        own(Probe::exec(["busybox", "wget", "-qO-", "http://store:8080/data.json"])),
    ];
    let seen = session.observe_all(&questions).unwrap();
    let text = |index: usize| match &seen.answers[index].answer {
        Answer::Http(answer) => String::from_utf8_lossy(&answer.body).into_owned(),
        Answer::Exec { stdout, .. } => stdout.clone(),
        other => format!("{other:?}"),
    };
    let answers: Vec<String> = (0..5).map(text).collect();
    assert_eq!(answers, ["stored\n", "front\n", "stored\n", "store\n", "{\"a\": 1}"]);
    assert_eq!(seen.answers[2].title(), "store: GET :8080/");
    assert_eq!(seen.stdout, "got it\n");
    assert_eq!(seen.services[0].stdout, "serving on 8080\n");
    assert_eq!(seen.listening.len(), 1, "what services listen on is their own: {:?}", seen.listening);
    let again = session.observe_all(&questions).unwrap();
    let equal = compare_behaviour(&seen, None, &again);
    assert_eq!(equal.agreed, (11, 11), "{equal:?}");
}

fn broken_services(root: &Root) {
    let mut session = Session::new(root.path(), shell("exec sleep 100", ""));
    session.ready_timeout = Duration::from_secs(5);
    session.services = vec![
        service(
            "db",
            root,
            "echo db is up; exec busybox nc -ll -p 7000 -e cat",
            Ready::Probe(Probe::Tcp { port: 7000 }),
        ),
        service("backend", root, "echo no config >&2; exit 9", Ready::Probe(Probe::Tcp { port: 8081 })),
    ];
    let error = session.observe(&[]).unwrap_err().to_string();
    assert!(error.starts_with("failed to start the service `backend`: failed to reach port 8081"), "{error}");
    assert!(error.contains("code 9") && error.contains("no config") && error.contains("db is up"), "{error}");
    session.services.pop();
    let nobody = Question { service: Some("cache".to_owned()), probe: Probe::Tcp { port: 1 } };
    let error = session.observe_all(&[nobody]).unwrap_err().to_string();
    assert!(error.starts_with("failed to ask the service `cache`: there is none"), "{error}");
}

fn restarted(_: &Root) {
    let web = web_root("x");
    let script = "echo started >>/www/starts; exec busybox httpd -f -p 8080 -h /www";
    let session = Session::new(web.path(), shell(script, ",\"ExposedPorts\":{\"8080/tcp\":{}}"));
    let seen = session.observe(&[Probe::get(0, "/starts"), Probe::Restart, Probe::get(0, "/starts")]).unwrap();
    let body = |index: usize| match &seen.answers[index].answer {
        Answer::Http(answer) => answer.body.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!((body(0), &seen.answers[1].answer, body(2)), (8, &Answer::Restarted, 16));
}

fn forwarded(_: &Root) {
    use std::io::{Read, Write};
    let root = web_root("through\n");
    let mut process = root.sh(SERVE);
    process.network = Network::Private;
    let mut container = exec::spawn(&process).unwrap();
    probe::wait_for_port(&mut container, 8080, Duration::from_secs(10)).unwrap();
    let forwarder = exec::Forwarder::start(&container, "127.0.0.1:0".parse().unwrap(), 8080).unwrap();
    for _ in 0..3 {
        let mut stream = std::net::TcpStream::connect(forwarder.address()).unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.") && answer.ends_with("through\n"), "{answer}");
    }
    let address = forwarder.address();
    drop(forwarder);
    assert!(std::net::TcpStream::connect(address).is_err());
}

fn main() -> ExitCode {
    common::main("behaviour", TESTS)
}
