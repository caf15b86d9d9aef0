//! Trees of git repositories, by the `git` of this machine.
//!
//! The address comes from a Dockerfile and what answers it may be hostile: no configuration of the user or the machine is
//! read, no hook, filter or helper is run, no protocol reaches a path of this machine, and nothing is asked of a terminal.

mod reference;

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use reference::{GitRef, check_sum, is_commit, parse};

/// What a fetch may use.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The socket of an ssh agent.
    pub agent: Option<PathBuf>,
    /// Certificate authorities that are trusted beside those of this machine.
    pub ca_bundle: Option<PathBuf>,
    /// The value of the header `Authorization` for the repository's host.
    pub authorization: Option<String>,
}

/// A commit that a repository has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub id: String,
    /// The full ref it was found under, for servers that hand out nothing else.
    reference: String,
}

/// A commit's files on disk.
#[derive(Clone, Debug)]
pub struct Checkout {
    /// When it was made, in seconds since 1970.
    pub time: i64,
}

type Result<T, E = String> = std::result::Result<T, E>;

/// The most of git's own words that an error repeats.
const MAX_SAID: u64 = 16 << 10;

/// Which commit the address means now. Nothing is fetched.
pub fn resolve(wanted: &GitRef, access: &Access, scratch: &Path) -> Result<Commit> {
    let found = match wanted.reference.as_deref() {
        Some(commit) if is_commit(commit) => Commit { id: commit.to_owned(), reference: commit.to_owned() },
        named => remote_commit(wanted, named.unwrap_or("HEAD"), access, scratch)?,
    };
    match &wanted.checksum {
        Some(sum) if !found.id.starts_with(sum.as_str()) => {
            Err(format!("{} is commit {}, and {sum} is asked for", found.reference, found.id))
        }
        _ => Ok(found),
    }
}

fn remote_commit(wanted: &GitRef, name: &str, access: &Access, scratch: &Path) -> Result<Commit> {
    let pattern = name.to_owned();
    let peeled = format!("{name}^{{}}");
    let listed = git(&wanted.remote, access, scratch, ["ls-remote", "--", wanted.remote.as_str(), &pattern, &peeled])?;
    let refs: Vec<(&str, &str)> = listed.lines().filter_map(|line| line.split_once('\t')).collect();
    let short = |prefix: &str| format!("{prefix}{}", name.strip_prefix(prefix).unwrap_or(name));
    let (head, tag) = (short("refs/heads/"), short("refs/tags/"));
    let other = if name == "HEAD" { name.to_owned() } else { short("refs/") };
    // A branch before a tag of the same name, as `git checkout` has it; of a tag object, the commit.
    for full in [head, tag, other] {
        let id = |wanted: &str| refs.iter().find(|(_, found)| *found == wanted).map(|(id, _)| (*id).to_owned());
        if let Some(id) = id(&format!("{full}^{{}}")).or_else(|| id(&full)) {
            return if is_commit(&id) {
                Ok(Commit { id, reference: full })
            } else {
                Err(format!("the server names {id}, which is no commit"))
            };
        }
    }
    let hex = name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    Err(if name == "HEAD" {
        "the repository is empty".to_owned()
    } else if hex {
        format!("the repository has no branch or tag {name}; a commit needs all of its digits")
    } else {
        format!("the repository has no branch or tag {name}")
    })
}

/// Writes a commit's files to `directory`, which must be empty; `.git` is there too when it is asked for.
pub fn checkout(
    wanted: &GitRef,
    commit: &Commit,
    keep_git_dir: bool,
    access: &Access,
    directory: &Path,
) -> Result<Checkout> {
    let run = |args: &[&str]| git(&wanted.remote, access, directory, args.iter().copied());
    let format = if commit.id.len() == 64 { "--object-format=sha256" } else { "--object-format=sha1" };
    run(&["init", "--quiet", "--template=", "--initial-branch=master", format, "."])?;
    run(&["remote", "add", "--", "origin", &wanted.remote])?;
    // What is asked for and nothing else; servers that do not allow that give the ref, then all they have.
    let shallow = ["fetch", "--quiet", "--no-tags", "--depth=1", "--no-recurse-submodules", "origin"];
    let mut last = Err(String::new());
    for attempt in [
        [&shallow[..], &[commit.id.as_str()]].concat(),
        [&shallow[..], &[commit.reference.as_str()]].concat(),
        vec!["fetch", "--quiet", "--tags", "--no-recurse-submodules", "origin", "+refs/heads/*:refs/remotes/origin/*"],
    ] {
        last = run(&attempt);
        if last.is_ok() && run(&["cat-file", "-e", &format!("{}^{{commit}}", commit.id)]).is_ok() {
            break;
        }
    }
    last?;
    run(&["checkout", "--quiet", "--force", "--detach", &commit.id])
        .map_err(|said| format!("commit {} cannot be had: {said}", commit.id))?;
    if run(&["rev-parse", "HEAD"])?.trim() != commit.id {
        return Err(format!("{} is no commit", commit.id));
    }
    let time = run(&["show", "--no-patch", "--format=%ct", "HEAD"])?;
    let time = time.trim().parse().map_err(|_| format!("commit {} has no time", commit.id))?;
    if wanted.submodules && directory.join(".gitmodules").symlink_metadata().is_ok_and(|meta| meta.is_file()) {
        run(&["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"])?;
    }
    let own = directory.join(".git");
    if keep_git_dir {
        for leftover in ["FETCH_HEAD", "ORIG_HEAD"] {
            let _ = std::fs::remove_file(own.join(leftover));
        }
    } else {
        std::fs::remove_dir_all(&own).map_err(|error| format!("{}: {error}", own.display()))?;
    }
    Ok(Checkout { time })
}

