//! `plimsoll build`

mod cache;
mod call;
mod context;
mod output;

use crate::builder::Builder;
use crate::command::build_args::BuildArgs;
use crate::exit::Exit;
use crate::{Global, config, files, place};
use cache::Cache;
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use output::Output;
pub use output::write_images;
use plimsoll_runtime::build::Built;
use plimsoll_runtime::image::Image;
use plimsoll_runtime::reference::Reference;
use plimsoll_runtime::store::Store;
use serde_json::json;
use std::path::PathBuf;

/// Build an image from a Dockerfile, without a daemon
///
/// The flags are docker build's. The image goes into the store; --output writes it elsewhere as well.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The build context: a folder, the address of a git repository or archive, or `-` for an archive or a Dockerfile on
    /// standard input
    #[arg(value_name = "CONTEXT", default_value = ".")]
    context: String,
    /// Name of the image, NAME[:TAG]
    #[arg(short, long = "tag", value_name = "NAME")]
    tags: Vec<String>,
    /// Add a label
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// Add an annotation to the manifest
    #[arg(long = "annotation", value_name = "NAME=VALUE")]
    annotations: Vec<String>,
    /// Write the image too: DIR, -, type=local|tar|oci|docker,dest=PATH or type=image,push=true; as often as wanted
    #[arg(short, long = "output", value_name = "SPEC")]
    outputs: Vec<String>,
    /// Send the image to its registries
    #[arg(long)]
    push: bool,
    /// Take results of steps: type=local,src=DIR or type=registry,ref=NAME
    #[arg(long, value_name = "SPEC")]
    cache_from: Vec<String>,
    /// Keep results of steps elsewhere: type=local,dest=DIR, type=registry,ref=NAME or type=inline; mode=max for all stages
    #[arg(long, value_name = "SPEC")]
    cache_to: Vec<String>,
    /// Write the image ID here
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// Write what is known of the build here, as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// Look for mistakes and build nothing
    #[arg(long)]
    check: bool,
    /// Instead of building: check, outline or targets
    #[arg(long, value_name = "WHAT", default_value = "build", hide_default_value = true)]
    call: String,
    /// How the result is told: text prints the image ID, json the layers and steps
    #[arg(long, value_enum, default_value = "text")]
    format: super::images::Format,
    #[command(flatten)]
    build: BuildArgs,
    #[command(flatten)]
    foreign: Foreign,
}

/// Flags of docker that mean nothing here: some do no harm, others are refused with a reason.
#[derive(clap::Args, Debug)]
struct Foreign {
    #[arg(long, hide = true)]
    load: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    rm: Option<bool>,
    #[arg(long, hide = true)]
    force_rm: bool,
    #[arg(long, hide = true)]
    compress: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_content_trust: Option<bool>,
    #[arg(short = 'D', long, hide = true)]
    debug: bool,
    #[arg(long, hide = true)]
    provenance: Option<String>,
    #[arg(long, hide = true)]
    sbom: Option<String>,
    #[arg(long, hide = true)]
    attest: Vec<String>,
    #[arg(long, hide = true)]
    builder: Option<String>,
    #[arg(long, hide = true)]
    cgroup_parent: Option<String>,
    #[arg(long, hide = true)]
    isolation: Option<String>,
    #[arg(long, hide = true)]
    security_opt: Vec<String>,
    #[arg(long, hide = true)]
    squash: bool,
    #[arg(short = 'm', long, hide = true)]
    memory: Option<String>,
    #[arg(long, hide = true)]
    memory_swap: Option<String>,
    #[arg(short = 'c', long, hide = true)]
    cpu_shares: Option<String>,
    #[arg(long, hide = true)]
    cpu_period: Option<String>,
    #[arg(long, hide = true)]
    cpu_quota: Option<String>,
    #[arg(long, hide = true)]
    cpuset_cpus: Option<String>,
    #[arg(long, hide = true)]
    cpuset_mems: Option<String>,
}

