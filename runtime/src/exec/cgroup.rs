//! Limits of memory, CPU and processes: a control group for one container, version 2 where it is delegated, version 1 where it is
//! writable. Without limits no control group is needed or looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;

use super::{ExecError, Limits, SetupStep};

/// The groups made for one container; removed when dropped, which must be after its last process.
#[derive(Debug, Default)]
pub(crate) struct ControlGroups {
    made: Vec<PathBuf>,
}

/// What to write into a group of one controller.
struct Wanted {
    controller: &'static str,
    /// File names and values in version 2; the first must be accepted.
    second: Vec<(&'static str, String)>,
    /// The same in version 1.
    first: Vec<(&'static str, String)>,
}

const PERIOD: u64 = 100_000;

fn wanted(limits: &Limits) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    if let Some(bytes) = limits.memory {
        // As much swap again, as Docker when nothing is said of it.
        let with_swap = bytes.saturating_mul(2).to_string();
        let bytes = bytes.to_string();
        wanted.push(Wanted {
            controller: "memory",
            second: vec![("memory.max", bytes.clone()), ("memory.swap.max", bytes.clone())],
            first: vec![("memory.limit_in_bytes", bytes), ("memory.memsw.limit_in_bytes", with_swap)],
        });
    }
    if let Some(cpus) = limits.cpus {
        let quota = ((cpus * PERIOD as f64) as u64).max(1000).to_string();
        wanted.push(Wanted {
            controller: "cpu",
            second: vec![("cpu.max", format!("{quota} {PERIOD}"))],
            first: vec![("cpu.cfs_quota_us", quota), ("cpu.cfs_period_us", PERIOD.to_string())],
        });
    }
    if let Some(pids) = limits.pids {
        let pids = pids.to_string();
        wanted.push(Wanted {
            controller: "pids",
            second: vec![("pids.max", pids.clone())],
            first: vec![("pids.max", pids)],
        });
    }
    wanted
}

impl ControlGroups {
    /// Makes what the limits need.
    pub(crate) fn new(limits: &Limits) -> Result<Self, ExecError> {
        let wanted = wanted(limits);
        let mut groups = Self::default();
        if wanted.is_empty() {
            return Ok(groups);
        }
        let read =
            |path: &str| fs::read_to_string(path).map_err(|error| ExecError::io(SetupStep::ControlGroup, path, &error));
        let here = Here::parse(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?);
        let name = group_name();
        let mut left = Vec::new();
        // Version 1 first: a controller that is attached there is not in version 2.
        for wanted in wanted {
            match here.first.iter().find(|(controller, _)| controller == wanted.controller) {
                Some((_, parent)) => {
                    let group = groups.make(&parent.join(&name))?;
                    write_all(&group, &wanted.first)?;
                }
                None => left.push(wanted),
            }
        }
        if !left.is_empty() {
            let parent = here.second_parent(&left)?;
            let group = groups.make(&parent.join(&name))?;
            for wanted in &left {
                write_all(&group, &wanted.second)?;
            }
        }
        Ok(groups)
    }

    fn make(&mut self, path: &Path) -> Result<PathBuf, ExecError> {
        if !self.made.iter().any(|made| made == path) {
            fs::create_dir(path).map_err(|error| ExecError::io(SetupStep::ControlGroup, path, &error))?;
            self.made.push(path.to_owned());
        }
        Ok(path.to_owned())
    }

