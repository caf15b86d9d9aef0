//! `plimsoll.toml`: what stands in it and where it is found. `docs/configuration.md` is its manual.

pub mod budget;
pub mod hadolint;
mod search;
pub mod show;

pub use search::Configs;

use miette::{NamedSource, Result, SourceSpan, miette};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Its name on disk.
pub const NAME: &str = "plimsoll.toml";

/// The whole file.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Where it was read from.
    #[serde(skip)]
    pub path: Option<PathBuf>,
    /// Its text, where it was a file of this shape.
    #[serde(skip)]
    pub text: Option<String>,
    /// `[build]`
    pub build: Build,
    /// `[lint]`
    pub lint: Lint,
    /// `[optimize]`
    pub optimize: Optimize,
    /// `[[probe]]`
    pub probe: Vec<Probe>,
    /// `[[service]]`
    pub service: Vec<Service>,
    /// `[container]`
    pub container: Container,
    /// `[budget]`
    pub budget: budget::Budget,
}

/// `[build]`
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Build {
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// Network of RUN steps.
    pub network: Option<String>,
    /// Certificates for RUN steps.
    pub ca_bundle: Option<PathBuf>,
    /// Stage to build.
    pub target: Option<String>,
}

/// `[lint]`
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lint {
    /// Rules to run.
    pub select: Vec<String>,
    /// Rules not to run.
    pub ignore: Vec<String>,
    /// Least severity that fails.
    pub fail_on: Option<String>,
    /// Severity and options of single rules.
    #[schemars(with = "BTreeMap<String, RuleOptions>")]
    pub rules: BTreeMap<String, toml::Table>,
    /// Other rules for some paths.
    pub overrides: Vec<Override>,
    /// Registries that FROM may name.
    pub trusted_registries: Vec<String>,
    /// Labels and their types.
    pub label_schema: BTreeMap<String, String>,
    /// Whether labels outside the schema are findings.
    pub strict_labels: bool,
    /// Whether comments in the file switch rules off; they do unless this says no.
    pub inline_ignore: Option<bool>,
    /// Whether `# plimsoll ignore=` has to say why.
    pub require_reason: bool,
    /// Whether comments that switch nothing off are findings.
    pub report_unused_ignores: bool,
    /// Whether the installed ShellCheck is run too.
    pub shellcheck: bool,
}

/// `[lint.rules.ID]`, for the schema: the table is read key by key.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape is asked for")]
struct RuleOptions {
    /// `error`, `warning`, `info`, `style` or `off`.
    severity: Option<String>,
    /// Of `large-file`: files above this size are named.
    max_bytes: Option<String>,
}

/// `[[lint.overrides]]`
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Override {
    /// Globs relative to the configuration file.
    pub paths: Vec<String>,
    /// Rules to run there.
    pub select: Vec<String>,
    /// Rules not to run there.
    pub ignore: Vec<String>,
}

/// `[optimize]`
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Optimize {
    /// `safe` or `verified`.
    pub level: Option<String>,
    /// Moves to try.
    pub only: Vec<String>,
    /// Moves not to try.
    pub skip: Vec<String>,
    /// Stop once this small.
    #[serde(deserialize_with = "size")]
    #[schemars(with = "Option<String>")]
    pub target_size: Option<u64>,
    /// Stop after so long.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<String>")]
    pub budget_time: Option<Duration>,
    /// How long a container may take to answer.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<String>")]
    pub ready_timeout: Option<Duration>,
}

/// `[[probe]]`
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Probe {
    /// How reports call it.
    pub name: Option<String>,
    /// Which service is asked; nothing for the program itself.
    pub service: Option<String>,
    /// Method and path.
    pub http: Option<String>,
    /// Port inside the container.
    pub port: Option<u16>,
    /// Request body.
    pub body: Option<String>,
    /// Request headers.
    pub headers: BTreeMap<String, String>,
    /// Status that the original must answer; of a command, its exit code.
    pub status: Option<u16>,
    /// Port that must accept a connection.
    pub tcp: Option<u16>,
    /// Command run inside.
    pub exec: Option<Vec<String>>,
    /// Compare the process's own output.
    pub stdout: Option<bool>,
    /// Stop the container and start it again.
    pub restart: Option<bool>,
    /// Command run inside just before; it must end with 0.
    pub before: Option<Vec<String>>,
    /// Command run inside just after; what it says is compared too.
    pub after: Option<Vec<String>>,
    /// Patterns of the answer that may differ; `*` stands for anything within a line.
    pub ignore: Vec<String>,
    /// For one answer.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
}

