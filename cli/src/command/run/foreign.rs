//! Flags of docker run that mean nothing here: some do no harm, others are refused with what to do instead.

use miette::{Result, miette};

/// See the module.
#[derive(clap::Args, Debug)]
pub struct Foreign {
    #[arg(short, long = "label", hide = true)]
    labels: Vec<String>,
    #[arg(long, hide = true)]
    label_file: Vec<String>,
    #[arg(long, hide = true)]
    annotation: Vec<String>,
    #[arg(long, hide = true)]
    expose: Vec<String>,
    #[arg(short, long, hide = true)]
    attach: Vec<String>,
    #[arg(long, hide = true)]
    detach_keys: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sig_proxy: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_content_trust: Option<bool>,
    #[arg(long, hide = true)]
    log_driver: Option<String>,
    #[arg(long, hide = true)]
    log_opt: Vec<String>,
    #[arg(long, hide = true)]
    no_healthcheck: bool,
    #[arg(long, hide = true)]
    health_cmd: Option<String>,
    #[arg(long, hide = true)]
    health_interval: Option<String>,
    #[arg(long, hide = true)]
    health_retries: Option<String>,
    #[arg(long, hide = true)]
    health_start_period: Option<String>,
    #[arg(long, hide = true)]
    health_timeout: Option<String>,
    #[arg(long, hide = true)]
    restart: Option<String>,
    #[arg(short = 'P', long, hide = true)]
    publish_all: bool,
    #[arg(long, hide = true)]
    cgroup_parent: Option<String>,
    #[arg(long, hide = true)]
    volumes_from: Vec<String>,
    #[arg(long, hide = true)]
    volume_driver: Option<String>,
    #[arg(long, hide = true)]
    link: Vec<String>,
    #[arg(long, hide = true)]
    device: Vec<String>,
    #[arg(long, hide = true)]
    gpus: Option<String>,
    #[arg(long, hide = true)]
    ipc: Option<String>,
    #[arg(long, hide = true)]
    pid: Option<String>,
    #[arg(long, hide = true)]
    uts: Option<String>,
    #[arg(long, hide = true)]
    userns: Option<String>,
    #[arg(long, hide = true)]
    cgroupns: Option<String>,
    #[arg(long, hide = true)]
    isolation: Option<String>,
    #[arg(long, hide = true)]
    runtime: Option<String>,
    #[arg(long, hide = true)]
    cidfile: Option<String>,
    #[arg(long, hide = true)]
    dns: Vec<String>,
    #[arg(long, hide = true)]
    dns_search: Vec<String>,
    #[arg(long, hide = true)]
    dns_option: Vec<String>,
    #[arg(long, hide = true)]
    ip: Option<String>,
    #[arg(long, hide = true)]
    mac_address: Option<String>,
    #[arg(long, hide = true)]
    network_alias: Vec<String>,
    #[arg(long, hide = true)]
    memory_swap: Option<String>,
    #[arg(long, hide = true)]
    memory_reservation: Option<String>,
    #[arg(short, long, hide = true)]
    cpu_shares: Option<String>,
    #[arg(long, hide = true)]
    cpuset_cpus: Option<String>,
    #[arg(long, hide = true)]
    sysctl: Vec<String>,
}

impl Foreign {
    /// Refuses the first that cannot be ignored.
    pub fn refuse(&self) -> Result<()> {
        let other =
            |value: &Option<String>, usual: &[&str]| value.as_ref().is_some_and(|v| !usual.contains(&v.as_str()));
        let limits = "limits are --memory, --cpus and --pids-limit";
        let apart = "a container has namespaces of its own; only --network host shares one";
        let network = "the network is the host's, none, or with -p one of the container's own";
        let refused: [(bool, &str, &str); 24] = [
            (
                other(&self.restart, &["no"]),
                "--restart",
                "no daemon starts it again; a service of systemd with Restart= does",
            ),
            (self.publish_all, "--publish-all", "name the ports: -p 8080:80"),
            (
                self.cgroup_parent.is_some(),
                "--cgroup-parent",
                "the container is in the control group of this process: start plimsoll in the one you want",
            ),
            (!self.volumes_from.is_empty(), "--volumes-from", "name the folders themselves: -v HOST:CONTAINER"),
            (self.volume_driver.is_some(), "--volume-driver", "only folders of the host are shown: -v HOST:CONTAINER"),
            (
                !self.link.is_empty(),
                "--link",
                "programs that need each other are tried together with [[service]] in plimsoll.toml",
            ),
            (!self.device.is_empty(), "--device", "devices of the host are not shown to containers"),
            (self.gpus.is_some(), "--gpus", "devices of the host are not shown to containers"),
            (other(&self.ipc, &["private", "shareable", ""]), "--ipc", apart),
            (other(&self.pid, &[""]), "--pid", apart),
            (other(&self.uts, &[""]), "--uts", apart),
            (
                other(&self.userns, &["", "host"]),
                "--userns",
                "PLIMSOLL_ID_MAP chooses the map of IDs; see plimsoll doctor",
            ),
            (other(&self.cgroupns, &["private"]), "--cgroupns", apart),
            (other(&self.isolation, &["default"]), "--isolation", "it is for Windows containers"),
            (self.runtime.is_some(), "--runtime", "there is one runtime: plimsoll itself"),
            (self.cidfile.is_some(), "--cidfile", "`run -d` prints the ID: redirect it into the file"),
            (
                !(self.dns.is_empty() && self.dns_search.is_empty() && self.dns_option.is_empty()),
                "--dns",
                "bind a file of yours: -v ./resolv.conf:/etc/resolv.conf",
            ),
            (self.ip.is_some(), "--ip", network),
            (self.mac_address.is_some(), "--mac-address", network),
            (!self.network_alias.is_empty(), "--network-alias", network),
            (self.memory_swap.is_some(), "--memory-swap", limits),
            (self.memory_reservation.is_some(), "--memory-reservation", limits),
            (self.cpu_shares.is_some() || self.cpuset_cpus.is_some(), "--cpu-shares and --cpuset-cpus", limits),
            (!self.sysctl.is_empty(), "--sysctl", "settings of the kernel are the host's"),
        ];
        match refused.into_iter().find(|(asked, ..)| *asked) {
            None => Ok(()),
            Some((_, flag, help)) => Err(miette!(help = help.to_owned(), "failed to run: {flag} is not supported")),
        }
    }
}
