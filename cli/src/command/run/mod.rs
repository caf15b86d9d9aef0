//! `plimsoll run`

mod detached;
mod foreign;
mod mounts;

use crate::command::{build_args, images};
use crate::exit::Exit;
use crate::{Global, place, terminal};
pub use detached::short;
use foreign::Foreign;
use miette::{IntoDiagnostic, Report, Result, WrapErr, miette};
use plimsoll_runtime::containers::{Folder, Keeper};
use plimsoll_runtime::exec::{
    self, Capabilities, EtcFiles, Forwarder, Input, Limits, Network, Output, Process, Seccomp, Security,
};
use plimsoll_runtime::image::Image;
use plimsoll_runtime::snapshot::{Point, Snapshots};
use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Run an image's program
///
/// The flags are docker run's. The container is gone when its program ends, as with --rm; of one that was started with
/// --detach its output and exit code stay until `rm`. Exit code: the program's own; 125 when plimsoll could not start it, 126
/// and 127 when the program could not be run or found.
#[derive(clap::Args, Debug)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// Print help
    #[arg(long, action = clap::ArgAction::HelpLong)]
    help: Option<bool>,
    /// Set a variable; NAME alone takes it from the environment
    #[arg(short, long = "env", value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Read variables from a file of NAME=VALUE lines
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Show a file or folder of the host: HOST:CONTAINER[:ro]
    #[arg(short, long = "volume", value_name = "HOST:CONTAINER[:ro]")]
    volumes: Vec<String>,
    /// The same in words: type=bind,src=HOST,dst=CONTAINER[,readonly] or type=tmpfs,dst=CONTAINER[,tmpfs-size=SIZE]
    #[arg(long = "mount", value_name = "SPEC")]
    mounts: Vec<String>,
    /// An empty folder in memory, such as /run:size=64m,mode=755
    #[arg(long, value_name = "PATH[:OPTIONS]")]
    tmpfs: Vec<String>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// User or ID, with a group after a colon
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// A further group of the user, by name or ID
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// Replace the image's entrypoint; an empty one takes it away
    #[arg(long, value_name = "COMMAND")]
    entrypoint: Option<String>,
    /// Network: host, or none [default: host; with -p one of the container's own]
    #[arg(long, value_name = "MODE")]
    network: Option<String>,
    /// Limit of memory, such as 512MB
    #[arg(short, long, value_name = "SIZE", value_parser = terminal::parse_ram)]
    memory: Option<u64>,
    /// Limit of CPUs, such as 1.5
    #[arg(long, value_name = "NUMBER")]
    cpus: Option<f64>,
    /// Limit of processes; 0 and -1 are none
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pids_limit: Option<i64>,
    /// Size of /dev/shm
    #[arg(long, value_name = "SIZE", value_parser = terminal::parse_ram)]
    shm_size: Option<u64>,
    /// A limit of the program, NAME=SOFT[:HARD]
    #[arg(long = "ulimit", value_name = "SPEC")]
    ulimits: Vec<String>,
    /// Another line of /etc/hosts, NAME:ADDRESS
    #[arg(long, value_name = "NAME:ADDRESS")]
    add_host: Vec<String>,
    /// A capability more, such as NET_ADMIN or ALL
    #[arg(long, value_name = "NAME")]
    cap_add: Vec<String>,
    /// A capability less; ALL takes those away that docker leaves
    #[arg(long, value_name = "NAME")]
    cap_drop: Vec<String>,
    /// no-new-privileges, seccomp=unconfined or systempaths=unconfined
    #[arg(long, value_name = "WHAT")]
    security_opt: Vec<String>,
    /// All capabilities, no filter of system calls, nothing masked; devices of the host are not shown even so
    #[arg(long)]
    privileged: bool,
    /// What becomes of a SIGTERM that reaches plimsoll [default: the same]
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Seconds from a SIGTERM until the program is killed [default: it may take as long as it wants]
    #[arg(long, value_name = "SECONDS")]
    stop_timeout: Option<u64>,
    /// When the image is fetched
    #[arg(long, value_enum, default_value = "missing")]
    pull: Pull,
    /// Platform of the image, os/arch[/variant]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Host name inside
    #[arg(short = 'h', long, value_name = "NAME")]
    hostname: Option<String>,
    /// What the container is called; also its host name unless that is given
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The root filesystem cannot be written
    #[arg(long)]
    read_only: bool,
    /// A small init as process 1
    #[arg(long)]
    init: bool,
    /// Forward a port of the host: [ADDRESS:]HOST:CONTAINER; the container gets a network of its own, with nothing outside
    #[arg(short, long = "publish", value_name = "[ADDRESS:]HOST:CONTAINER")]
    publish: Vec<String>,
    /// Give the program a terminal
    #[arg(short, long)]
    tty: bool,
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Go on in the background and print the ID; see ps, logs, exec and stop
    #[arg(short, long)]
    detach: bool,
    /// With --detach: leave nothing when it ends. Without, nothing is ever left
    #[arg(long)]
    rm: bool,
    #[command(flatten)]
    foreign: Foreign,
    /// Reference of an image (one that is not in the store is pulled), then what is run instead of its command
    #[arg(value_names = ["IMAGE", "COMMAND"], required = true, trailing_var_arg = true)]
    words: Vec<String>,
}

