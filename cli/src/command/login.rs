//! `plimsoll login` and `logout`: credentials for registries, kept where docker keeps them.

use crate::Global;
use crate::exit::Exit;
use crate::terminal::outln;
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use plimsoll_runtime::registry::{self, Keeper, RegistryError};
use std::io::Read;

/// Keep name and password for a registry, once it has taken them
///
/// They are kept where docker keeps them (`~/.docker/config.json`, or the helper that it names), so that both find them. Nothing is
/// asked at the terminal: the password comes on standard input.
#[derive(clap::Args, Debug)]
pub struct LoginArgs {
    /// Name of the account
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// The password; others on this machine may see it: --password-stdin is better
    #[arg(short, long, value_name = "PASSWORD", conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// The registry [default: docker.io]
    #[arg(value_name = "SERVER")]
    server: Option<String>,
}

/// Forget name and password of a registry
#[derive(clap::Args, Debug)]
pub struct LogoutArgs {
    /// The registry [default: docker.io]
    #[arg(value_name = "SERVER")]
    server: Option<String>,
}

/// `plimsoll login`
pub fn login(global: &Global, args: LoginArgs) -> Result<Exit> {
    const HELP: &str = "plimsoll login -u NAME --password-stdin SERVER < FILE";
    let user = args
        .username
        .filter(|name| !name.is_empty())
        .ok_or_else(|| miette!(help = HELP, "failed to log in: no name"))?;
    if user.contains(':') {
        return Err(miette!(
            help = "what comes after the colon belongs to the password",
            "failed to log in: `{user}` is no name"
        ));
    }
    let password = match args.password {
        Some(password) => {
            if !global.quiet {
                eprintln!("a password on the command line can be seen by others on this machine; use --password-stdin");
            }
            password
        }
        None if args.password_stdin => {
            let mut text = String::new();
            let read = std::io::stdin().take(64 << 10).read_to_string(&mut text);
            read.into_diagnostic().wrap_err("failed to read the password")?;
            text.trim_end_matches(['\n', '\r']).to_owned()
        }
        None => return Err(miette!(help = HELP, "failed to log in: no password")),
    };
    if password.is_empty() {
        return Err(miette!(help = HELP, "failed to log in: the password is empty"));
    }
    let keeper = registry::login(args.server.as_deref(), &user, &password).map_err(|error| explain(&error))?;
    if let (Keeper::File(path), false) = (&keeper, global.quiet) {
        eprintln!("the password is kept in {} as it is; a credential helper would keep it better", path.display());
    }
    outln!("Login Succeeded");
    Ok(Exit::Clean)
}

/// `plimsoll logout`
pub fn logout(_global: &Global, args: LogoutArgs) -> Result<Exit> {
    let server = args.server.as_deref();
    let name = server.unwrap_or("docker.io");
    match registry::logout(server).map_err(|error| explain(&error))? {
        Some(_) => outln!("Removing login credentials for {name}"),
        None => outln!("Not logged in to {name}"),
    }
    Ok(Exit::Clean)
}

fn explain(error: &RegistryError) -> miette::Report {
    match error.help() {
        Some(help) => miette!(help = help, "failed to {error}"),
        None => miette!("failed to {error}"),
    }
}
