//! `plimsoll verify`: a proof, made again.

use crate::builder::Builder;
use crate::certificate::{Certificate, Version};
use crate::command::build_args::BuildArgs;
use crate::exit::Exit;
use crate::proof::Prover;
use crate::report::compare::{self as report, Report, Side};
use crate::{Global, config, files, place};
use miette::{Result, WrapErr, miette};
use plimsoll_runtime::compare::Allowed;
use plimsoll_runtime::image::Image;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Make a proof again that `optimize --proof` wrote down
///
/// Takes both images from the store, or builds them again from the texts in the certificate, starts both, asks both what
/// the certificate names, and compares config, files and answers. Exit code 0 when they are the same program, 3 when they
/// are not, and 1 when the certificate proves nothing of the files that are in the context now.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The certificate; `-` reads it from standard input
    certificate: PathBuf,
    /// The build context [default: the one the certificate names]
    context: Option<PathBuf>,
    /// Build both images even when they are in the store
    #[arg(long)]
    rebuild: bool,
    /// How it is written
    #[arg(long, value_enum, default_value = "text")]
    format: report::Format,
    #[command(flatten)]
    build: BuildArgs,
}

/// Whether an image had to be made and came out as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Made {
    /// It was in the store.
    Kept,
    /// Built again, with the same digest.
    Same,
    /// Built again, with another digest.
    Other,
}

/// Everything `verify` found out.
#[derive(Debug, Serialize)]
struct Verified {
    version: u32,
    certificate: String,
    /// Whether the context's Dockerfile and ignore file are those of the certificate's result, or of its original.
    files: FilesAre,
    original: Made,
    result: Made,
    #[serde(flatten)]
    report: Report,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum FilesAre {
    Result,
    Original,
    Neither,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    let certificate = Certificate::read(&args.certificate)?;
    let proven = certificate.last().map(|step| Allowed {
        config: step.config_may_change.clone(),
        paths: step.may_change.clone(),
        ..Allowed::default()
    });
    let Some(allowed) = proven else {
        return Err(miette!(
            help = "it was written where no step was kept; there is nothing to repeat",
            "failed to read the certificate {}: none of its comparisons is about its result",
            args.certificate.display()
        ));
    };
    let id_map = place::enter()?;
    let context = args.context.clone().unwrap_or_else(|| certificate.context.clone());
    if !context.is_dir() {
        return Err(miette!(
            help = "name it: plimsoll verify CERTIFICATE CONTEXT",
            "failed to find the build context {}",
            context.display()
        ));
    }
    let named = context.join(config::NAME);
    let mut config = match &certificate.config {
        Some(text) => config::parse(text.clone(), &named).wrap_err("the certificate's own plimsoll.toml")?,
        None => config::Config::default(),
    };
    for text in &certificate.asked {
        let probe = config::parse_probe(text).map_err(|why| {
            miette!(
                help = "it is a probe of optimize's command line, kept as it was written",
                "failed to read the certificate {}: `{text}` in its `asked`: {why}",
                args.certificate.display()
            )
        })?;
        config.probe.push(probe);
    }
    let dockerfile = context.join(certificate.dockerfile.file_name().unwrap_or_default());
    let inputs = inputs(&args.build, &certificate);
    let mut builder = Builder::new(global, &inputs, &config, &context, &dockerfile)?;
    let (before, original) = obtain(&mut builder, "original", &certificate.original, args.rebuild)?;
    let (after, result) = obtain(&mut builder, "result", &certificate.result, args.rebuild)?;
    let mut prover = Prover::new(builder.store(), &config)?.with_services(global, &inputs)?.anew();
    builder.say("original: running it twice");
    let seen = prover.original(&before)?;
    builder.say("result: running it");
    let comparison = prover.compare(&seen, &after, &allowed)?;
    let asked = comparison.agreed.1 > 0;
    let verified = Verified {
        version: 1,
        certificate: args.certificate.display().to_string(),
        files: files_are(&context, &dockerfile, &certificate),
        original,
        result,
        report: Report {
            version: 1,
            growth: None,
            before: Side::new("original", &before),
            after: Side::new("result", &after),
            probes: prover.names().to_vec(),
            same: comparison.same(),
            comparison,
            id_map,
        },
    };
    print(&verified, args.format, global.color.stdout());
    Ok(match (verified.report.same, verified.files) {
        (false, _) => Exit::Differ,
        (true, FilesAre::Neither) => Exit::Findings,
        (true, _) if !asked => Exit::Findings,
        (true, _) => Exit::Clean,
    })
}

/// The command line before the certificate.
fn inputs(line: &BuildArgs, certificate: &Certificate) -> BuildArgs {
    let mut inputs = line.clone();
    let kept = &certificate.build;
    let mut args: Vec<String> = kept.args.iter().map(|(name, value)| format!("{name}={value}")).collect();
    args.append(&mut inputs.build_args);
    inputs.build_args = args;
    inputs.target = inputs.target.or_else(|| kept.target.clone());
    inputs.platform = inputs.platform.or_else(|| kept.platform.clone());
    inputs.network = inputs.network.or_else(|| kept.network.clone());
    inputs
}

/// The image from the store, or built again.
fn obtain(builder: &mut Builder<'_>, name: &str, version: &Version, rebuild: bool) -> Result<(Image, Made)> {
    let kept = version.digest.parse().ok().and_then(|digest| builder.store().image(&digest).ok());
    if let Some(image) = kept.filter(|_| !rebuild) {
        return Ok((image, Made::Kept));
    }
    let built = builder.build_step(name, &version.files()).wrap_err_with(|| format!("the {name} does not build"))?;
    let made = if built.image.manifest.to_string() == version.digest { Made::Same } else { Made::Other };
    Ok((built.image, made))
}

fn files_are(context: &Path, dockerfile: &Path, certificate: &Certificate) -> FilesAre {
    let text = files::read(dockerfile).unwrap_or_default();
    let ignore = std::fs::read(super::optimize::ignore_path(context, dockerfile)).ok();
    let is = |version: &Version| {
        version.dockerfile.as_bytes() == text && version.dockerignore.as_deref().map(str::as_bytes) == ignore.as_deref()
    };
    match () {
        () if is(&certificate.result) => FilesAre::Result,
        () if is(&certificate.original) => FilesAre::Original,
        () => FilesAre::Neither,
    }
}

fn print(verified: &Verified, format: report::Format, color: bool) {
    if format == report::Format::Json {
        let text = serde_json::to_string_pretty(verified).unwrap_or_default();
        crate::terminal::outln!("{text}");
        return;
    }
    crate::terminal::out!("{}", report::render(format, &verified.report, color));
    let made = |what: &str, made: Made| match made {
        Made::Kept => format!("the {what} is the image of the certificate"),
        Made::Same => format!("the {what} was built again, with the digest of the certificate"),
        Made::Other => format!("the {what} was built again, and its digest is another than the certificate's"),
    };
    crate::terminal::outln!("\n{}", made("original", verified.original));
    crate::terminal::outln!("{}", made("result", verified.result));
    crate::terminal::outln!(
        "{}",
        match verified.files {
            FilesAre::Result => "the context holds the result's Dockerfile and ignore file",
            FilesAre::Original => "the context holds the original's Dockerfile and ignore file",
            FilesAre::Neither =>
                "the context holds other files than the certificate is about: it proves nothing of them",
        }
    );
}