impl Foreign {
    /// The first that cannot be ignored.
    fn refuse(&self) -> Result<()> {
        let on = |value: &Option<String>| value.as_ref().is_some_and(|value| value != "false" && value != "disabled");
        let limits = [
            ("--memory", &self.memory),
            ("--memory-swap", &self.memory_swap),
            ("--cpu-shares", &self.cpu_shares),
            ("--cpu-period", &self.cpu_period),
            ("--cpu-quota", &self.cpu_quota),
            ("--cpuset-cpus", &self.cpuset_cpus),
            ("--cpuset-mems", &self.cpuset_mems),
        ];
        let refuse =
            |flag: &str, help: &str| Err(miette!(help = help.to_owned(), "failed to build: {flag} is not supported"));
        if self.cgroup_parent.is_some() {
            return refuse(
                "--cgroup-parent",
                "steps run in the control group of this process: start plimsoll in the one you want",
            );
        }
        if let Some((flag, _)) = limits.iter().find(|(_, value)| value.is_some()) {
            return refuse(
                flag,
                "BuildKit has no limits for steps either; limit plimsoll itself, with systemd-run or ulimit",
            );
        }
        if on(&self.provenance) || on(&self.sbom) || !self.attest.is_empty() {
            return refuse("an attestation (--provenance, --sbom, --attest)", "pass --provenance=false --sbom=false");
        }
        if self.builder.as_deref().is_some_and(|name| name != "default") {
            return refuse("--builder", "there is one builder: plimsoll itself");
        }
        if self.isolation.as_deref().is_some_and(|name| name != "default") {
            return refuse("--isolation", "it is for Windows containers");
        }
        if !self.security_opt.is_empty() {
            return refuse(
                "--security-opt",
                "RUN --security=insecure with --allow security.insecure lifts the sandbox of one step",
            );
        }
        if self.squash {
            return refuse("--squash", "a stage `FROM scratch` with `COPY --from=… / /` gives one layer");
        }
        Ok(())
    }
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    args.foreign.refuse()?;
    let (call, as_json) = if args.check { (Some(call::Call::Check), false) } else { call::parse(&args.call)? };
    let mut outputs = args.outputs.iter().map(|spec| Output::parse(spec)).collect::<Result<Vec<_>>>()?;
    if args.push {
        outputs.push(Output::push());
    }
    let cache_from = args.cache_from.iter().map(|spec| Cache::parse(spec)).collect::<Result<Vec<_>>>()?;
    let cache_to = args.cache_to.iter().map(|spec| Cache::parse(spec)).collect::<Result<Vec<_>>>()?;
    let all_tags = args.tags.iter().chain(outputs.iter().flat_map(|output| &output.names));
    for tag in all_tags {
        Reference::parse(tag).map_err(|error| {
            miette!(help = "write it as NAME or NAME:TAG", "failed to read the name {tag}: {error}")
        })?;
    }
    place::enter()?;
    let opened = context::open(global, &args.context, args.build.file.as_deref(), &args.build)?;
    let config = config::load(global.config.as_deref(), opened.path())?;
    let dockerfile = match (opened.dockerfile(), args.build.file.as_deref()) {
        (Some(_), _) => PathBuf::from("Dockerfile"),
        (None, Some(path)) if path.as_os_str() == files::STDIN => path.to_path_buf(),
        (None, named) => files::dockerfile_of(opened.path(), named)?,
    };
    if let Some(call) = call {
        // A Dockerfile that came alone is put where one of a folder would be.
        let dockerfile = match opened.dockerfile() {
            Some(text) => {
                let path = opened.path().join("Dockerfile");
                std::fs::write(&path, text).into_diagnostic().wrap_err("failed to keep the Dockerfile that came")?;
                path
            }
            None => dockerfile,
        };
        let target = args.build.target.as_deref();
        return call::answer(global, call, as_json, &dockerfile, target, &args.build.build_args(&config)?);
    }
    let mut builder = Builder::new(global, &args.build, &config, opened.path(), &dockerfile)?;
    let options = builder.options_mut();
    options.tags.clone_from(&args.tags);
    options.labels.extend(args.labels.iter().map(|label| pair(label)));
    for annotation in &args.annotations {
        let (name, value) = pair(annotation);
        // The manifest is the only thing that is annotated here; an index there is none.
        let plain = name.strip_prefix("manifest:").unwrap_or(&name).to_owned();
        let of_others =
            ["index:", "index-descriptor:", "index[", "manifest-descriptor:", "manifest[", "manifest-descriptor["];
        if of_others.iter().any(|kind| plain.starts_with(kind)) {
            return Err(miette!(
                help = "write --annotation NAME=VALUE",
                "failed to annotate {name}: there is one manifest, and no index"
            ));
        }
        options.annotations.insert(plain, value);
    }
    options.annotations.extend(outputs.iter().flat_map(|output| output.annotations.clone()));
    let epoch = options.epoch;
    let store = builder.store().clone();
    for cache in &cache_from {
        cache.import(global, &store)?;
    }
    let built = match opened.dockerfile() {
        Some(text) => builder.build_text(text)?,
        None => builder.build_path("")?,
    };
    drop(builder);
    let image = if cache_to.iter().any(Cache::is_inline) {
        cache::inline(&store, &built, &args.tags)?
    } else {
        built.image.clone()
    };
    for output in &outputs {
        output.write(global, &store, &image, &args.tags, epoch)?;
    }
    for cache in &cache_to {
        cache.export(global, &store, &built)?;
    }
    let names: Vec<String> = outputs.iter().flat_map(|output| output.names.clone()).chain(args.tags.clone()).collect();
    if let Some(path) = &args.iidfile {
        files::write_atomically(path, image.config_digest.to_string().as_bytes())?;
    }
    let report = describe(&store, &image, &built, &names)?;
    let text = serde_json::to_string_pretty(&report).into_diagnostic()?;
    if let Some(path) = &args.metadata_file {
        files::write_atomically(path, text.as_bytes())?;
    }
    match args.format {
        _ if outputs.iter().any(Output::takes_stdout) => {}
        super::images::Format::Text => crate::terminal::outln!("{}", image.config_digest),
        super::images::Format::Json => crate::terminal::outln!("{text}"),
    }
    Ok(Exit::Clean)
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.to_owned(), value.to_owned())
}

