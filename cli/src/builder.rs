//! Options of the command line and of `plimsoll.toml` as the runtime's builder takes them, and its errors as people read them.

use crate::Global;
use crate::command::build_args::{BuildArgs, read_host};
use crate::config::Config;
use crate::report::progress::Shown;
use miette::{IntoDiagnostic, LabeledSpan, NamedSource, Report, Result, WrapErr, miette};
use plimsoll_analyzer::context::Listing;
use plimsoll_optimizer::Files;
use plimsoll_optimizer::moves::BaseFacts;
use plimsoll_runtime::build::{BuildError, BuildOptions, Built, NamedContext, Pull, Secret, build};
use plimsoll_runtime::context::Context;
use plimsoll_runtime::engine::{self, Engine, EngineError};
use plimsoll_runtime::exec::Network;
use plimsoll_runtime::registry;
use plimsoll_runtime::store::Store;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The config label that an image made of Debian packages in another's name carries.
pub const STAND_IN: &str = "org.plimsoll.stand-in";

/// One context, built as often as asked.
pub struct Builder<'a> {
    store: Store,
    options: BuildOptions,
    context: &'a Path,
    dockerfile: &'a Path,
    shown: Shown,
    stand_ins: BTreeSet<String>,
    engine: Engine,
}

impl<'a> Builder<'a> {
    /// A builder for this context, with options from the command line before those of the file.
    pub fn new(
        global: &Global,
        args: &BuildArgs,
        config: &Config,
        context: &'a Path,
        dockerfile: &'a Path,
    ) -> Result<Self> {
        let store = crate::place::store(global)?;
        let options = options(&store, args, config, context, dockerfile)?;
        let shown = Shown::new(args.progress, global.quiet, global.color.stderr());
        Ok(Self {
            store,
            options,
            context,
            dockerfile,
            shown,
            stand_ins: BTreeSet::new(),
            engine: args.engine.engine(),
        })
    }

    /// The store that is built into.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The options, for what only one command sets.
    pub fn options_mut(&mut self) -> &mut BuildOptions {
        &mut self.options
    }

    /// Says what goes on.
    pub fn say(&mut self, message: &str) {
        self.shown.say(message);
    }

    /// Builds the files on disk.
    pub fn build_path(&mut self, prefix: &str) -> Result<Built> {
        self.options.dockerfile_bytes = None;
        self.options.ignore_text = None;
        if self.dockerfile.as_os_str() == crate::files::STDIN {
            self.options.dockerfile_bytes = Some(crate::files::read(self.dockerfile)?);
        }
        self.carry_out(prefix)
    }

    /// Builds this Dockerfile, with the context's ignore file.
    pub fn build_text(&mut self, text: &[u8]) -> Result<Built> {
        self.options.dockerfile_bytes = Some(text.to_vec());
        self.carry_out("")
    }

    /// Builds these texts instead of the files on disk.
    pub fn build_step(&mut self, title: &str, files: &Files) -> Result<Built> {
        self.options.dockerfile_bytes = Some(files.dockerfile.clone().into_bytes());
        self.options.ignore_text = Some(files.dockerignore.clone().unwrap_or_default());
        self.carry_out(title)
    }

    /// The same for a step that may turn out not to build: the inner error is why, in one line. What is no fault of the
    /// step, such as a disk that is full, ends everything.
    pub fn try_step(&mut self, title: &str, files: &Files) -> Result<Result<Built, String>> {
        self.options.dockerfile_bytes = Some(files.dockerfile.clone().into_bytes());
        self.options.ignore_text = Some(files.dockerignore.clone().unwrap_or_default());
        match self.attempt(title) {
            Ok(built) => Ok(Ok(built)),
            Err(error) if is_fault_of_step(&error) => Ok(Err(brief(&error))),
            Err(error) => Err(explain(&error, self.options.dockerfile_bytes.as_deref())),
        }
    }

    /// The same texts once more with every RUN carried out anew, whatever other builds have left. Done once: a second time
    /// it is there.
    pub fn build_again(&mut self, title: &str, files: &Files) -> Result<Result<Built, String>> {
        self.options.lineage = Some("again".to_owned());
        let built = self.try_step(title, files);
        self.options.lineage = None;
        built
    }