/// `[[service]]`
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Service {
    /// Host name.
    pub name: String,
    /// Further host names.
    pub aliases: Vec<String>,
    /// Image reference.
    pub image: Option<String>,
    /// Folder that is built; neither this nor an image means the image under test.
    #[serde(alias = "build")]
    pub context: Option<PathBuf>,
    /// Dockerfile, relative to the folder that is built.
    pub dockerfile: Option<PathBuf>,
    /// Replaces the image's entrypoint, and its command.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command.
    pub command: Option<Vec<String>>,
    /// Variables.
    pub env: BTreeMap<String, String>,
    /// Port that is waited for.
    pub port: Option<u16>,
    /// What else it is waited for.
    pub ready: Option<Ready>,
    /// Paths that outlive a restart, and files of the host to be read: `./seed.sql:/seed.sql`.
    pub volumes: Vec<String>,
}

/// `ready = { … }` of a service.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ready {
    /// Method and path.
    pub http: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// The status it must answer; 200 unless this says otherwise.
    pub status: Option<u16>,
    /// A command that must end with 0.
    pub exec: Option<Vec<String>>,
    /// The service must have ended with 0.
    pub ended: bool,
}

/// `[container]`
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Container {
    /// Its host name, by which services reach it.
    pub name: Option<String>,
    /// Further host names.
    pub aliases: Vec<String>,
    /// Further variables.
    pub env: BTreeMap<String, String>,
    /// Replaces CMD.
    pub command: Option<Vec<String>>,
    /// As those of a service.
    pub volumes: Vec<String>,
}

fn size<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    match Option::<toml::Value>::deserialize(input)? {
        None => Ok(None),
        Some(toml::Value::String(text)) => {
            crate::terminal::parse_size(&text).map(Some).map_err(serde::de::Error::custom)
        }
        Some(other) => Err(serde::de::Error::custom(format!("write a size with its unit, in quotes: \"{other}MB\""))),
    }
}

fn time<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(input)?;
    text.map(|text| parse_duration(&text).map_err(serde::de::Error::custom)).transpose()
}

/// A probe as the command line has it: `GET /path`, `GET :8080/path`, `tcp 5432`, `exec COMMAND…`, `stdout`.
pub fn parse_probe(text: &str) -> Result<Probe, String> {
    let text = text.trim();
    let (kind, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let mut probe = Probe::default();
    match kind {
        "stdout" | "output" if rest.is_empty() => probe.stdout = Some(true),
        "tcp" => {
            let port = rest.trim_start_matches(':').parse().map_err(|_| format!("`{rest}` is no port"))?;
            probe.tcp = Some(port);
        }
        "exec" => {
            let script = !rest.is_empty();
            probe.exec = script.then(|| rest.split_whitespace().map(str::to_owned).collect());
            if probe.exec.is_none() {
                return Err("exec needs a command".to_owned());
            }
        }
        method if !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase()) => {
            let (port, path) = match rest.strip_prefix(':') {
                Some(tail) => {
                    tail.split_once('/').map_or((tail, String::new()), |(port, path)| (port, format!("/{path}")))
                }
                None => ("", rest.to_owned()),
            };
            if !port.is_empty() {
                probe.port = Some(port.parse().map_err(|_| format!("`{port}` is no port"))?);
            }
            let path = if path.is_empty() && !port.is_empty() { "/".to_owned() } else { path };
            if !path.starts_with('/') {
                return Err("a path begins with a slash".to_owned());
            }
            probe.http = Some(format!("{method} {path}"));
        }
        _ => return Err("write \"GET /path\", \"GET :8080/path\", \"tcp 5432\", \"exec COMMAND\" or stdout".to_owned()),
    }
    probe.name = Some(text.to_owned());
    Ok(probe)
}

/// A duration as written by a person: `500ms`, `10s`, `5min`, `1h`; plain numbers are seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let wrong = || format!("`{text}` is not a duration; write it as 500ms, 10s or 5min");
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit.trim() {
        "ms" => 0.001,
        "" | "s" | "sec" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(number * factor).map_err(|_| wrong())
}

