//! `plimsoll run`

use crate::command::images;
use crate::exit::Exit;
use crate::{Global, place, terminal};
use miette::{IntoDiagnostic, Report, Result, WrapErr, miette};
use plimsoll_runtime::exec::{self, EtcFiles, Forwarder, Input, Limits, Mount, Network, Output, Process};
use plimsoll_runtime::image::Image;
use plimsoll_runtime::snapshot::{Point, Snapshots};
use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Run an image's program
///
/// The flags are docker run's. The container is gone when its program ends, as with --rm. Exit code: the program's own;
/// 125 when plimsoll could not start it, 126 and 127 when the program could not be run or found.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Set a variable; NAME alone takes it from the environment
    #[arg(short, long = "env", value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Read variables from a file of NAME=VALUE lines
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Show a file or folder of the host: HOST:CONTAINER[:ro]
    #[arg(short, long = "volume", value_name = "HOST:CONTAINER[:ro]")]
    volumes: Vec<String>,
    /// An empty folder in memory
    #[arg(long, value_name = "PATH")]
    tmpfs: Vec<String>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// User or ID, with a group after a colon
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Replace the image's entrypoint
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
    /// Limit of processes
    #[arg(long, value_name = "NUMBER")]
    pids_limit: Option<u64>,
    /// Host name inside
    #[arg(long, value_name = "NAME")]
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
    /// Accepted for docker's sake: containers are always removed
    #[arg(long)]
    rm: bool,
    /// Reference of an image (one that is not in the store is pulled), then what is run instead of its command
    #[arg(value_names = ["IMAGE", "COMMAND"], required = true, trailing_var_arg = true)]
    words: Vec<String>,
}

impl Args {
    /// The image, and what is run instead of its command.
    fn words(&self) -> (&str, &[String]) {
        self.words.split_first().map_or(("", &[]), |(image, command)| (image, command))
    }
}

/// Runs the command. Failures of plimsoll's own end with 125, as docker's do.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    place::enter()?;
    match start(global, &args) {
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

fn start(global: &Global, args: &Args) -> Result<Exit> {
    let store = place::store(global)?;
    let (name, _) = args.words();
    let image = images::find_or_pull(global, &store, name)?;
    let snapshots = Snapshots::new(&store).into_diagnostic()?.one_at_a_time();
    let active =
        snapshots.prepare_with(&image.layers, &POINTS).into_diagnostic().wrap_err("failed to mount the image")?;
    let process = process(args, &image, active.root())?;
    let ports = args.publish.iter().map(|spec| read_port(spec)).collect::<Result<Vec<_>>>()?;
    let mut container = match exec::spawn(&process) {
        Ok(container) => container,
        Err(error) => {
            let report = match error.help() {
                Some(help) => miette!(help = help, "{error}"),
                None => miette!("{error}"),
            };
            eprintln!("{report:?}");
            return Ok(Exit::Process(u8::try_from(error.exit_code()).unwrap_or(125)));
        }
    };
    forward_signals(&container)?;
    let mut forwarders = Vec::new();
    for (address, port) in ports {
        let forwarder = Forwarder::start(&container, address, port).map_err(|error| {
            miette!(help = "pick another port, or stop what listens there", "failed to listen on {address}: {error}")
        })?;
        forwarders.push(forwarder);
    }
    let outcome = container.attach().map_err(|error| miette!("{error}"))?;
    Ok(Exit::Process(u8::try_from(outcome.status.code()).unwrap_or(255)))
}

/// Signals for this process go to the container's.
fn forward_signals(container: &exec::Container) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    let handle = container.signals().map_err(|error| miette!("{error}"))?;
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2])
        .into_diagnostic()
        .wrap_err("failed to watch for signals")?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            // A program that has just ended needs no signal any more.
            let _ = handle.send(signal);
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
    let user = exec::lookup_user(root, args.user.as_deref().unwrap_or(&config.user))
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
        process.mounts.push(read_volume(volume)?);
    }
    for path in &args.tmpfs {
        process.mounts.push(Mount::tmpfs(path.split(':').next().unwrap_or(path), None));
    }
    process.stdin = if args.interactive || std::io::stdin().is_terminal() { Input::Inherit } else { Input::Null };
    process.stdout = Output::Inherit;
    process.stderr = Output::Inherit;
    process.terminal = args.tty;
    process.read_only = args.read_only;
    process.init = args.init;
    process.limits = Limits { memory: args.memory, cpus: args.cpus, pids: args.pids_limit, time: None };
    Ok(process)
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

fn read_volume(spec: &str) -> Result<Mount> {
    const HELP: &str = "write it as HOST:CONTAINER or HOST:CONTAINER:ro";
    let wrong = |why: &str| -> Report { miette!(help = HELP, "failed to read -v {spec}: {why}") };
    let parts: Vec<&str> = spec.split(':').collect();
    let (host, target, options) = match parts.as_slice() {
        [host, target] => (*host, *target, ""),
        [host, target, options] => (*host, *target, *options),
        _ => return Err(wrong("two paths are needed")),
    };
    if !target.starts_with('/') {
        return Err(wrong("the path in the container must be absolute"));
    }
    let host = Path::new(host);
    let source = std::fs::canonicalize(host).map_err(|error| crate::files::unreadable(host, &error))?;
    let read_only = match options {
        "" | "rw" | "z" | "Z" => false,
        "ro" | "ro,z" | "ro,Z" => true,
        other => return Err(wrong(&format!("`{other}` is not known"))),
    };
    Ok(Mount::bind(source, target, read_only))
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