    fn carry_out(&mut self, prefix: &str) -> Result<Built> {
        self.attempt(prefix).map_err(|error| explain(&error, self.options.dockerfile_bytes.as_deref()))
    }

    fn attempt(&mut self, prefix: &str) -> Result<Built, BuildError> {
        self.shown.set_prefix(prefix);
        let built = match self.engine {
            Engine::Embedded => build(&self.store, &self.options, &mut self.shown)?,
            other => engine::build(other, &self.store, &self.options, &mut self.shown)?,
        };
        if built.image.config.config.labels.contains_key(STAND_IN) {
            self.note_stand_ins();
        }
        Ok(built)
    }

    /// Which base images of the store are stand-ins, by name.
    fn note_stand_ins(&mut self) {
        let Ok(list) = self.store.list() else { return };
        for tagged in list {
            let (Some(reference), Ok(image)) = (tagged.reference, self.store.image(&tagged.manifest)) else { continue };
            if let Some(name) = image.config.config.labels.get(STAND_IN) {
                let own = crate::command::images::familiar(&reference);
                if own == *name || reference == *name {
                    self.stand_ins.insert(own);
                }
            }
        }
    }

    /// Stand-ins that builds may have stood on.
    pub fn stand_ins(&self) -> Vec<String> {
        self.stand_ins.iter().cloned().collect()
    }

    /// Whether an image is in the store, or its registry has it. Asked once per name; a registry that does not answer is
    /// not asked again.
    pub fn available(&self) -> impl Fn(&str) -> bool + use<> {
        let store = self.store.clone();
        let mirrors = self.options.mirrors.clone();
        let known: RefCell<BTreeMap<String, bool>> = RefCell::default();
        let silent: RefCell<BTreeSet<String>> = RefCell::default();
        move |image: &str| {
            if matches!(store.resolve(image), Ok(Some(_))) {
                return true;
            }
            if let Some(known) = known.borrow().get(image) {
                return *known;
            }
            let first = image.split('/').next().filter(|_| image.contains('/')).unwrap_or_default();
            let host = if first.contains(['.', ':']) || first == "localhost" { first } else { "docker.io" };
            if silent.borrow().contains(host) {
                return false;
            }
            let found = registry::exists(image, &mirrors).unwrap_or_else(|_| {
                silent.borrow_mut().insert(host.to_owned());
                false
            });
            known.borrow_mut().insert(image.to_owned(), found);
            found
        }
    }

    /// What the config of an image in the store says, for moves that depend on its variables.
    pub fn base_facts(&self) -> impl Fn(&str) -> Option<BaseFacts> + use<> {
        let store = self.store.clone();
        move |image: &str| {
            let config = store.resolve(image).ok()??.config.config;
            let pair = |entry: String| entry.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            Some(BaseFacts {
                env: config.env.into_iter().filter_map(pair).collect(),
                workdir: config.working_dir,
                user: config.user,
            })
        }
    }

    /// What stands in the context.
    pub fn listing(&self, _files: &Files) -> Result<Listing> {
        listing(self.context)
    }
}

/// Everything in a context's folder, before any ignore file.
pub fn listing(context: &Path) -> Result<Listing> {
    let opened = Context::open(context, None).and_then(|context| context.listing());
    opened.into_diagnostic().wrap_err_with(|| format!("failed to read the build context {}", context.display()))
}