/// Runs git in `directory` and gives what it printed.
fn git(
    remote: &str,
    access: &Access,
    directory: &Path,
    args: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<String> {
    let mut command = Command::new("git");
    command.current_dir(directory).env_clear();
    let kept = ["PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter();
    let proxies =
        ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];
    for name in kept.chain(proxies) {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("LC_ALL", "C")
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "true")
        .env("SSH_ASKPASS", "true")
        .env("GIT_CEILING_DIRECTORIES", directory.parent().unwrap_or(directory))
        .env("GIT_ALLOW_PROTOCOL", "http:https:git:ssh")
        .env(
            "GIT_SSH_COMMAND",
            "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        );
    if let Some(home) = std::env::var_os("HOME") {
        let known = Path::new(&home).join(".ssh/known_hosts");
        if let (true, Some(known)) = (known.is_file(), known.to_str().filter(|path| is_quotable(path))) {
            command.env(
                "GIT_SSH_COMMAND",
                format!("ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile='{known}'"),
            );
        }
    }
    if let Some(agent) = &access.agent {
        command.env("SSH_AUTH_SOCK", agent);
    }
    if let Some(bundle) = access.ca_bundle.clone().or_else(|| std::env::var_os("SSL_CERT_FILE").map(PathBuf::from)) {
        command.env("GIT_SSL_CAINFO", bundle);
    }
    let mut settings = vec![
        ("core.hooksPath", "/dev/null"),
        ("core.fsmonitor", "false"),
        ("core.autocrlf", "false"),
        ("core.attributesFile", "/dev/null"),
        ("credential.helper", ""),
        ("protocol.file.allow", "never"),
        ("protocol.ext.allow", "never"),
        ("transfer.fsckObjects", "true"),
        ("fetch.fsckObjects", "true"),
        ("http.followRedirects", "initial"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("advice.detachedHead", "false"),
    ];
    let scoped = access.authorization.as_ref().zip(origin(remote)).map(|(authorization, origin)| {
        (format!("http.{origin}/.extraHeader"), format!("Authorization: {authorization}"))
    });
    if let Some((name, header)) = &scoped {
        settings.push((name, header));
    }
    // By the environment, where `ps` does not show it.
    command.env("GIT_CONFIG_COUNT", settings.len().to_string());
    for (number, (name, value)) in settings.into_iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{number}"), name).env(format!("GIT_CONFIG_VALUE_{number}"), value);
    }
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "the program git is not installed, and a repository needs it".to_owned(),
        _ => format!("git cannot be started: {error}"),
    })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (printed, said) = std::thread::scope(|scope| {
        let errors = scope.spawn(move || all(stderr, MAX_SAID));
        (all(stdout, u64::MAX), errors.join().unwrap_or_default())
    });
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&printed).into_owned());
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.iter().rev().take(4).rev().copied().collect::<Vec<_>>().join("; ");
    Err(if last.is_empty() { format!("git ended with {status}") } else { format!("git says: {last}") })
}

/// `https://host:port` of an address; credentials go nowhere else.
fn origin(remote: &str) -> Option<String> {
    let (scheme, rest) = remote.split_once("://")?;
    let host = rest.split('/').next()?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    scheme.starts_with("http").then(|| format!("{scheme}://{host}"))
}

fn is_quotable(path: &str) -> bool {
    !path.contains(['\'', '\\', '\n', '"', ' ', '%'])
}

/// Everything a stream gives; what is beyond `most` is read and forgotten, so that its writer does not wait.
fn all(stream: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        let _ = stream.by_ref().take(most).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    }
    bytes
}