/// The file that was named, or the nearest one from `folder` upwards, or the defaults.
pub fn load(named: Option<&Path>, folder: &Path) -> Result<Config> {
    if let Some(path) = named {
        return read(path);
    }
    // hadolint's file says nothing of builds, so a mistake in it must not end one.
    search::Nearest::default().of(folder).ours.as_deref().map_or_else(|| Ok(Config::default()), read)
}

/// What holds for lint: as [`load`], but hadolint's nearest file is read where there is none of ours.
pub fn load_for_lint(named: Option<&Path>, folder: &Path) -> Result<Config> {
    let config = Configs::new(named).of(folder)?;
    Ok(std::sync::Arc::unwrap_or_clone(config))
}

impl Config {
    /// The file's folder; the current one where there is no file.
    pub fn folder(&self) -> &Path {
        let folder = self.path.as_deref().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new("."))
    }

    /// Which rules run on `path`, and with which options.
    pub fn lint_settings(&self, path: &Path) -> Result<plimsoll_rules::Settings> {
        let mut settings = plimsoll_rules::Settings::default();
        let lint = &self.lint;
        settings.selection.select.clone_from(&lint.select);
        settings.selection.ignore.clone_from(&lint.ignore);
        settings.options.trusted_registries.clone_from(&lint.trusted_registries);
        settings.options.strict_labels = lint.strict_labels;
        settings.disregard_comments = lint.inline_ignore == Some(false);
        for (label, kind) in &lint.label_schema {
            let kind = plimsoll_rules::LabelKind::named(kind).ok_or_else(|| {
                let help = "use text, url, rfc3339, spdx, hash, semver or email";
                miette!(help = help, "failed to read lint.label-schema.{label}: `{kind}` is no form of a value")
            })?;
            settings.options.label_schema.insert(label.clone(), kind);
        }
        for (rule, table) in &lint.rules {
            for (key, value) in table {
                match (key.as_str(), value) {
                    ("severity", toml::Value::String(name)) => {
                        let severity = name.parse().map_err(|()| {
                            let help = "use error, warning, info, style or off";
                            miette!(help = help, "failed to read lint.rules.{rule}.severity: `{name}`")
                        })?;
                        settings.selection.severity.insert(rule.clone(), severity);
                    }
                    ("max-bytes", toml::Value::String(text)) if rule == "large-file" => {
                        let bytes = crate::terminal::parse_size(text)
                            .map_err(|why| miette!("failed to read lint.rules.{rule}: {why}"))?;
                        settings.options.large_file = Some(bytes);
                    }
                    _ => {
                        let help = "docs/configuration.md lists the options";
                        return Err(miette!(help = help, "failed to read lint.rules.{rule}.{key}: no such option"));
                    }
                }
            }
        }
        for (_, over) in self.overrides_for(path) {
            if !over.select.is_empty() {
                settings.selection.select.clone_from(&over.select);
            }
            settings.selection.ignore.extend(over.ignore.iter().cloned());
        }
        Ok(settings)
    }

    /// The `[[lint.overrides]]` that hold for `path`, with their positions.
    pub fn overrides_for(&self, path: &Path) -> Vec<(usize, &Override)> {
        let overrides = &self.lint.overrides;
        if overrides.is_empty() {
            return Vec::new();
        }
        let folder = self.folder();
        let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
        let absolute = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let relative = absolute.strip_prefix(&folder).unwrap_or(&absolute).to_string_lossy().into_owned();
        let holds = |over: &Override| {
            over.paths.iter().any(|glob| plimsoll_parser::dockerignore::Ignore::parse(glob).0.is_excluded(&relative))
        };
        overrides.iter().enumerate().filter(|(_, over)| holds(over)).collect()
    }
}

fn read(path: &Path) -> Result<Config> {
    let text = std::fs::read_to_string(path).map_err(|error| crate::files::unreadable(path, &error))?;
    if hadolint::is_named(path) {
        let config = hadolint::tables(path, &text)?.try_into::<Config>();
        let config = config.map_err(|error| miette!("failed to read {}: {}", path.display(), error.message()))?;
        return Ok(Config { path: Some(path.to_path_buf()), ..config });
    }
    parse(text, path)
}

