//! What each instruction of a stage means for the builder, variables expanded: a pure function of the instruction and of
//! what came before it in its stage.

mod mounts;
mod values;

use std::collections::BTreeMap;

use plimsoll_analyzer::stages::Platform;
use plimsoll_parser::syntax::{Command, Copy, Healthcheck as HealthcheckText, Heredoc, Instruction, Kind, Run};
use plimsoll_parser::{TextRange, word};

use crate::image::{ContainerConfig, Healthcheck, ImageConfig};

pub use mounts::{MountSpec, MountType, Sharing};
pub use values::symbolic_mode;
use values::{go_duration, is_signal, parse_chmod, parse_duration, parse_ports};

/// The search path of a process whose image sets none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The build arguments that reach every RUN without being declared, and that no cache key or history knows.
const PROXY_ARGS: [&str; 5] = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];

/// What is the same for all stages of a build.
#[derive(Clone, Debug)]
pub struct Globals {
    /// `--build-arg`.
    pub build_args: BTreeMap<String, String>,
    /// The ARGs before the first FROM that have a value.
    pub global_args: BTreeMap<String, String>,
    /// What is built for.
    pub platform: Platform,
    /// The escape character of the file.
    pub escape: char,
}

impl Globals {
    /// The proxies of the build arguments, under both spellings.
    #[must_use]
    pub fn proxies(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for name in PROXY_ARGS {
            for name in [name.to_owned(), name.to_lowercase()] {
                if let Some(value) = self.build_args.get(&name) {
                    found.push((name.to_uppercase(), value.clone()));
                    found.push((name.to_lowercase(), value.clone()));
                }
            }
        }
        found
    }
}

/// What has been said in a stage so far.
#[derive(Clone, Debug)]
pub struct State {
    /// The configuration of the image to be.
    pub image: ImageConfig,
    /// What a process of this stage sees: ENV and the ARGs in force, in order.
    pub env: Vec<(String, String)>,
    /// ARGs declared, in order of first appearance.
    args: Vec<(String, Option<String>)>,
    cmd_set: bool,
}

/// One step of a stage.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is to be done.
    pub action: Action,
    /// What history says of it; nothing where history is silent (ONBUILD).
    pub created_by: Option<String>,
}

/// What a step does beyond changing the configuration.
#[derive(Clone, Debug)]
pub enum Action {
    /// Nothing.
    Configure,
    /// Makes a directory and its parents.
    MakeDir {
        /// Absolute.
        path: String,
        /// `USER` in force, empty for root.
        owner: String,
    },
    /// Runs a process.
    Run(RunAction),
    /// Copies files.
    Copy(CopyAction),
}

/// A process to be run.
#[derive(Clone, Debug)]
pub struct RunAction {
    /// The program and its arguments.
    pub args: Vec<String>,
    /// Its environment without what the builder adds.
    pub env: Vec<(String, String)>,
    /// Where it starts.
    pub cwd: String,
    /// `USER` in force.
    pub user: String,
    /// `--network=`
    pub network: Option<String>,
    /// `--security=`
    pub security: Option<String>,
    /// `--mount=`
    pub mounts: Vec<MountSpec>,
    /// A heredoc with a `#!` line: the file it is shown as, and what it holds.
    pub script: Option<(String, String)>,
}

/// Files to be copied.
#[derive(Clone, Debug)]
pub struct CopyAction {
    /// Whether it is ADD.
    pub add: bool,
    /// `--from=` as written.
    pub from: Option<String>,
    /// Source paths and addresses.
    pub sources: Vec<String>,
    /// Heredocs: name and content.
    pub inline: Vec<(String, String)>,
    /// Absolute; ends in a slash when it must be a directory.
    pub destination: String,
    /// `--chown=`
    pub chown: Option<String>,
    /// `--chmod=`
    pub chmod: Option<Chmod>,
    /// `--link`
    pub link: bool,
    /// `--parents`
    pub parents: bool,
    /// `--exclude=`
    pub exclude: Vec<String>,
    /// `--checksum=`
    pub checksum: Option<String>,
    /// `--keep-git-dir`
    pub keep_git_dir: bool,
    /// `--unpack`
    pub unpack: Option<bool>,
}

/// `--chmod=`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chmod {
    /// `0755`
    Octal(u32),
    /// `u=rwX,go=rX`
    Symbolic(String),
}

/// An instruction the builder refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PlanError {
    /// What is wrong.
    pub message: String,
    /// Where, of the text that was planned.
    pub range: TextRange,
}

