//! `--ulimit`

use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

/// The limit of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    name: String,
    soft: u64,
    hard: u64,
}

const KNOWN: [(&str, Resource); 16] = [
    ("as", Resource::RLIMIT_AS),
    ("core", Resource::RLIMIT_CORE),
    ("cpu", Resource::RLIMIT_CPU),
    ("data", Resource::RLIMIT_DATA),
    ("fsize", Resource::RLIMIT_FSIZE),
    ("locks", Resource::RLIMIT_LOCKS),
    ("memlock", Resource::RLIMIT_MEMLOCK),
    ("msgqueue", Resource::RLIMIT_MSGQUEUE),
    ("nice", Resource::RLIMIT_NICE),
    ("nofile", Resource::RLIMIT_NOFILE),
    ("nproc", Resource::RLIMIT_NPROC),
    ("rss", Resource::RLIMIT_RSS),
    ("rtprio", Resource::RLIMIT_RTPRIO),
    ("rttime", Resource::RLIMIT_RTTIME),
    ("sigpending", Resource::RLIMIT_SIGPENDING),
    ("stack", Resource::RLIMIT_STACK),
];

impl Ulimit {
    /// Reads `nofile=1024:2048`; one number is both, -1 is no limit.
    pub fn parse(spec: &str) -> Result<Self, String> {
        let (name, value) = spec.split_once('=').ok_or("no `=`")?;
        if !KNOWN.iter().any(|(known, _)| *known == name) {
            let all: Vec<&str> = KNOWN.iter().map(|(name, _)| *name).collect();
            return Err(format!("`{name}` is not known; these are: {}", all.join(", ")));
        }
        let number = |text: &str| match text {
            "-1" => Ok(RLIM_INFINITY),
            text => text.parse::<u64>().map_err(|_| format!("`{text}` is no number")),
        };
        let (soft, hard) = value.split_once(':').unwrap_or((value, value));
        let (soft, hard) = (number(soft)?, number(hard)?);
        if soft > hard {
            return Err("the soft limit is above the hard one".to_owned());
        }
        Ok(Self { name: name.to_owned(), soft, hard })
    }

    /// What it limits.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets it for this process; where it may not be raised that far, as far as it may.
    pub(super) fn apply(&self) -> Result<(), Errno> {
        let resource = KNOWN.iter().find(|(known, _)| *known == self.name).map(|(_, resource)| *resource);
        let resource = resource.ok_or(Errno::EINVAL)?;
        match setrlimit(resource, self.soft, self.hard) {
            Err(Errno::EPERM) => {
                let (_, most) = getrlimit(resource)?;
                setrlimit(resource, self.soft.min(most), self.hard.min(most))
            }
            done => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_as_docker_writes_them() {
        let read = |spec: &str| Ulimit::parse(spec).map(|limit| (limit.soft, limit.hard));
        assert_eq!(read("nofile=10:20"), Ok((10, 20)));
        assert_eq!(read("core=0"), Ok((0, 0)));
        assert_eq!(read("memlock=-1:-1"), Ok((RLIM_INFINITY, RLIM_INFINITY)));
        for wrong in ["nofile", "files=1", "nofile=x", "nofile=3:2"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