/// The settings that stand in this text; relative paths in it are meant from the folder of `path`.
pub fn parse(text: String, path: &Path) -> Result<Config> {
    let mut config: Config = toml::from_str(&text).map_err(|error| {
        let span: SourceSpan = error.span().unwrap_or(0..0).into();
        let label = miette::LabeledSpan::new_primary_with_span(None, span);
        miette!(
            labels = vec![label],
            help = advice(error.message()),
            "failed to read {}: {}",
            path.display(),
            error.message()
        )
        .with_source_code(NamedSource::new(path.display().to_string(), text.clone()))
    })?;
    if let (Some(bundle), Some(folder)) = (&config.build.ca_bundle, path.parent()) {
        config.build.ca_bundle = Some(folder.join(bundle));
    }
    config.path = Some(path.to_path_buf());
    config.text = Some(text);
    Ok(config)
}

/// What a message of the parser asks for.
fn advice(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let near = match (message.strip_prefix("unknown field"), quoted.split_first()) {
        (Some(_), Some((wrong, known))) => nearest(wrong, known.iter().copied()),
        _ => None,
    };
    let instead = match near {
        Some(name) => format!("did you mean `{name}`? "),
        None if message.contains("expected a sequence") => "write a list: [\"…\"]. ".to_owned(),
        None if message.contains("expected usize") => "write a number without quotes. ".to_owned(),
        None => String::new(),
    };
    format!("{instead}`plimsoll config schema` has every key, docs/configuration.md what it means")
}

/// The one of these names that a word is most likely a slip of.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let far = |name: &str| {
        // Levenshtein's distance, a row at a time.
        let mut row: Vec<usize> = (0..=name.chars().count()).collect();
        for (i, a) in word.chars().enumerate() {
            let mut corner = std::mem::replace(&mut row[0], i + 1);
            for (j, b) in name.chars().enumerate() {
                let swapped = corner + usize::from(a != b);
                corner = row[j + 1];
                row[j + 1] = swapped.min(row[j] + 1).min(corner + 1);
            }
        }
        row.last().copied().unwrap_or_default()
    };
    let within = 1 + word.chars().count() / 4;
    names.into_iter().map(|name| (far(name), name)).filter(|(far, _)| *far <= within).min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_read_and_unknown_keys_are_errors() {
        let text = "[build]\nnetwork = \"none\"\n[[probe]]\nhttp = \"GET /\"\nport = 80\ntimeout = \"2s\"\n[optimize]\ntarget-size = \"1MB\"\n";
        let config: Config = toml::from_str(text).unwrap();
        assert_eq!(config.probe[0].timeout, Some(Duration::from_secs(2)));
        assert_eq!(config.optimize.target_size, Some(1_000_000));
        assert!(toml::from_str::<Config>("[biuld]\n").is_err());
        assert!(toml::from_str::<Config>("[optimize]\ntarget-size = \"big\"\n").is_err());
    }

    #[test]
    fn a_slip_is_told_what_was_meant() {
        assert_eq!(nearest("max-sise", ["max-size", "max-layers"]), Some("max-size"));
        assert_eq!(nearest("budgets", ["build", "budget"]), Some("budget"));
        assert_eq!(nearest("probes", ["build", "budget"]), None);
        let error = parse("[budget]\nmax-sise = \"1\"\n".to_owned(), Path::new(NAME)).unwrap_err();
        assert!(error.help().unwrap().to_string().starts_with("did you mean `max-size`?"));
    }

    #[test]
    fn probes_of_the_command_line() {
        let read = |text: &str| parse_probe(text).unwrap();
        assert_eq!(read("GET /a b").http.as_deref(), Some("GET /a b"));
        let post = read("POST :8080/x");
        assert_eq!((post.http.as_deref(), post.port), (Some("POST /x"), Some(8080)));
        assert_eq!(read("GET :80").http.as_deref(), Some("GET /"));
        assert_eq!(read("tcp 5432").tcp, Some(5432));
        assert_eq!(read("exec cat /VERSION").exec.as_deref(), Some(&["cat".to_owned(), "/VERSION".to_owned()][..]));
        assert_eq!(read("stdout").stdout, Some(true));
        for wrong in ["", "get /", "GET x", "GET :no/", "tcp x", "exec", "stdout x"] {
            assert!(parse_probe(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_nearest_file_wins_and_a_mistake_in_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(folder.path().join(NAME), "[build]\ntarget = \"outer\"\n").unwrap();
        assert_eq!(load(None, &inner).unwrap().build.target.as_deref(), Some("outer"));
        std::fs::write(folder.path().join("a").join(NAME), "[build]\ntarget = 3\n").unwrap();
        let error = load(None, &inner).unwrap_err().to_string();
        assert!(error.contains("a/plimsoll.toml"), "{error}");
    }
}