/// When the image is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Pull {
    /// When it is not in the store
    Missing,
    /// In any case
    Always,
    /// Never
    Never,
}

impl Args {
    /// The image, and what is run instead of its command.
    fn words(&self) -> (&str, &[String]) {
        self.words.split_first().map_or(("", &[]), |(image, command)| (image, command))
    }
}

/// Runs the command. Failures of plimsoll's own end with 125, as docker's do.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    let folder = detached::folder();
    let done = if args.detach && folder.is_none() {
        args.foreign.refuse().and_then(|()| detached::start(global, &args))
    } else {
        place::enter()?;
        start(global, &args, folder.as_ref())
    };
    match done {
        Ok(exit) => Ok(exit),
        Err(error) => {
            eprintln!("{error:?}");
            Ok(Exit::Process(125))
        }
    }
}

/// Where every container has something mounted.
const POINTS: [Point<'static>; 6] = [
    Point::File("/etc/resolv.conf"),
    Point::File("/etc/hosts"),
    Point::File("/etc/hostname"),
    Point::Directory("/proc"),
    Point::Directory("/dev"),
    Point::Directory("/sys"),
];

fn start(global: &Global, args: &Args, folder: Option<&Folder>) -> Result<Exit> {
    args.foreign.refuse()?;
    let keeper = folder.map(|folder| Keeper::new(folder.clone())).transpose();
    let keeper = keeper.into_diagnostic().wrap_err("failed to keep the container")?;
    let store = place::store(global)?;
    let (name, _) = args.words();
    let platform = args.platform.as_deref();
    let image = match args.pull {
        Pull::Missing => images::find_or_pull(global, &store, name, platform)?,
        // For a container in the background it has been fetched already.
        Pull::Always if folder.is_none() => images::fetch(global, &store, name, platform)?,
        Pull::Always | Pull::Never => images::find_for(&store, name, platform)?,
    };
    let stop_signal = detached::stop_signal(args, &image)?;
    let snapshots = Snapshots::new(&store).into_diagnostic()?.one_at_a_time();
    let active =
        snapshots.prepare_with(&image.layers, &POINTS).into_diagnostic().wrap_err("failed to mount the image")?;
    let process = process(args, &image, active.root())?;
    let ports = args.publish.iter().map(|spec| read_port(spec)).collect::<Result<Vec<_>>>()?;
    let mut container = match exec::spawn(&process) {
        Ok(container) => container,
        Err(error) => {
            eprintln!("{:?}", process_failed(&error));
            return Ok(Exit::Process(u8::try_from(error.exit_code()).unwrap_or(125)));
        }
    };
    forward_signals(&container, args)?;
    let mut forwarders = Vec::new();
    for (address, port) in ports {
        match Forwarder::start(&container, address, port) {
            Ok(forwarder) => forwarders.push(forwarder),
            // A program that has ended already is reached by nobody.
            Err(_) if container.wait_timeout(Duration::ZERO).is_ok_and(|ended| ended.is_some()) => break,
            Err(error) => {
                return Err(miette!(
                    help = "pick another port, or stop what listens there",
                    "failed to listen on {address}: {error}"
                ));
            }
        }
    }
    if let Some(keeper) = keeper {
        return detached::keep(args, &process, container, keeper, stop_signal);
    }
    let outcome = container.attach().map_err(|error| miette!("{error}"))?;
    Ok(Exit::Process(u8::try_from(outcome.status.code()).unwrap_or(255)))
}

fn process_failed(error: &exec::ExecError) -> Report {
    match error.help() {
        Some(help) => miette!(help = help, "{error}"),
        None => miette!("{error}"),
    }
}

