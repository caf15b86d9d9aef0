//! `[[service]]`: the containers that a program needs beside it, from images of the store or built.

use crate::Global;
use crate::builder::Builder;
use crate::command::build_args::BuildArgs;
use crate::command::images;
use crate::config::{self, Config};
use crate::probes;
use miette::{Report, Result, WrapErr, miette};
use plimsoll_runtime::compare::behaviour::{Member, Ready, Root, Service};
use plimsoll_runtime::exec::Mount;
use plimsoll_runtime::image::Image;
use plimsoll_runtime::probe::Probe;
use plimsoll_runtime::snapshot::Snapshots;
use plimsoll_runtime::store::Store;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The services of a configuration, ready to be started.
#[derive(Debug, Default)]
pub struct Services {
    all: Vec<Made>,
}

/// One service and what it is started from; nothing where that is the image under test.
#[derive(Debug)]
struct Made {
    config: config::Service,
    image: Option<Image>,
    mounts: Vec<Mount>,
    volumes: Vec<String>,
}

/// How reports tell of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Its name.
    pub name: String,
    /// What it was started from, as the configuration has it.
    pub from: String,
    /// Digest of its image; nothing where that is the image under test.
    pub digest: Option<String>,
}

/// Names that a member may not have, since they mean something in every container.
const TAKEN: [&str; 4] = ["localhost", "ip6-localhost", "ip6-loopback", "host"];
/// Addresses that one network has.
const MOST: usize = 200;

impl Services {
    /// Finds, fetches or builds every image that the configuration's services need.
    pub fn prepare(global: &Global, args: &BuildArgs, config: &Config, store: &Store) -> Result<Self> {
        check_names(config)?;
        let mut all = Vec::new();
        for service in &config.service {
            let name = &service.name;
            let image = image_of(global, args, config, store, service)
                .wrap_err_with(|| format!("failed to make the service `{name}`"))?;
            let (mounts, volumes) = read_volumes(config, &service.volumes).map_err(|what| wrong(service, &what))?;
            // Found wrong now rather than when it is waited for.
            ready(service)?;
            all.push(Made { config: service.clone(), image, mounts, volumes });
        }
        Ok(Self { all })
    }

    /// As a session starts them beside `image`.
    pub fn beside(&self, snapshots: &Snapshots, image: &Image) -> Result<Vec<Service>> {
        let made = self.all.iter().map(|made| {
            let from = made.image.as_ref().unwrap_or(image);
            let root = Root::Layers(snapshots.clone(), from.layers.clone());
            let mut member = Member::new(&made.config.name, root, from.config.config.clone());
            member.aliases.clone_from(&made.config.aliases);
            member.entrypoint.clone_from(&made.config.entrypoint);
            member.command.clone_from(&made.config.command);
            member.env = made.config.env.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            member.mounts.clone_from(&made.mounts);
            member.volumes.clone_from(&made.volumes);
            Ok(Service { member, ready: ready(&made.config)?, under_test: made.image.is_none() })
        });
        made.collect()
    }

    /// Whether a service of this name runs the image under test.
    pub fn is_under_test(&self, name: &str) -> bool {
        self.all.iter().any(|made| made.config.name == name && made.image.is_none())
    }

    /// What reports say of them.
    pub fn told(&self) -> Vec<Told> {
        let told = self.all.iter().map(|made| Told {
            name: made.config.name.clone(),
            from: match (&made.config.image, &made.config.context) {
                (Some(image), _) => image.clone(),
                (None, Some(folder)) => folder.display().to_string(),
                (None, None) => "the image under test".to_owned(),
            },
            digest: made.image.as_ref().map(|image| image.manifest.to_string()),
        });
        told.collect()
    }
}

fn wrong(service: &config::Service, what: &str) -> Report {
    let name = &service.name;
    miette!(help = "docs/configuration.md lists the keys of [[service]]", "failed to read the service `{name}`: {what}")
}

fn check_names(config: &Config) -> Result<()> {
    if config.service.len() > MOST {
        return Err(miette!(help = "prove parts of it", "failed to read [[service]]: more than {MOST} of them"));
    }
    let mut seen: BTreeSet<&str> = TAKEN.into_iter().collect();
    let own = config.container.name.iter().chain(&config.container.aliases);
    for (name, whose) in own.map(|name| (name, "[container]".to_owned())).chain(
        config
            .service
            .iter()
            .flat_map(|service| std::iter::once(&service.name).chain(&service.aliases))
            .map(|name| (name, format!("the service `{name}`"))),
    ) {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(fits) {
            return Err(miette!(
                help = "a host name has letters, digits, `-`, `_` and `.`",
                "failed to read {whose}: `{name}` is no host name"
            ));
        }
        if !seen.insert(name) {
            return Err(miette!(
                help = "each container and alias needs a name of its own",
                "failed to read {whose}: the host name `{name}` is taken"
            ));
        }
    }
    Ok(())
}