    /// The files through which a process enters the groups.
    pub(crate) fn entrances(&self) -> Vec<PathBuf> {
        self.made.iter().map(|group| group.join("cgroup.procs")).collect()
    }
}

impl Drop for ControlGroups {
    fn drop(&mut self) {
        for group in &self.made {
            // The kernel takes a moment to take the last process out.
            for _ in 0..50 {
                match fs::remove_dir(group) {
                    Err(error) if error.raw_os_error() == Some(Errno::EBUSY as i32) => {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    _ => break,
                }
            }
        }
    }
}

fn group_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("plimsoll-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn write_all(group: &Path, values: &[(&str, String)]) -> Result<(), ExecError> {
    for (index, (file, value)) in values.iter().enumerate() {
        let path = group.join(file);
        let written = fs::write(&path, value);
        // The first is the limit; the others (swap) are not on every kernel.
        if let (0, Err(error)) = (index, written) {
            return Err(ExecError::io(SetupStep::ControlGroup, path, &error));
        }
    }
    Ok(())
}

/// Where this process is in the trees of control groups, as folders.
#[derive(Debug, Default)]
struct Here {
    /// Controllers of version 1.
    first: Vec<(String, PathBuf)>,
    /// The tree of version 2: its mount point and our folder in it.
    second: Option<(PathBuf, PathBuf)>,
}

impl Here {
    fn parse(groups: &str, mounts: &str) -> Self {
        let mut here = Self::default();
        for line in mounts.lines() {
            let Some((fields, kind)) = line.split_once(" - ") else { continue };
            let fields: Vec<&str> = fields.split(' ').collect();
            let (Some(root), Some(point)) = (fields.get(3), fields.get(4)) else { continue };
            let mut kind = kind.split(' ');
            let (kind, options) = (kind.next().unwrap_or_default(), kind.nth(1).unwrap_or_default());
            // What the mount shows is a part of the tree; our group is below it.
            let folder = |group: &str| {
                let inside = if *root == "/" { Some(group) } else { group.strip_prefix(root) };
                inside.map(|inside| Path::new(point).join(inside.trim_start_matches('/')))
            };
            for group in groups.lines() {
                let mut group = group.splitn(3, ':');
                let (Some(_), Some(controllers), Some(path)) = (group.next(), group.next(), group.next()) else {
                    continue;
                };
                if kind == "cgroup2" && controllers.is_empty() {
                    here.second = folder(path).map(|folder| (PathBuf::from(point), folder));
                }
                if kind == "cgroup" {
                    for controller in
                        controllers.split(',').filter(|name| options.split(',').any(|option| option == *name))
                    {
                        here.first.extend(folder(path).map(|folder| (controller.to_owned(), folder)));
                    }
                }
            }
        }
        here
    }

    /// A folder of version 2 whose groups have the controllers: with processes of its own (as ours) a group cannot hand
    /// controllers on, so it is the parent of our group or the root.
    fn second_parent(&self, wanted: &[Wanted]) -> Result<PathBuf, ExecError> {
        let missing = || {
            ExecError::new(SetupStep::ControlGroup, format!("controller {}", wanted[0].controller), Errno::EOPNOTSUPP)
        };
        let (root, own) = self.second.as_ref().ok_or_else(missing)?;
        let candidates = own.ancestors().skip(1).take_while(|folder| folder.starts_with(root)).chain([root.as_path()]);
        let mut answer = missing();
        for folder in candidates {
            let control = folder.join("cgroup.subtree_control");
            let enabled = fs::read_to_string(&control).unwrap_or_default();
            let lacks: Vec<String> = wanted
                .iter()
                .filter(|wanted| !enabled.split_whitespace().any(|name| name == wanted.controller))
                .map(|wanted| format!("+{}", wanted.controller))
                .collect();
            if !lacks.is_empty()
                && let Err(error) = fs::write(&control, lacks.join(" "))
            {
                answer = ExecError::io(SetupStep::ControlGroup, control, &error);
                continue;
            }
            return Ok(folder.to_owned());
        }
        Err(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_of_both_versions() {
        let groups = "5:cpu,cpuacct:/job\n4:memory:/box/1\n1:name=systemd:/\n0::/user.slice/a.scope\n";
        let mounts = "30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      31 20 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:3 - cgroup cgroup rw,cpu,cpuacct\n\
                      32 20 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let here = Here::parse(groups, mounts);
        let folder =
            |name: &str| here.first.iter().find(|(controller, _)| controller == name).map(|(_, folder)| folder.clone());
        assert_eq!(folder("memory").unwrap(), Path::new("/sys/fs/cgroup/memory/box/1"));
        assert_eq!(folder("cpu").unwrap(), Path::new("/sys/fs/cgroup/cpu,cpuacct/job"));
        assert_eq!(folder("pids"), None);
        assert_eq!(here.second.unwrap().1, Path::new("/sys/fs/cgroup/unified/user.slice/a.scope"));
    }

    #[test]
    fn a_mount_that_shows_a_part() {
        let here = Here::parse(
            "4:memory:/docker/7/x\n",
            "30 20 0:26 /docker/7 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
        );
        assert_eq!(here.first[0].1, Path::new("/sys/fs/cgroup/memory/x"));
    }
}