/// Signals for this process go to the container's.
fn forward_signals(container: &exec::Container, args: &Args) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    let stop = args.stop_signal.as_deref().map(read_signal).transpose()?.unwrap_or(SIGTERM);
    let patience = args.stop_timeout.map(Duration::from_secs);
    let handle = container.signals().map_err(|error| miette!("{error}"))?;
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2])
        .into_diagnostic()
        .wrap_err("failed to watch for signals")?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            // A program that has just ended needs no signal any more.
            let _ = handle.send(if signal == SIGTERM { stop } else { signal });
            if let (SIGTERM, Some(patience)) = (signal, patience) {
                std::thread::sleep(patience);
                let _ = handle.send(signal_hook::consts::SIGKILL);
            }
        }
    });
    Ok(())
}

fn process(args: &Args, image: &Image, root: &Path) -> Result<Process> {
    let config = &image.config.config;
    let mut words: Vec<String> = match &args.entrypoint {
        Some(entrypoint) if entrypoint.is_empty() => Vec::new(),
        Some(entrypoint) => vec![entrypoint.clone()],
        None => config.entrypoint.clone().unwrap_or_default(),
    };
    let (name, command) = args.words();
    if !command.is_empty() {
        words.extend(command.iter().cloned());
    } else if args.entrypoint.is_none() {
        words.extend(config.cmd.clone().unwrap_or_default());
    }
    if words.is_empty() {
        return Err(miette!(help = "name one after the image", "failed to run {name}: it has no command"));
    }
    let mut process = Process::new(root, words);
    let mut user = exec::lookup_user(root, args.user.as_deref().unwrap_or(&config.user))
        .map_err(|error| miette!(help = "numbers always work", "{error}"))?;
    process.env =
        config.env.iter().filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    if process.env_value("PATH").is_none() {
        process.set_env("PATH", plimsoll_runtime::plan::DEFAULT_PATH);
    }
    let hostname = args.hostname.clone().or_else(|| args.name.clone()).unwrap_or_else(|| short_id(image));
    process.set_env("HOSTNAME", hostname.clone());
    for path in &args.env_file {
        let text = std::fs::read_to_string(path).map_err(|error| crate::files::unreadable(path, &error))?;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            set(&mut process, line);
        }
    }
    for pair in &args.env {
        set(&mut process, pair);
    }
    if process.env_value("HOME").is_none() {
        process.set_env("HOME", user.home.clone());
    }
    for group in &args.group_add {
        let group =
            exec::lookup_group(root, group).map_err(|error| miette!(help = "numbers always work", "{error}"))?;
        user.groups.push(group);
    }
    process.user = user;
    process.hostname = hostname;
    process.cwd = args.workdir.clone().unwrap_or_else(|| config.working_dir.clone());
    if process.cwd.is_empty() {
        "/".clone_into(&mut process.cwd);
    }
    process.network = match args.network.as_deref() {
        None if !args.publish.is_empty() => Network::Private,
        None | Some("host") => Network::Host,
        Some("none") => Network::None,
        Some(other) => return Err(miette!(help = "use host or none", "failed to read --network {other}")),
    };
    process.etc_files = EtcFiles::Run;
    for volume in &args.volumes {
        process.mounts.push(mounts::volume(volume)?);
    }
    for spec in &args.mounts {
        process.mounts.push(mounts::mount(spec)?);
    }
    for spec in &args.tmpfs {
        process.mounts.push(mounts::tmpfs(spec)?);
    }
    for spec in &args.add_host {
        if spec.ends_with("host-gateway") && process.network != Network::Host {
            return Err(miette!(
                help = "use --network host",
                "failed to read --add-host {spec}: the host is not reached from the container's own network"
            ));
        }
        let (name, address) = build_args::read_host(spec)?;
        process.extra_hosts.push((address, name));
    }
    process.shm_size = args.shm_size;
    process.ulimits = args.ulimits.iter().map(|spec| build_args::read_ulimit(spec)).collect::<Result<_>>()?;
    secure(args, &mut process)?;
    process.stdin = if args.interactive || std::io::stdin().is_terminal() { Input::Inherit } else { Input::Null };
    process.stdout = Output::Inherit;
    process.stderr = Output::Inherit;
    process.terminal = args.tty;
    process.read_only = args.read_only;
    process.init = args.init;
    process.limits = Limits {
        memory: args.memory,
        cpus: args.cpus,
        pids: args.pids_limit.and_then(|most| u64::try_from(most).ok()).filter(|most| *most > 0),
        time: None,
    };
    Ok(process)
}