fn image_of(
    global: &Global,
    args: &BuildArgs,
    config: &Config,
    store: &Store,
    service: &config::Service,
) -> Result<Option<Image>> {
    let folder = match (&service.image, &service.context) {
        (Some(_), Some(_)) => return Err(wrong(service, "it has both an image and a context; one of them is used")),
        (Some(name), None) => return images::find_or_pull(global, store, name, None).map(Some),
        (None, None) if service.dockerfile.is_some() => return Err(wrong(service, "a dockerfile needs a context")),
        (None, None) => return Ok(None),
        (None, Some(folder)) => config.folder().join(folder),
    };
    if !folder.is_dir() {
        return Err(wrong(service, &format!("its context {} is no folder", folder.display())));
    }
    let named = service.dockerfile.as_ref().map(|file| folder.join(file));
    let dockerfile = crate::files::dockerfile_of(&folder, named.as_deref())?;
    // What was said on the command line is about the program; how to reach the world is about the machine.
    let args = BuildArgs {
        network: args.network.clone(),
        platform: args.platform.clone(),
        add_host: args.add_host.clone(),
        progress: args.progress,
        pull: args.pull,
        ca_bundle: args.ca_bundle.clone(),
        ..BuildArgs::default()
    };
    // Its own file counts, not one that is found further up: that may be the program's.
    let own = folder.join(config::NAME);
    let mut its = if own.is_file() { config::load(Some(&own), &folder)? } else { Config::default() };
    its.build.ca_bundle = its.build.ca_bundle.or_else(|| config.build.ca_bundle.clone());
    let mut builder = Builder::new(global, &args, &its, &folder, &dockerfile)?;
    Ok(Some(builder.build_path(&format!("service {}", service.name))?.image))
}

/// Paths that are kept over a restart, and files of the host that are shown.
pub fn read_volumes(config: &Config, written: &[String]) -> Result<(Vec<Mount>, Vec<String>), String> {
    let (mut mounts, mut kept) = (Vec::new(), Vec::new());
    for volume in written {
        match volume.split_once(':') {
            None if volume.starts_with('/') => kept.push(volume.clone()),
            None => return Err(format!("the volume {volume} is no absolute path")),
            Some((host, target)) if host.starts_with(['/', '.']) => {
                let target = target.strip_suffix(":ro").unwrap_or(target);
                if target.contains(':') || !target.starts_with('/') {
                    return Err(format!("the volume {volume} is none of HOST:/PATH; files of the host are only read"));
                }
                let host = config.folder().join(host);
                let found = std::fs::canonicalize(&host)
                    .map_err(|error| format!("the volume {volume}: {}: {error}", host.display()))?;
                mounts.push(Mount::bind(found, target, true));
            }
            Some(_) => {
                return Err(format!(
                    "the volume {volume} has a name; volumes are not shared: write /PATH for one that outlives a restart, \
                     ./FILE:/PATH for a file of this folder"
                ));
            }
        }
    }
    Ok((mounts, kept))
}

/// When a service counts as ready.
fn ready(service: &config::Service) -> Result<Ready> {
    let Some(ready) = &service.ready else {
        return Ok(service.port.map_or(Ready::Exposed, |port| Ready::Probe(Probe::Tcp { port })));
    };
    match (&ready.http, &ready.exec, ready.ended) {
        (Some(http), None, false) => {
            let (method, path) = probes::method_and_path(http).ok_or_else(|| wrong(service, probes::HTTP))?;
            Ok(Ready::Probe(Probe::Http {
                method,
                port: ready.port.or(service.port).unwrap_or_default(),
                path,
                headers: Vec::new(),
                body: None,
                expect_status: Some(ready.status.unwrap_or(200)),
                expect_body: None,
            }))
        }
        (None, Some(args), false) => Ok(Ready::Probe(Probe::Exec { args: args.clone(), expect_code: Some(0) })),
        (None, None, true) => Ok(Ready::Ended),
        (None, None, false) if ready.port.is_some() => {
            Ok(Ready::Probe(Probe::Tcp { port: ready.port.unwrap_or_default() }))
        }
        _ => Err(wrong(service, "ready has exactly one of http, exec, port and ended")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<(), String> {
        check_names(&toml::from_str(text).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_host_names_and_each_ones_own() {
        assert_eq!(names("[[service]]\nname = \"post_db\"\naliases = [\"db.local\"]\n"), Ok(()));
        assert!(names("[[service]]\nname = \"a b\"\n").unwrap_err().contains("`a b` is no host name"));
        assert!(
            names("[[service]]\nname = \"db\"\n[[service]]\nname = \"db\"\n").unwrap_err().contains("`db` is taken")
        );
        assert!(names("[container]\nname = \"localhost\"\n").is_err());
    }

    #[test]
    fn volumes_are_kept_paths_or_files_to_be_read() {
        let config = Config::default();
        let read = |text: &str| read_volumes(&config, &[text.to_owned()]);
        assert_eq!(read("/data").unwrap().1, ["/data"]);
        assert_eq!(read("./Cargo.toml:/etc/x:ro").unwrap().0[0].target, "/etc/x");
        assert!(read("data").unwrap_err().contains("no absolute path"));
        assert!(read("data:/data").unwrap_err().contains("has a name"));
        assert!(read("./Cargo.toml:/x:rw").unwrap_err().contains("only read"));
        assert!(read("./nothing:/x").unwrap_err().contains("No such file"));
    }

    #[test]
    fn what_makes_a_service_ready() {
        let read = |text: &str| ready(&toml::from_str(text).unwrap()).map_err(|error| error.to_string());
        assert_eq!(read("name = \"a\"\n"), Ok(Ready::Exposed));
        assert_eq!(read("name = \"a\"\nport = 7\n"), Ok(Ready::Probe(Probe::Tcp { port: 7 })));
        assert_eq!(read("name = \"a\"\nready = { ended = true }\n"), Ok(Ready::Ended));
        assert!(matches!(
            read("name = \"a\"\nport = 7\nready = { http = \"/up\" }\n"),
            Ok(Ready::Probe(Probe::Http { port: 7, .. }))
        ));
        assert!(
            read("name = \"a\"\nready = { http = \"/up\", ended = true }\n").unwrap_err().contains("exactly one of")
        );
    }
}
