//! An ignore file out of what the context holds and what the build needs of it.
//!
//! Only what is there is named. The author's lines stay as they are, and nothing that one of them takes back with `!` is
//! left out again.

use plimsoll_analyzer::context::{Entry, EntryKind, Listing, clean, has_wildcard, wildcard_matches};
use plimsoll_parser::dockerignore::Ignore;
use plimsoll_parser::syntax::{Command, Copy, Dockerfile, Instruction, Kind};

/// What was found to leave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The whole new ignore file.
    pub text: String,
    /// The lines that are new.
    pub added: Vec<String>,
    /// Bytes of the context that no longer reach the builder.
    pub bytes: u64,
    /// Globs of image paths that vanish where a COPY took them.
    pub may_change: Vec<String>,
    /// What could be left out and was not, and why.
    pub kept: Vec<String>,
}

/// A kind of thing that a build makes anew or never reads.
struct Habit {
    heading: &'static str,
    /// What the line in the file looks like; `{}` stands for the name found.
    names: &'static [&'static str],
    is: fn(&Entry, &Listing) -> bool,
}

const HABITS: &[Habit] = &[
    Habit { heading: "version control", names: &[".git", ".svn", ".hg", ".bzr"], is: anything },
    Habit {
        heading: "the build's own files",
        names: &[
            "Dockerfile",
            "Dockerfile.*",
            "*.Dockerfile",
            ".dockerignore",
            "?*.dockerignore",
            "docker-compose*.yml",
            "docker-compose*.yaml",
            "compose.yml",
            "compose.yaml",
            "plimsoll.toml",
        ],
        is: at_the_top,
    },
    Habit {
        heading: "virtual environments: the image has its own",
        names: &["venv", ".venv", "env", "virtualenv"],
        is: is_virtual_environment,
    },
    Habit {
        heading: "made anew by whatever runs",
        names: &[
            "__pycache__",
            "*.pyc",
            ".pytest_cache",
            ".mypy_cache",
            ".ruff_cache",
            ".tox",
            ".nox",
            ".coverage",
            "htmlcov",
            "npm-debug.log*",
            "yarn-error.log*",
            ".nyc_output",
            ".sass-cache",
        ],
        is: is_remade,
    },
    Habit { heading: "installed by the build", names: &["node_modules"], is: has_package_json },
    Habit { heading: "built by the build", names: &["target"], is: is_build_output },
    Habit {
        heading: "editors and desktops",
        names: &[".idea", ".vscode", "*.swp", ".DS_Store", "Thumbs.db"],
        is: anything,
    },
];

fn anything(_: &Entry, _: &Listing) -> bool {
    true
}
fn at_the_top(entry: &Entry, _: &Listing) -> bool {
    entry.kind == EntryKind::File && !entry.path.contains('/')
}
fn is_virtual_environment(entry: &Entry, listing: &Listing) -> bool {
    entry.kind == EntryKind::Dir
        && ["pyvenv.cfg", "bin/activate"].iter().any(|mark| listing.get(&format!("{}/{mark}", entry.path)).is_some())
}
fn is_remade(entry: &Entry, listing: &Listing) -> bool {
    // Byte code without its source is the program itself.
    !entry.path.ends_with(".pyc")
        || listing.get(entry.path.trim_end_matches('c')).is_some()
        || entry.path.contains("__pycache__/")
}
fn has_package_json(entry: &Entry, listing: &Listing) -> bool {
    let beside = entry.path.strip_suffix("node_modules").unwrap_or_default();
    entry.kind == EntryKind::Dir && listing.get(&format!("{beside}package.json")).is_some()
}
fn is_build_output(entry: &Entry, listing: &Listing) -> bool {
    let beside = entry.path.strip_suffix("target").unwrap_or_default();
    let made_by = |manifest: &str| listing.get(&format!("{beside}{manifest}")).is_some();
    entry.kind == EntryKind::Dir && (made_by("Cargo.toml") || made_by("pom.xml"))
}

/// The ignore file this context should have; nothing when nothing is left to name.
#[must_use]
pub fn propose(file: &Dockerfile<'_>, listing: &Listing, existing: Option<&str>) -> Option<Proposal> {
    let ignore = existing.map(|text| Ignore::parse(text).0);
    let excluded = |entry: &Entry| ignore.as_ref().is_some_and(|i| i.is_excluded(&entry.path));
    let needs = Needs::of(file, existing.unwrap_or_default());
    let mut sections: Vec<(&str, Vec<String>)> = Vec::new();
    let mut proposal =
        Proposal { text: String::new(), added: Vec::new(), bytes: 0, may_change: Vec::new(), kept: Vec::new() };
    let mut covered: Vec<&str> = Vec::new();
    for habit in HABITS {
        let mut lines = Vec::new();
        for name in habit.names {
            let found: Vec<&Entry> = listing
                .entries()
                .iter()
                .filter(|entry| wildcard_matches(name, entry.name()) && !excluded(entry))
                .filter(|entry| !covered.iter().any(|root| is_below(&entry.path, root)))
                .filter(|entry| (habit.is)(entry, listing))
                .collect();
            if found.is_empty() {
                continue;
            }
            // One line speaks for all of a name, so one that is needed keeps all of them.
            if let Some((entry, why)) = found.iter().find_map(|entry| needs.wants(entry).map(|why| (entry, why))) {
                proposal.kept.push(format!("{} stays in the context: {why}", entry.path));
                continue;
            }
            let same_name_elsewhere = listing.entries().iter().any(|entry| {
                wildcard_matches(name, entry.name())
                    && !excluded(entry)
                    && !(habit.is)(entry, listing)
                    && entry.path.contains('/')
            });
            let nested = found.iter().any(|entry| entry.path.contains('/'));
            if nested && same_name_elsewhere {
                lines.extend(found.iter().map(|entry| entry.path.clone()));
            } else {
                lines.push(if nested { format!("**/{name}") } else { (*name).to_owned() });
            }
            for entry in found {
                covered.push(&entry.path);
                proposal.bytes += listing.bytes_below(&entry.path);
            }
            proposal.may_change.push(format!("**/{name}"));
            proposal.may_change.push(format!("**/{name}/**"));
        }
        if !lines.is_empty() {
            sections.push((habit.heading, lines));
        }
    }
    if sections.is_empty() {
        return None;
    }
    if existing.is_none() {
        // The file that is written now is one more that no program reads.
        let own = "the build's own files";
        match sections.iter_mut().find(|(heading, _)| *heading == own) {
            Some((_, lines)) => lines.push(".dockerignore".to_owned()),
            None => sections.push((own, vec![".dockerignore".to_owned()])),
        }
    }
    let mut text = existing.unwrap_or_default().to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for (heading, lines) in sections {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("# {heading}\n"));
        for line in lines {
            text.push_str(&line);
            text.push('\n');
            proposal.added.push(line);
        }
    }
    proposal.text = text;
    Some(proposal)
}

