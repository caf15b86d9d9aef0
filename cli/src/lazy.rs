//! Arguments of the one command that is called. To describe all of them to clap takes longer than to lint a file.

use clap::{Args, CommandFactory, FromArgMatches};
use std::cell::RefCell;
use std::ffi::{OsStr, OsString};

thread_local! {
    /// The command whose arguments are wanted while the tree of commands is made; without one, those of all are.
    static CALLED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Arguments that are described only where theirs is the command that is called, or none is known.
#[derive(Debug)]
pub struct Lazy<T>(pub T);

impl<T: FromArgMatches> FromArgMatches for Lazy<T> {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<T: Args> Args for Lazy<T> {
    fn augment_args(command: clap::Command) -> clap::Command {
        if CALLED.with_borrow(|called| called.as_ref().is_none_or(|name| name == command.get_name())) {
            T::augment_args(command)
        } else {
            command
        }
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        T::augment_args_for_update(command)
    }
}

/// The arguments of this process; what is wrong with them, and `--help`, is printed and ends it. `B` is `T` without commands.
pub fn parse<T: CommandFactory + FromArgMatches, B: CommandFactory>() -> T {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let only = called(arguments.get(1..).unwrap_or_default()).and_then(only::<T, B>);
    let mut command = only.unwrap_or_else(T::command);
    let mut matches = command.try_get_matches_from_mut(arguments).unwrap_or_else(|error| error.exit());
    T::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

/// The tree with the command of this name alone; nothing where that is only an alias, or no command.
fn only<T: CommandFactory, B: CommandFactory>(name: &str) -> Option<clap::Command> {
    CALLED.set(Some(name.to_owned()));
    let tree = T::command();
    CALLED.set(None);
    let command = tree.get_subcommands().find(|child| child.get_name() == name)?;
    Some(B::command().subcommand(command.clone()))
}

/// The first word that is neither an option nor the value of one of those that every command has.
fn called(arguments: &[OsString]) -> Option<&str> {
    let mut words = arguments.iter().map(OsString::as_os_str).map(OsStr::to_str);
    loop {
        match words.next()?? {
            "--color" | "--store" | "--config" => _ = words.next(),
            option if option.starts_with('-') => {}
            word => return Some(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(line: &str) -> Option<String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        called(&words).map(str::to_owned)
    }

    #[test]
    fn the_command_stands_behind_global_options() {
        assert_eq!(word("lint a"), Some("lint".to_owned()));
        assert_eq!(word("-q --store run --color=never images --help"), Some("images".to_owned()));
        assert_eq!(word("--version"), None);
        assert_eq!(word("--store"), None);
    }

    #[test]
    fn a_called_command_reads_what_the_whole_tree_reads() {
        let names: Vec<String> =
            crate::Cli::command().get_subcommands().map(|child| child.get_name().to_owned()).collect();
        for name in names {
            let mut one = only::<crate::Cli, crate::Bare>(&name).expect("a command's own name");
            let mut all = crate::Cli::command();
            let help = |tree: &mut clap::Command| {
                tree.build();
                tree.find_subcommand_mut(&name).map(|child| child.render_long_help().to_string())
            };
            assert_eq!(help(&mut one), help(&mut all), "{name}");
        }
        assert!(only::<crate::Cli, crate::Bare>("buildx").is_none(), "an alias wants the whole tree");
        assert!(only::<crate::Cli, crate::Bare>("nothing").is_none());
    }
}