/// Capabilities and filters: docker's, and what the command line changes.
fn secure(args: &Args, process: &mut Process) -> Result<()> {
    if args.privileged {
        process.capabilities = Capabilities::ALL;
        process.seccomp = Seccomp::Unconfined;
        process.security = Security::Insecure;
    }
    let unknown = |flag: &str, name: &str| {
        miette!(
            help = "capabilities are called as in capabilities(7): NET_ADMIN, or ALL",
            "failed to read --{flag} {name}: no such capability"
        )
    };
    let is_all = |name: &&String| name.eq_ignore_ascii_case("all");
    // As docker reads them: ALL first, single ones then.
    let ordered = |names: &[String]| {
        let (all, single): (Vec<_>, Vec<_>) = names.iter().cloned().partition(|name| is_all(&name));
        all.into_iter().chain(single).collect::<Vec<_>>()
    };
    let (added, dropped) = (ordered(&args.cap_add), ordered(&args.cap_drop));
    for (flag, names, add) in [("cap-drop", &dropped, false), ("cap-add", &added, true)] {
        for name in names {
            let set = process.capabilities;
            let changed = if add { set.with(name) } else { set.without(name) };
            process.capabilities = changed.ok_or_else(|| unknown(flag, name))?;
        }
    }
    if added.iter().any(|name| is_all(&name)) {
        for name in dropped.iter().filter(|name| !is_all(name)) {
            process.capabilities = process.capabilities.without(name).ok_or_else(|| unknown("cap-drop", name))?;
        }
    }
    for option in &args.security_opt {
        let (name, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
        match (name, value) {
            ("no-new-privileges", "" | "true") => process.no_new_privileges = true,
            ("no-new-privileges", "false") => process.no_new_privileges = false,
            ("seccomp", "unconfined") => process.seccomp = Seccomp::Unconfined,
            ("seccomp", "builtin") => process.seccomp = Seccomp::Default,
            ("systempaths", "unconfined") => process.security = Security::Insecure,
            // There are no such profiles and labels here to begin with.
            ("apparmor", "unconfined") | ("label", "disable") => {}
            _ => {
                return Err(miette!(
                    help = "known are no-new-privileges, seccomp=unconfined and systempaths=unconfined",
                    "failed to read --security-opt {option}"
                ));
            }
        }
    }
    Ok(())
}

/// `SIGINT`, `int`, `2`
fn read_signal(text: &str) -> Result<i32> {
    exec::signal_named(text)
        .ok_or_else(|| miette!(help = "write it as SIGINT or 2", "failed to read --stop-signal {text}: no such signal"))
}

fn set(process: &mut Process, pair: &str) {
    match pair.split_once('=') {
        Some((name, value)) => process.set_env(name, value),
        None => {
            if let Ok(value) = std::env::var(pair) {
                process.set_env(pair, value);
            }
        }
    }
}

fn short_id(image: &Image) -> String {
    image.config_digest.hex().get(..12).unwrap_or("plimsoll").to_owned()
}

/// `8080:80`, `127.0.0.1:8080:80`, `80` (any free port of the host)
fn read_port(spec: &str) -> Result<(SocketAddr, u16)> {
    let wrong =
        |why: &str| miette!(help = "write it as 8080:80 or 127.0.0.1:8080:80", "failed to read -p {spec}: {why}");
    let plain = spec.strip_suffix("/tcp").unwrap_or(spec);
    if plain.ends_with("/udp") {
        return Err(wrong("only TCP is forwarded"));
    }
    let number = |text: &str| text.parse::<u16>().map_err(|_| wrong(&format!("`{text}` is no port")));
    let (rest, port) = plain.rsplit_once(':').unwrap_or(("0", plain));
    let (address, host) = match rest.rsplit_once(':') {
        Some((address, host)) => {
            let address = address.trim_start_matches('[').trim_end_matches(']');
            (address.parse::<IpAddr>().map_err(|_| wrong(&format!("`{address}` is no address")))?, host)
        }
        None => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), rest),
    };
    Ok((SocketAddr::new(address, number(host)?), number(port)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_as_docker_writes_them() {
        let read = |spec: &str| read_port(spec).map(|(address, port)| format!("{address} {port}")).ok();
        assert_eq!(read("8080:80").as_deref(), Some("0.0.0.0:8080 80"));
        assert_eq!(read("127.0.0.1:8080:80/tcp").as_deref(), Some("127.0.0.1:8080 80"));
        assert_eq!(read("[::1]:8080:80").as_deref(), Some("[::1]:8080 80"));
        assert_eq!(read("80").as_deref(), Some("0.0.0.0:0 80"));
        assert_eq!(read("80:http"), None);
        assert_eq!(read("53:53/udp"), None);
    }
}