fn is_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|tail| tail.is_empty() || tail.starts_with('/'))
}

/// What the instructions ask of the context by name.
struct Needs {
    /// Named sources of COPY, ADD and bind mounts.
    sources: Vec<String>,
    /// Patterns that the author took back with `!`.
    taken_back: Vec<String>,
    /// Texts of instructions that run something.
    commands: Vec<String>,
}

impl Needs {
    fn of(file: &Dockerfile<'_>, ignore: &str) -> Self {
        let mut needs = Self { sources: Vec::new(), taken_back: Vec::new(), commands: Vec::new() };
        let lines = ignore.lines().map(str::trim);
        needs.taken_back.extend(lines.filter_map(|line| line.strip_prefix('!')).map(|line| clean(line.trim())));
        for instruction in &file.instructions {
            needs.add(instruction);
        }
        needs
    }

    fn add(&mut self, instruction: &Instruction<'_>) {
        match &instruction.kind {
            Kind::Copy(copy) | Kind::Add(copy) if copy.from.is_none() => self.add_sources(copy),
            Kind::Run(run) => {
                let binds =
                    run.mounts().iter().filter(|mount| mount.kind() == "bind" && mount.get(&["from"]).is_none());
                self.sources
                    .extend(binds.filter_map(|mount| mount.get(&["source", "src"])).map(|source| clean(source)));
                self.add_command(&run.command);
                self.commands.extend(instruction.heredocs.iter().map(|heredoc| heredoc.body.to_string()));
            }
            Kind::Cmd(command) | Kind::Entrypoint(command) => self.add_command(command),
            Kind::Env(pairs) => self.commands.extend(pairs.iter().map(|pair| pair.value.to_string())),
            Kind::Workdir(path) => self.commands.push(path.to_string()),
            Kind::Onbuild(inner) => self.add(inner),
            _ => {}
        }
    }

    fn add_sources(&mut self, copy: &Copy<'_>) {
        self.sources.extend(copy.sources.iter().map(|source| clean(source)).filter(|source| !source.is_empty()));
    }

    fn add_command(&mut self, command: &Command<'_>) {
        self.commands.push(match command {
            Command::Shell(text) => text.text.to_string(),
            Command::Exec { words, .. } => {
                words.iter().map(plimsoll_parser::Text::as_str).collect::<Vec<_>>().join(" ")
            }
        });
    }

    /// Why this entry has to reach the builder, if it does.
    fn wants(&self, entry: &Entry) -> Option<String> {
        let name = entry.name();
        if self.sources.iter().any(|source| names(source, &entry.path)) {
            return Some("an instruction copies it by name".to_owned());
        }
        if self.taken_back.iter().any(|pattern| names(pattern, &entry.path)) {
            return Some("a line of .dockerignore takes it back".to_owned());
        }
        if name == ".git"
            && self.commands.iter().any(|text| words(text).any(|word| matches!(word, "git" | "setuptools_scm")))
        {
            return Some("a command of the build asks git".to_owned());
        }
        let mentioned = |text: &String| {
            text.split(|c: char| c.is_whitespace() || "/\"'=:;,()$".contains(c)).any(|part| part == name)
        };
        if entry.kind == EntryKind::Dir && name != ".git" && self.commands.iter().any(mentioned) {
            return Some("a command names it".to_owned());
        }
        let runs =
            |programs: &[&str]| self.commands.iter().any(|text| words(text).any(|word| programs.contains(&word)));
        let makers: &[&str] = match name {
            "node_modules" => &["npm", "yarn", "pnpm", "bun"],
            "target" => &["cargo", "mvn", "mvnw"],
            _ => return None,
        };
        (!runs(makers)).then(|| "no command of the build makes it".to_owned())
    }
}

/// Whether `source` is the path itself, something below it, or a pattern with its name.
fn names(source: &str, path: &str) -> bool {
    is_below(source, path)
        || (has_wildcard(source) && !source.trim_matches(['*', '/']).is_empty() && wildcard_matches(source, path))
        || source.rsplit('/').next().is_some_and(|last| {
            source.starts_with("**/") && wildcard_matches(last, path.rsplit('/').next().unwrap_or_default())
        })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || "_-.".contains(c)))
}
