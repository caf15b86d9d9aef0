//! The `plimsoll` command: reads arguments, joins the crates, prints and exits.

#![expect(unreachable_pub, reason = "nothing of a command is public; `pub` marks what its other modules use")]

mod browse;
mod builder;
mod certificate;
mod command;
mod config;
mod exit;
mod files;
mod growth;
mod image_source;
mod lazy;
mod mask;
mod mend;
mod packages;
mod place;
mod probes;
mod proof;
mod remembered;
mod report;
mod services;
mod snapshot;
mod terminal;

use clap::{Parser, Subcommand};
use exit::Exit;
use lazy::Lazy;
use std::path::PathBuf;
use std::process::ExitCode;

/// Trees are many small pieces: this allocator takes about a third off the time of `lint`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The load line for container images: lint, shrink and prove Dockerfiles.
///
/// `plimsoll optimize DIR --verify` rewrites a Dockerfile so that its image gets smaller, builds and runs both
/// versions without a daemon, and shows what each step saved and that the program behaves the same.
#[derive(Parser, Debug)]
#[command(name = "plimsoll", version, propagate_version = true, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// [`Cli`] before it has commands.
#[derive(Parser, Debug)]
#[command(name = "plimsoll", version, propagate_version = true, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct Bare {
    #[command(flatten)]
    global: Global,
}

/// Options of every command.
#[derive(clap::Args, Debug, Clone)]
pub struct Global {
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        value_enum,
        help_heading = "Global options"
    )]
    color: terminal::Color,
    /// Where images and layers are kept [default: the XDG data directory]
    #[arg(long, global = true, value_name = "DIR", env = "PLIMSOLL_STORE", help_heading = "Global options")]
    store: Option<PathBuf>,
    /// The configuration file [default: plimsoll.toml of the nearest parent]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    config: Option<PathBuf>,
    /// Print less: no progress, no hints
    #[arg(short, long, global = true, help_heading = "Global options")]
    quiet: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    Optimize(Lazy<command::optimize::Args>),
    Lint(Lazy<command::lint::Args>),
    Build(Lazy<Box<command::build::Args>>),
    Run(Lazy<Box<command::run::Args>>),
    Verify(Lazy<command::verify::Args>),
    Compare(Lazy<command::compare::Args>),
    Inspect(Lazy<command::inspect::Args>),
    Gate(Lazy<command::gate::Args>),
    Images(Lazy<command::images::ImagesArgs>),
    Image(Lazy<Box<command::image::Args>>),
    History(Lazy<command::history::Args>),
    #[command(visible_alias = "buildx")]
    Builder(Lazy<command::builder::Args>),
    #[command(
        hide = true,
        aliases = [
            "attach", "commit", "compose", "container", "cp", "create", "diff", "events", "export", "network", "pause", "port", "rename", "restart", "start", "stats", "top", "unpause",
            "update", "volume",
        ]
    )]
    Daemon(Lazy<command::builder::DaemonArgs>),
    Ps(Lazy<command::containers::PsArgs>),
    Logs(Lazy<command::containers::LogsArgs>),
    Exec(Lazy<command::containers::ExecArgs>),
    Stop(Lazy<command::containers::StopArgs>),
    Kill(Lazy<command::containers::KillArgs>),
    Wait(Lazy<command::containers::WaitArgs>),
    Pull(Lazy<command::images::PullArgs>),
    Push(Lazy<command::images::PushArgs>),
    Tag(Lazy<command::images::TagArgs>),
    Rm(Lazy<command::containers::RmArgs>),
    Rmi(Lazy<command::images::RmArgs>),
    Save(Lazy<command::images::SaveArgs>),
    Load(Lazy<command::images::LoadArgs>),
    Prune(Lazy<command::images::PruneArgs>),
    System(Lazy<command::system::Args>),
    Login(Lazy<command::login::LoginArgs>),
    Logout(Lazy<command::login::LogoutArgs>),
    Parse(Lazy<command::parse::Args>),
    Rules(Lazy<command::rules::RulesArgs>),
    Explain(Lazy<command::rules::ExplainArgs>),
    Config(Lazy<command::config::Args>),
    Doctor(Lazy<command::doctor::Args>),
    Completions(Lazy<command::completions::Args>),
    Man(Lazy<command::man::Args>),
}

fn main() -> ExitCode {
    // A container's first process is this program too; then nothing below runs.
    plimsoll_runtime::exec::init_if_asked();
    let cli: Cli = lazy::parse::<Cli, Bare>();
    let color = cli.global.color.stderr();
    let theme = if color { miette::GraphicalTheme::unicode() } else { miette::GraphicalTheme::unicode_nocolor() };
    // Failing to install it twice is the only failure there is.
    let _ = miette::set_hook(Box::new(move |_| {
        Box::new(miette::MietteHandlerOpts::new().graphical_theme(theme.clone()).context_lines(1).width(110).build())
    }));
    let global = &cli.global;
    let result = match cli.command {
        Command::Optimize(args) => command::optimize::run(global, args.0),
        Command::Lint(args) => command::lint::run(global, args.0),
        Command::Build(args) => command::build::run(global, *args.0),
        Command::Run(args) => command::run::run(global, *args.0),
        Command::Verify(args) => command::verify::run(global, args.0),
        Command::Compare(args) => command::compare::run(global, args.0),
        Command::Inspect(args) => command::inspect::run(global, args.0),
        Command::Gate(args) => command::gate::run(global, args.0),
        Command::Image(args) => command::image::run(global, *args.0),
        Command::Builder(args) => command::builder::run(global, args.0),
        Command::Daemon(args) => command::builder::refuse(&args.0),
        Command::Ps(args) => command::containers::ps(global, &args.0),
        Command::Logs(args) => command::containers::logs(global, &args.0),
        Command::Exec(args) => command::containers::exec(global, args.0),
        Command::Stop(args) => command::containers::stop(global, &args.0),
        Command::Kill(args) => command::containers::kill(global, &args.0),
        Command::Wait(args) => command::containers::wait(global, &args.0),
        Command::History(args) => command::history::run(global, args.0),
        Command::Images(args) => command::images::images(global, args.0),
        Command::Pull(args) => command::images::pull(global, args.0),
        Command::Push(args) => command::images::push(global, args.0),
        Command::Tag(args) => command::images::tag(global, args.0),
        Command::Rm(args) => command::containers::rm(global, &args.0),
        Command::Rmi(args) => command::images::rm(global, &args.0.names, args.0.force),
        Command::Save(args) => command::images::save(global, args.0),
        Command::Load(args) => command::images::load(global, args.0),
        Command::Prune(args) => command::images::prune(global, args.0),
        Command::System(args) => command::system::run(global, args.0),
        Command::Login(args) => command::login::login(global, args.0),
        Command::Logout(args) => command::login::logout(global, args.0),
        Command::Parse(args) => command::parse::run(global, args.0),
        Command::Rules(args) => command::rules::rules(global, args.0),
        Command::Explain(args) => command::rules::explain(global, args.0),
        Command::Config(args) => command::config::run(global, args.0),
        Command::Doctor(args) => command::doctor::run(global, args.0),
        Command::Completions(args) => command::completions::run(args.0),
        Command::Man(args) => command::man::run(&args.0),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("{error:?}");
            Exit::Failed.into()
        }
    }
}