type Result<T, E = PlanError> = std::result::Result<T, E>;

impl State {
    /// A stage on `image`, before its first instruction.
    #[must_use]
    pub fn new(image: ImageConfig) -> Self {
        let mut state = Self { image, env: Vec::new(), args: Vec::new(), cmd_set: false };
        state.take_env();
        state
    }

    /// A stage on nothing.
    #[must_use]
    pub fn scratch(platform: &Platform) -> Self {
        let config = ContainerConfig {
            env: vec![format!("PATH={DEFAULT_PATH}")],
            working_dir: "/".to_owned(),
            ..ContainerConfig::default()
        };
        Self::new(ImageConfig {
            architecture: platform.architecture.clone(),
            os: platform.os.clone(),
            variant: Some(platform.variant.clone()).filter(|variant| !variant.is_empty()),
            config,
            ..ImageConfig::default()
        })
    }

    /// A stage on this one: ARGs stay visible, but ENV wins over them again.
    #[must_use]
    pub fn child(&self) -> Self {
        let mut child = self.clone();
        child.cmd_set = false;
        child.take_env();
        child
    }

    fn take_env(&mut self) {
        for pair in self.image.config.env.clone() {
            let (name, value) = pair.split_once('=').unwrap_or((&pair, ""));
            self.set(name, value);
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        match self.env.iter_mut().find(|(key, _)| key == name) {
            Some(found) => value.clone_into(&mut found.1),
            None => self.env.push((name.to_owned(), value.to_owned())),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn cwd(&self) -> &str {
        match self.image.config.working_dir.as_str() {
            "" => "/",
            path => path,
        }
    }

    fn shell(&self) -> Vec<String> {
        match &self.image.config.shell {
            Some(shell) if !shell.is_empty() => shell.clone(),
            _ => vec!["/bin/sh".to_owned(), "-c".to_owned()],
        }
    }

    fn command(&self, command: &Command<'_>) -> Vec<String> {
        match command {
            Command::Exec { words, .. } => words.iter().map(|word| word.to_string()).collect(),
            Command::Shell(text) => {
                let mut args = self.shell();
                args.push(text.text.trim().to_owned());
                args
            }
        }
    }

    fn expand(&self, text: &str, globals: &Globals, range: TextRange) -> Result<String> {
        let lookup = |name: &str| self.get(name).map(str::to_owned);
        match word::expand(text, globals.escape, &lookup) {
            Ok(expanded) => Ok(expanded.word),
            Err(error) => Err(PlanError { message: error.to_string(), range }),
        }
    }

    fn expand_words(&self, text: &str, globals: &Globals, range: TextRange) -> Result<Vec<String>> {
        let lookup = |name: &str| self.get(name).map(str::to_owned);
        word::expand_words(text, globals.escape, &lookup).map_err(|e| PlanError { message: e.to_string(), range })
    }

    /// What `instruction` asks for. The state is what the next instruction finds.
    pub fn step(&mut self, instruction: &Instruction<'_>, globals: &Globals) -> Result<Step> {
        let range = instruction.range;
        let error = |message: String| PlanError { message, range };
        let config = |created_by: String| Ok(Step { action: Action::Configure, created_by: Some(created_by) });
        match &instruction.kind {
            Kind::Env(pairs) => {
                let mut set = Vec::new();
                for pair in pairs {
                    let name = self.expand(&pair.key, globals, pair.range)?;
                    let value = self.expand(&pair.value, globals, pair.range)?;
                    set.push((name, value));
                }
                for (name, value) in &set {
                    self.set(name, value);
                    let entry = format!("{name}={value}");
                    let env = &mut self.image.config.env;
                    match env.iter_mut().find(|old| old.split_once('=').is_some_and(|(key, _)| key == name)) {
                        Some(old) => *old = entry,
                        None => env.push(entry),
                    }
                }
                config(format!("ENV {}", joined(&set)))
            }
            Kind::Label(pairs) => {
                let mut set = Vec::new();
                for pair in pairs {
                    let name = self.expand(&pair.key, globals, pair.range)?;
                    let value = self.expand(&pair.value, globals, pair.range)?;
                    set.push((name, value));
                }
                self.image.config.labels.extend(set.iter().cloned());
                config(format!("LABEL {}", joined(&set)))
            }
            Kind::Arg(declared) => {
                let mut said = Vec::new();
                for arg in declared {
                    let name = self.expand(&arg.name, globals, arg.range)?;
                    let default = arg.default.as_ref().map(|text| self.expand(text, globals, arg.range)).transpose()?;
                    let given = globals.build_args.get(&name).cloned();
                    let value = given.or(default).or_else(|| self.global(&name, globals));
                    match &value {
                        Some(value) => {
                            self.set(&name, value);
                            said.push(format!("{name}={value}"));
                        }
                        None => said.push(name.clone()),
                    }
                    self.args.push((name, value));
                }
                config(format!("ARG {}", said.join(" ")))
            }
            Kind::Workdir(text) => {
                let path = self.expand(text, globals, text.range)?;
                if path.is_empty() {
                    return Err(error("WORKDIR needs a path, and this one expands to nothing".to_owned()));
                }
                let path = if path.starts_with('/') { path } else { join(self.cwd(), path.trim_end_matches('/')) };
                self.image.config.working_dir.clone_from(&path);
                let action = match join("/", &path).as_str() {
                    "/" => Action::Configure,
                    _ => Action::MakeDir { path: path.clone(), owner: self.image.config.user.clone() },
                };
                Ok(Step { action, created_by: Some(format!("WORKDIR {path}")) })
            }
            Kind::User(text) => {
                self.image.config.user = self.expand(text, globals, text.range)?;
                config(format!("USER {}", self.image.config.user))
            }
            Kind::Expose(ports) => self.expose(ports, globals, range),
            Kind::Volume(paths) => {
                let mut said = Vec::new();
                for text in paths {
                    let path = self.expand(text, globals, text.range)?;
                    if path.trim().is_empty() {
                        return Err(error("VOLUME specified can not be an empty string".to_owned()));
                    }
                    self.image.config.volumes.insert(path.clone());
                    said.push(path);
                }
                config(format!("VOLUME [{}]", said.join(" ")))
            }
            Kind::Stopsignal(text) => {
                let signal = self.expand(text, globals, text.range)?;
                if !is_signal(&signal) {
                    return Err(error(format!("invalid signal: {signal}")));
                }
                self.image.config.stop_signal = Some(signal.clone());
                config(format!("STOPSIGNAL {signal}"))
            }
            Kind::Shell(words) => {
                let shell: Vec<String> = words.iter().map(|word| word.to_string()).collect();
                self.image.config.shell = Some(shell.clone());
                config(format!("SHELL [{}]", shell.join(" ")))
            }
            Kind::Cmd(command) => {
                let args = self.command(command);
                self.cmd_set = true;
                self.image.config.args_escaped = true;
                let said = format!("CMD {}", quoted(&args));
                self.image.config.cmd = Some(args);
                config(said)
            }
            Kind::Entrypoint(command) => {
                let args = self.command(command);
                if !self.cmd_set {
                    self.image.config.cmd = None;
                }
                let said = format!("ENTRYPOINT {}", quoted(&args));
                self.image.config.entrypoint = Some(args);
                config(said)
            }
            Kind::Healthcheck(check) => self.healthcheck(check, instruction),
            Kind::Maintainer(name) => {
                let name = name.to_string();
                self.image.author = Some(name.clone());
                config(format!("MAINTAINER {name}"))
            }
            Kind::Onbuild(trigger) => {
                self.image.config.on_build.push(trigger_text(trigger));
                Ok(Step { action: Action::Configure, created_by: None })
            }
            Kind::Run(run) => self.run(run, instruction, globals),
            Kind::Copy(copy) => self.copy(copy, instruction, false, globals),
            Kind::Add(copy) => self.copy(copy, instruction, true, globals),
            Kind::From(_) | Kind::Unknown(_) | Kind::Broken(_) => {
                Err(error(format!("{} cannot stand here", instruction.keyword.as_str())))
            }
            _ => Err(error(format!("{} is not known to this builder", instruction.keyword.as_str()))),
        }
    }

    fn global(&self, name: &str, globals: &Globals) -> Option<String> {
        globals
            .global_args
            .get(name)
            .cloned()
            .or_else(|| plimsoll_analyzer::stages::platform_arg(name, &globals.platform))
    }

    fn expose(&mut self, ports: &[plimsoll_parser::Text<'_>], globals: &Globals, range: TextRange) -> Result<Step> {
        let mut written: Vec<_> = ports.iter().collect();
        written.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        let mut said = Vec::new();
        for text in written {
            for word in self.expand_words(text, globals, text.range)? {
                let found = parse_ports(&word);
                let found =
                    found.ok_or_else(|| PlanError { message: format!("invalid containerPort: {word}"), range })?;
                said.extend(found);
            }
        }
        self.image.config.exposed_ports.extend(said.iter().cloned());
        Ok(Step { action: Action::Configure, created_by: Some(format!("EXPOSE [{}]", said.join(" "))) })
    }

    fn healthcheck(&mut self, check: &HealthcheckText<'_>, instruction: &Instruction<'_>) -> Result<Step> {
        let mut health = Healthcheck::default();
        match check {
            HealthcheckText::None => health.test = vec!["NONE".to_owned()],
            HealthcheckText::Cmd { command, .. } => {
                health.test = match command {
                    Command::Shell(text) => vec!["CMD-SHELL".to_owned(), text.text.trim().to_owned()],
                    Command::Exec { words, .. } => {
                        std::iter::once("CMD".to_owned()).chain(words.iter().map(|word| word.to_string())).collect()
                    }
                };
                for flag in &instruction.flags {
                    let value = flag.value.as_ref().map_or("", |value| value.as_str());
                    let wrong = || PlanError {
                        message: format!("invalid --{}: {value}", flag.name.as_str()),
                        range: flag.range,
                    };
                    let duration = || parse_duration(value).ok_or_else(wrong);
                    match flag.name.as_str() {
                        "interval" => health.interval = duration()?,
                        "timeout" => health.timeout = duration()?,
                        "start-period" => health.start_period = duration()?,
                        "start-interval" => health.start_interval = duration()?,
                        "retries" => health.retries = value.parse().map_err(|_| wrong())?,
                        _ => {}
                    }
                }
            }
        }
        let said = format!(
            "HEALTHCHECK {{Test:[{}] Interval:{} Timeout:{} StartPeriod:{} StartInterval:{} Retries:{}}}",
            health.test.join(" "),
            go_duration(health.interval),
            go_duration(health.timeout),
            go_duration(health.start_period),
            go_duration(health.start_interval),
            health.retries,
        );
        self.image.config.healthcheck = Some(health);
        Ok(Step { action: Action::Configure, created_by: Some(said) })
    }

    fn run(&self, run: &Run<'_>, instruction: &Instruction<'_>, globals: &Globals) -> Result<Step> {
        let mut script = None;
        let args = match &run.command {
            Command::Exec { words, .. } => words.iter().map(|word| word.to_string()).collect(),
            Command::Shell(text) => {
                let text = text.text.trim();
                let mut args = self.shell();
                args.push(match instruction.heredocs.as_slice() {
                    [] => text.to_owned(),
                    [only] if is_only_heredoc(text) => {
                        let body = body(only);
                        // Tabs before it are text as well.
                        if only.body.starts_with("#!") {
                            let path = format!("/dev/pipes/{}", only.name.as_str());
                            script = Some((path.clone(), body));
                            path
                        } else {
                            body
                        }
                    }
                    several => several.iter().fold(text.to_owned(), |full, heredoc| {
                        format!("{full}\n{}{}", heredoc.body.as_str(), heredoc.name.as_str())
                    }),
                });
                args
            }
        };
        let mut said: Vec<String> = Vec::new();
        for (name, value) in &self.args {
            let value = self.get(name).or(value.as_deref()).unwrap_or_default();
            let pair = format!("{name}={value}");
            match said.iter_mut().find(|old| old.split_once('=').is_some_and(|(key, _)| key == name)) {
                Some(old) => *old = pair,
                None => said.push(pair),
            }
        }
        if !said.is_empty() {
            said.insert(0, format!("|{}", said.len()));
        }
        said.extend(args.iter().cloned());
        let mut mounts = Vec::new();
        for mount in run.mounts() {
            mounts.push(self.mount(mount, globals)?);
        }
        let action = RunAction {
            args,
            env: self.env.clone(),
            cwd: self.cwd().to_owned(),
            user: self.image.config.user.clone(),
            network: run.network().map(|text| text.to_string()),
            security: run.security().map(|text| text.to_string()),
            mounts,
            script,
        };
        Ok(Step { action: Action::Run(action), created_by: Some(format!("RUN {} # buildkit", said.join(" "))) })
    }

    fn copy(&self, copy: &Copy<'_>, instruction: &Instruction<'_>, add: bool, globals: &Globals) -> Result<Step> {
        let mut sources = Vec::new();
        for text in &copy.sources {
            sources.push(self.expand(text, globals, text.range)?);
        }
        let written = self.expand(&copy.destination, globals, copy.destination.range)?;
        let optional = |text: &Option<plimsoll_parser::Text<'_>>| -> Result<Option<String>> {
            text.as_ref().map(|text| self.expand(text, globals, text.range)).transpose()
        };
        let chown = optional(&copy.chown)?.filter(|owner| !owner.is_empty());
        let mode = optional(&copy.chmod)?.filter(|mode| !mode.is_empty());
        let chmod = match &mode {
            Some(text) => Some(parse_chmod(text).ok_or_else(|| PlanError {
                message: format!("invalid --chmod {text:?}: write octal digits (0644) or u=rwX,go=rX"),
                range: copy.chmod.as_ref().map_or(instruction.range, |text| text.range),
            })?),
            None => None,
        };
        let mut inline = Vec::new();
        for heredoc in &instruction.heredocs {
            let mut text = body(heredoc);
            if heredoc.expand {
                let lookup = |name: &str| self.get(name).map(str::to_owned);
                text = match word::expand_heredoc(&text, &lookup) {
                    Ok(expanded) => expanded.word,
                    Err(error) => return Err(PlanError { message: error.to_string(), range: heredoc.body.range }),
                };
            }
            inline.push((heredoc.name.to_string(), text));
        }
        let mut said = String::from(if add { "ADD" } else { "COPY" });
        if copy.parents {
            said.push_str(" --parents");
        }
        if let Some(owner) = &chown {
            said.push_str(&format!(" --chown={owner}"));
        }
        if let Some(mode) = &mode {
            said.push_str(&format!(" --chmod={mode}"));
        }
        for source in &sources {
            said.push_str(&format!(" {source}"));
        }
        for (name, _) in &inline {
            said.push_str(&format!(" <<{name}"));
        }
        said.push_str(&format!(" {written} # buildkit"));
        let mut destination = join(self.cwd(), &written);
        let to_directory = written.is_empty() || written.ends_with('/') || written == "." || written.ends_with("/.");
        if to_directory && !destination.ends_with('/') {
            destination.push('/');
        }
        let mut exclude = Vec::new();
        for text in &copy.exclude {
            // BuildKit expands no variable here.
            exclude.push(text.to_string());
        }
        let action = CopyAction {
            add,
            from: copy.from.as_ref().map(|from| from.to_string()),
            sources,
            inline,
            destination,
            chown,
            // BuildKit links no layer whose modes it has to change.
            link: copy.link && chmod.is_none(),
            chmod,
            parents: copy.parents,
            exclude,
            checksum: optional(&copy.checksum)?.filter(|sum| !sum.is_empty()),
            keep_git_dir: copy.keep_git_dir.unwrap_or(false),
            unpack: copy.unpack,
        };
        Ok(Step { action: Action::Copy(action), created_by: Some(said) })
    }
}

/// The text of a trigger as it waits in the image: heredocs included, as they were written.
fn trigger_text(trigger: &Instruction<'_>) -> String {
    let mut text = trigger.logical.text.trim().to_owned();
    for heredoc in &trigger.heredocs {
        text.push('\n');
        text.push_str(&heredoc.body);
        text.push_str(&heredoc.name);
    }
    text
}

/// What a heredoc holds once `<<-` has taken its tabs.
fn body(heredoc: &Heredoc<'_>) -> String {
    if !heredoc.chomp {
        return heredoc.body.to_string();
    }
    heredoc.body.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
}

/// Whether a RUN's text is a heredoc operator and nothing else.
fn is_only_heredoc(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.strip_prefix("<<").is_some_and(|name| !name.contains(char::is_whitespace) && !name.contains('<'))
}

fn joined(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// `["a" "b c"]`, as history shows the words of CMD.
fn quoted(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| go_quote(word)).collect();
    format!("[{}]", words.join(" "))
}

fn go_quote(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `path` seen from `directory`, `.`, `..` and doubled slashes taken out; a slash at the end stays.
#[must_use]
pub fn join(directory: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let directory = if path.starts_with('/') { "" } else { directory };
    for part in directory.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut out = format!("/{}", parts.join("/"));
    if path.ends_with('/') && out.len() > 1 {
        out.push('/');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_join_as_the_builder_joins_them() {
        assert_eq!(join("/a", "../b/"), "/b/");
        assert_eq!(join("/a", "/c//d/."), "/c/d");
        assert_eq!(join("/a", "../../.."), "/");
    }
}