fn options(
    store: &Store,
    args: &BuildArgs,
    config: &Config,
    context: &Path,
    dockerfile: &Path,
) -> Result<BuildOptions> {
    let mut options = BuildOptions::new(context);
    options.dockerfile = Some(dockerfile.to_path_buf());
    options.target = args.target.clone().or_else(|| config.build.target.clone());
    options.build_args = args.build_args(config)?;
    options.platform.clone_from(&args.platform);
    options.network = match args.network.as_deref().or(config.build.network.as_deref()) {
        None | Some("host" | "default") => Network::Host,
        Some("none") => Network::None,
        Some(other) => {
            return Err(miette!(
                help = "use host or none",
                "failed to read --network {other}: RUN steps know no such network"
            ));
        }
    };
    options.no_cache = args.no_cache;
    options.no_cache_filter.clone_from(&args.no_cache_filter);
    options.pull = if args.pull { Pull::Always } else { Pull::Missing };
    options.epoch = epoch(&options)?;
    options.ca_bundle = args.ca_bundle.clone().or_else(|| config.build.ca_bundle.clone());
    if let Some(bundle) = &options.ca_bundle {
        std::fs::metadata(bundle).map_err(|error| crate::files::unreadable(bundle, &error))?;
        options.ca_bundle = Some(std::fs::canonicalize(bundle).into_diagnostic()?);
    }
    for spec in &args.secrets {
        let (id, secret) = read_secret(spec)?;
        options.secrets.insert(id, secret);
    }
    for spec in &args.ssh {
        let (id, socket) = read_ssh(spec)?;
        options.ssh.insert(id, socket);
    }
    for host in &args.add_host {
        options.extra_hosts.push(read_host(host)?);
    }
    options.shm_size = args.shm_size;
    options.ulimits = args.ulimits()?;
    for spec in &args.build_context {
        let (name, context) = read_context(store, spec)?;
        options.contexts.insert(name, context);
    }
    options.allow_insecure = args.allow.iter().any(|what| what == "security.insecure");
    Ok(options)
}

/// `NAME=DIR`, `NAME=docker-image://REF`, `NAME=oci-layout://DIR[:TAG]`
fn read_context(store: &Store, spec: &str) -> Result<(String, NamedContext)> {
    const HELP: &str = "write it as NAME=FOLDER, NAME=docker-image://REFERENCE or NAME=oci-layout://FOLDER[@DIGEST]";
    let wrong = |why: &str| miette!(help = HELP, "failed to read --build-context {spec}: {why}");
    let (name, value) = spec.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| wrong("no name"))?;
    if let Some(reference) = value.strip_prefix("docker-image://") {
        return Ok((name.to_owned(), NamedContext::Image(reference.to_owned())));
    }
    if let Some(layout) = value.strip_prefix("oci-layout://") {
        let (path, digest) = layout.split_once('@').map_or((layout, None), |(path, digest)| (path, Some(digest)));
        let (path, tag) = match path.rsplit_once(':') {
            Some((folder, tag)) if !tag.contains('/') && !Path::new(path).exists() => (folder, Some(tag)),
            _ => (path, None),
        };
        let found = crate::command::images::layout_image(store, Path::new(path), tag, digest)?;
        return Ok((name.to_owned(), NamedContext::Loaded(Box::new(found))));
    }
    if value.starts_with("target:") || plimsoll_runtime::build::is_address(value) {
        return Err(wrong("only folders, images and layouts are taken"));
    }
    let path = std::fs::canonicalize(value).map_err(|error| crate::files::unreadable(Path::new(value), &error))?;
    if !path.is_dir() {
        return Err(wrong("it is no folder"));
    }
    Ok((name.to_owned(), NamedContext::Directory(path)))
}

/// `SOURCE_DATE_EPOCH`: the build argument before the environment.
fn epoch(options: &BuildOptions) -> Result<Option<i64>> {
    const NAME: &str = "SOURCE_DATE_EPOCH";
    let text =
        options.build_args.get(NAME).cloned().or_else(|| std::env::var(NAME).ok()).filter(|text| !text.is_empty());
    let number = text.map(|text| {
        text.parse().map_err(|_| miette!(help = "it is a number of seconds since 1970", "failed to read {NAME}={text}"))
    });
    number.transpose()
}

