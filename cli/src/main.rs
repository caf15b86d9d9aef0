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
mod mask;
mod mend;
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
    Optimize(command::optimize::Args),
    Lint(command::lint::Args),
    Build(Box<command::build::Args>),
    Run(Box<command::run::Args>),
    Verify(command::verify::Args),
    Compare(command::compare::Args),
    Inspect(command::inspect::Args),
    Gate(command::gate::Args),
    Images(command::images::ImagesArgs),
    Image(Box<command::image::Args>),
    History(command::history::Args),
    #[command(visible_alias = "buildx")]
    Builder(command::builder::Args),
    #[command(
        hide = true,
        aliases = [
            "attach", "commit", "compose", "container", "cp", "create", "diff", "events", "export", "network", "pause", "port", "rename", "restart", "start", "stats", "top", "unpause",
            "update", "volume",
        ]
    )]
    Daemon(command::builder::DaemonArgs),
    Ps(command::containers::PsArgs),
    Logs(command::containers::LogsArgs),
    Exec(command::containers::ExecArgs),
    Stop(command::containers::StopArgs),
    Kill(command::containers::KillArgs),
    Wait(command::containers::WaitArgs),
    Pull(command::images::PullArgs),
    Push(command::images::PushArgs),
    Tag(command::images::TagArgs),
    Rm(command::containers::RmArgs),
    Rmi(command::images::RmArgs),
    Save(command::images::SaveArgs),
    Load(command::images::LoadArgs),
    Prune(command::images::PruneArgs),
    System(command::system::Args),
    Login(command::login::LoginArgs),
    Logout(command::login::LogoutArgs),
    Parse(command::parse::Args),
    Rules(command::rules::RulesArgs),
    Explain(command::rules::ExplainArgs),
    Config(command::config::Args),
    Doctor(command::doctor::Args),
    Completions(command::completions::Args),
    Man(command::man::Args),
}

fn main() -> ExitCode {
    // A container's first process is this program too; then nothing below runs.
    plimsoll_runtime::exec::init_if_asked();
    let cli = Cli::parse();
    let color = cli.global.color.stderr();
    let theme = if color { miette::GraphicalTheme::unicode() } else { miette::GraphicalTheme::unicode_nocolor() };
    // Failing to install it twice is the only failure there is.
    let _ = miette::set_hook(Box::new(move |_| {
        Box::new(miette::MietteHandlerOpts::new().graphical_theme(theme.clone()).context_lines(1).width(110).build())
    }));
    let global = &cli.global;
    let result = match cli.command {
        Command::Optimize(args) => command::optimize::run(global, args),
        Command::Lint(args) => command::lint::run(global, args),
        Command::Build(args) => command::build::run(global, *args),
        Command::Run(args) => command::run::run(global, *args),
        Command::Verify(args) => command::verify::run(global, args),
        Command::Compare(args) => command::compare::run(global, args),
        Command::Inspect(args) => command::inspect::run(global, args),
        Command::Gate(args) => command::gate::run(global, args),
        Command::Image(args) => command::image::run(global, *args),
        Command::Builder(args) => command::builder::run(global, args),
        Command::Daemon(args) => command::builder::refuse(&args),
        Command::Ps(args) => command::containers::ps(global, &args),
        Command::Logs(args) => command::containers::logs(global, &args),
        Command::Exec(args) => command::containers::exec(global, args),
        Command::Stop(args) => command::containers::stop(global, &args),
        Command::Kill(args) => command::containers::kill(global, &args),
        Command::Wait(args) => command::containers::wait(global, &args),
        Command::History(args) => command::history::run(global, args),
        Command::Images(args) => command::images::images(global, args),
        Command::Pull(args) => command::images::pull(global, args),
        Command::Push(args) => command::images::push(global, args),
        Command::Tag(args) => command::images::tag(global, args),
        Command::Rm(args) => command::containers::rm(global, &args),
        Command::Rmi(args) => command::images::rm(global, &args.names, args.force),
        Command::Save(args) => command::images::save(global, args),
        Command::Load(args) => command::images::load(global, args),
        Command::Prune(args) => command::images::prune(global, args),
        Command::System(args) => command::system::run(global, args),
        Command::Login(args) => command::login::login(global, args),
        Command::Logout(args) => command::login::logout(global, args),
        Command::Parse(args) => command::parse::run(global, args),
        Command::Rules(args) => command::rules::rules(global, args),
        Command::Explain(args) => command::rules::explain(global, args),
        Command::Config(args) => command::config::run(global, args),
        Command::Doctor(args) => command::doctor::run(global, args),
        Command::Completions(args) => command::completions::run(args),
        Command::Man(args) => command::man::run(&args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("{error:?}");
            Exit::Failed.into()
        }
    }
}