/// What buildx writes of a build, and our layers and steps beside it.
fn describe(store: &Store, image: &Image, built: &Built, tags: &[String]) -> Result<serde_json::Value> {
    let layers = image.layers.iter();
    let steps = built.steps.iter();
    let manifest = store.read_blob(&image.manifest).into_diagnostic()?;
    let parsed: serde_json::Value = serde_json::from_slice(&manifest).into_diagnostic()?;
    let names: Vec<String> =
        tags.iter().filter_map(|tag| Reference::parse(tag).ok()).map(|reference| reference.to_string()).collect();
    let mut descriptor = json!({
        "mediaType": parsed["mediaType"],
        "digest": image.manifest.to_string(),
        "size": manifest.len(),
        "platform": { "architecture": image.config.architecture, "os": image.config.os },
    });
    if !image.annotations.is_empty() {
        descriptor["annotations"] = json!(image.annotations);
    }
    let mut report = json!({
        "version": 1,
        "containerimage.digest": image.manifest.to_string(),
        "containerimage.config.digest": image.config_digest.to_string(),
        "containerimage.descriptor": descriptor,
        "size": image.size(),
        "layers": layers.map(|layer| json!({
            "diff_id": layer.diff_id.to_string(), "size": layer.size, "created_by": layer.created_by,
        })).collect::<Vec<_>>(),
        "steps": steps.map(|step| json!({
            "stage": step.stage, "line": step.line, "created_by": step.created_by, "cached": step.cached,
            "seconds": step.duration.as_secs_f64(), "bytes": step.layer.as_ref().map(|layer| layer.size),
        })).collect::<Vec<_>>(),
    });
    if !names.is_empty() {
        report["image.name"] = json!(names.join(","));
    }
    Ok(report)
}