/// `id=ID,src=FILE`, `id=ID,env=NAME`, `id=ID`, `ID`
fn read_secret(spec: &str) -> Result<(String, Secret)> {
    const HELP: &str = "write it as id=ID,src=FILE or id=ID,env=NAME";
    let (mut id, mut file, mut env) = (None, None, None);
    for part in spec.split(',') {
        match part.split_once('=') {
            Some(("id", value)) => id = Some(value),
            Some(("src" | "source", value)) => file = Some(PathBuf::from(value)),
            Some(("env", value)) => env = Some(value),
            Some(("type", "file" | "env")) => {}
            None if id.is_none() => id = Some(part),
            _ => return Err(miette!(help = HELP, "failed to read --secret {spec}: `{part}` is not known")),
        }
    }
    let id =
        id.filter(|id| !id.is_empty()).ok_or_else(|| miette!(help = HELP, "failed to read --secret {spec}: no id"))?;
    // As docker does: an environment variable of the id's name, else a file of that name.
    let variable = env.or_else(|| (file.is_none() && std::env::var_os(id).is_some()).then_some(id));
    if let Some(name) = variable {
        let value = std::env::var(name)
            .map_err(|_| miette!(help = HELP, "failed to read --secret {spec}: ${name} is not set"))?;
        return Ok((id.to_owned(), Secret::Value(value.into_bytes())));
    }
    let path = file.unwrap_or_else(|| PathBuf::from(id));
    std::fs::metadata(&path).map_err(|error| crate::files::unreadable(&path, &error))?;
    Ok((id.to_owned(), Secret::File(path)))
}

/// `default`, `default=SOCKET`, `ID=SOCKET`
fn read_ssh(spec: &str) -> Result<(String, PathBuf)> {
    let (id, socket) = spec.split_once('=').map_or((spec, None), |(id, socket)| (id, Some(PathBuf::from(socket))));
    let socket = socket.or_else(|| std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from));
    let socket = socket.ok_or_else(|| {
        miette!(help = "start an agent, or write ID=SOCKET", "failed to read --ssh {spec}: SSH_AUTH_SOCK is not set")
    })?;
    Ok((id.to_owned(), socket))
}

/// Whether another text of the Dockerfile might build where this one did not.
fn is_fault_of_step(error: &BuildError) -> bool {
    match error {
        BuildError::Step { disk_full, .. } => !disk_full,
        BuildError::Engine(error) => matches!(error, EngineError::Build { .. }),
        BuildError::Syntax { .. }
        | BuildError::Base { .. }
        | BuildError::Instruction { .. }
        | BuildError::NotFound { .. }
        | BuildError::Copy { .. }
        | BuildError::Exec { .. }
        | BuildError::Fetch { .. }
        | BuildError::Target { .. } => true,
        BuildError::NoDockerfile { .. }
        | BuildError::Context { .. }
        | BuildError::Layer { .. }
        | BuildError::Snapshot(_)
        | BuildError::Store(_) => false,
    }
}

/// What went wrong, in one line: the command and the last thing it said.
fn brief(error: &BuildError) -> String {
    let BuildError::Step { command, status, output, .. } = error else {
        return error.to_string();
    };
    let command = command.strip_prefix("/bin/sh -c ").unwrap_or(command);
    let said = output.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty());
    let said = said.map(|line| format!(": {}", shorten(line, 160))).unwrap_or_default();
    format!("`{}` ended with {status}{said}", shorten(command, 80))
}

fn shorten(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most { line } else { line.chars().take(most).collect::<String>() + "…" }
}

/// The error with the Dockerfile's lines around it, where it is about any.
pub fn explain(error: &BuildError, text: Option<&[u8]>) -> Report {
    let mut message = error.to_string();
    if let BuildError::Step { output, .. } = error
        && !output.is_empty()
    {
        message.push_str("; its last lines:\n  ");
        message.push_str(&output.join("\n  "));
    }
    let mut diagnostic = miette::MietteDiagnostic::new(message);
    if let Some(help) = error.help() {
        diagnostic = diagnostic.with_help(help);
    }
    let Some(place) = error.place() else { return Report::new(diagnostic) };
    let bytes = text.map(<[u8]>::to_vec).or_else(|| std::fs::read(&place.file).ok());
    let Some(bytes) = bytes else { return Report::new(diagnostic) };
    let spans: Vec<LabeledSpan> = match error {
        BuildError::Syntax { errors, .. } => errors
            .iter()
            .map(|e| {
                LabeledSpan::new_with_span(Some(e.message.clone()), (e.place.range.start as usize, e.place.range.len()))
            })
            .collect(),
        _ => vec![LabeledSpan::new_primary_with_span(None, (place.range.start as usize, place.range.len()))],
    };
    let source = NamedSource::new(place.file.display().to_string(), String::from_utf8_lossy(&bytes).into_owned());
    Report::new(diagnostic.with_labels(spans)).with_source_code(source)
}
