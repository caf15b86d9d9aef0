//! A last stage out of nothing but the packages that the program runs on.

use super::unneeded::packages;
use super::{ConfigChange, ConfigField, Input, Move, NotApplicable, Step, system_paths};
use crate::apply::Level;
use crate::bases::{BaseImage, BaseKind};
use crate::chain::{Chain, Link, dialects};
use crate::files::Files;
use crate::sheet::{Draft, Sheet};
use plimsoll_analyzer::context::EntryKind;
use plimsoll_parser::dockerignore::Ignore;
use plimsoll_parser::shell::Dialect;
use plimsoll_parser::syntax::{Healthcheck, Kind};
use plimsoll_parser::{Edit, TextRange};

/// The last stage loses shell, package manager and whatever else no package of the program depends on.
pub(crate) struct Distilled;

/// What programs read that no package of theirs brings: certificates, time zones, a locale.
const TREES: &str = "/etc/ssl /usr/share/zoneinfo /usr/lib/locale/C.utf8";
/// Sources of programs that a first stage compiled.
const COMPILED: &[&str] = &[".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".go", ".rs", ".java", ".kt"];
/// The shape of the file system, and who is who in it.
const PLACES: &str = "/usr /usr/bin /usr/sbin /usr/lib /usr/lib64 /bin /sbin /lib /lib64 /tmp /var /var/tmp /run /root /etc /etc/passwd \
                      /etc/group /etc/nsswitch.conf /etc/os-release /usr/lib/os-release /etc/localtime /etc/timezone";

impl Move for Distilled {
    fn name(&self) -> &'static str {
        "only-what-runs"
    }
    fn title(&self) -> &'static str {
        "only what the program reads"
    }
    fn explain(&self) -> &'static str {
        "The last stage begins with nothing and takes the files of the installed packages and of all that these depend on, \
         as dpkg knows them. Shell, package manager, documentation and byte code of the distribution's modules are not \
         among them. Relies on the program starting no other program."
    }
    fn level(&self) -> Level {
        Level::Unsafe
    }
    fn apply(&self, input: &Input<'_>) -> Result<Step, NotApplicable> {
        let sheet = Sheet::of(&input.files.dockerfile);
        if let Some(error) = sheet.file.errors.first() {
            return Err(NotApplicable::because(format!("the file does not parse: {}", error.message)));
        }
        let from = *sheet.stages().last().ok_or_else(|| NotApplicable::because("the file has no FROM"))?;
        let Some(Kind::From(written)) = sheet.instruction(from).map(|instruction| &instruction.kind) else {
            return Err(NotApplicable::because("the file has no FROM"));
        };
        if written.platform.is_some() {
            return Err(NotApplicable::because("FROM asks for a platform"));
        }
        let base = BaseImage::of(&crate::place::image_of(&sheet.file, &written.image))?;
        if base.kind != BaseKind::Debian || !base.repository.ends_with("debian") {
            return Err(NotApplicable::because(format!(
                "the last stage stands on {}, not on Debian itself",
                base.name()
            )));
        }
        let carried = installed(&sheet, from)?;
        needs_no_shell(&sheet, from, input)?;
        let (dockerfile, mut config_changes) = super::direct::without_shell(&write(&sheet, from, &carried));
        let mut notes =
            vec!["the image has no shell: look into it with a debug container or from the first stages".to_owned()];
        if config_changes.iter().any(|change| change.field != ConfigField::Healthcheck) {
            notes.push(super::direct::NOTE.to_owned());
        }
        config_changes.push(ConfigChange {
            field: ConfigField::WorkingDir,
            key: None,
            why: "an image from scratch has / where none is written".to_owned(),
        });
        Ok(Step {
            may_change: system_paths(),
            config_changes,
            notes,
            ..Step::of(Files { dockerfile, dockerignore: input.files.dockerignore.clone() })
        })
    }
}

/// What of the last stage's own goes on.
struct Carried {
    /// Packages, sorted.
    names: Vec<String>,
    /// Folders that commands made, sorted.
    folders: Vec<String>,
    /// Homes of users, with all that is in them.
    homes: Vec<String>,
}

/// The packages of the last stage, when its RUNs do nothing but install them.
fn installed(sheet: &Sheet<'_>, from: usize) -> Result<Carried, NotApplicable> {
    let dialects = dialects(&sheet.file.instructions);
    let mut names = Vec::new();
    let mut folders = Vec::new();
    let mut homes = Vec::new();
    let mut taken = false;
    for (index, instruction) in sheet.instructions().skip(from + 1) {
        match &instruction.kind {
            Kind::Run(_) => {}
            Kind::Copy(copy) | Kind::Add(copy) => {
                taken |= copy.from.is_some();
                continue;
            }
            Kind::Onbuild(_) => {
                return Err(NotApplicable::because("ONBUILD: what is built on this image is not known"));
            }
            _ => continue,
        }
        let chain = Chain::of(instruction, dialects.get(index).copied().unwrap_or_default());
        let chain = chain
            .ok_or_else(|| NotApplicable::because("a RUN of the last stage is more than commands joined by &&"))?;
        for link in &chain.links {
            if is_ldconfig(&chain) {
                continue;
            }
            if let Some(more) = folders_of(link) {
                folders.extend(more);
                continue;
            }
            if let Some(home) = account(link) {
                homes.extend(home);
                continue;
            }
            if !is_plain_apt(link) {
                return Err(NotApplicable::because(format!("`{}` runs in the last stage", link.line())));
            }
            if link.verb() == "install" {
                for at in packages(link) {
                    let Some(word) = link.words.get(at) else { continue };
                    let name = word.text.split(['=', ':', '/']).next().unwrap_or_default();
                    if !word.known || name.is_empty() || word.text.starts_with(['.', '/']) {
                        return Err(NotApplicable::because(format!(
                            "{} hides which packages are installed",
                            word.text
                        )));
                    }
                    names.push(name.to_owned());
                }
            }
        }
    }
    if !taken {
        return Err(NotApplicable::because("the last stage takes nothing from a first one"));
    }
    names.sort();
    names.dedup();
    folders.sort();
    folders.dedup();
    Ok(Carried { names, folders, homes })
}

/// The stage that the last one takes what was built from.
fn libraries_of(sheet: &Sheet<'_>, from: usize) -> Option<String> {
    sheet.instructions().skip(from + 1).find_map(|(_, other)| match &other.kind {
        Kind::Copy(copy) => copy.from.as_ref().map(|name| name.as_str().to_owned()),
        _ => None,
    })
}

/// The last instruction of that stage, when the last stage calls ldconfig and that one does not.
fn unlisted(sheet: &Sheet<'_>, from: usize) -> Option<usize> {
    let calls = |index: usize| {
        let run = sheet.instruction(index).is_some_and(|other| matches!(other.kind, Kind::Run(_)));
        run && sheet.bare(index).split(|c: char| !c.is_alphanumeric()).any(|word| word == "ldconfig")
    };
    if !sheet.instructions().skip(from + 1).any(|(index, _)| calls(index)) {
        return None;
    }
    let name = libraries_of(sheet, from)?;
    let stages = sheet.stages();
    let begins = stages.iter().copied().find(|stage| {
        matches!(sheet.instruction(*stage).map(|other| &other.kind),
            Some(Kind::From(other)) if other.name.as_ref().is_some_and(|other| other.eq_ignore_ascii_case(&name)))
    })?;
    let ends = stages.into_iter().find(|stage| *stage > begins)?;
    (!(begins..ends).any(calls)).then_some(ends - 1)
}

/// Words in lines of some 110 columns, the first of which begins at `column`.
fn wrapped<'w>(words: impl Iterator<Item = &'w str>, mut column: usize) -> String {
    let mut text = String::new();
    for word in words {
        if column + word.len() > 110 {
            text.push_str(" \\\n       ");
            column = 8;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
        column += word.len() + 1;
    }
    text
}

/// Whether a RUN only tells the loader of new libraries.
fn is_ldconfig(chain: &Chain) -> bool {
    matches!(chain.links.as_slice(), [link] if link.program() == "ldconfig" && link.args().is_empty())
}

/// What a command that makes a user or group leaves besides `/etc/passwd` and `/etc/group`, which go on as they are: the
/// home of the user, if it makes one.
fn account(link: &Link) -> Option<Option<String>> {
    let args: Vec<&str> = link.args().iter().map(|word| word.text.as_str()).collect();
    let makes_home = match link.program() {
        "groupadd" | "addgroup" => false,
        "useradd" => args.iter().any(|arg| {
            *arg == "--create-home" || (arg.starts_with('-') && !arg.starts_with("--") && arg.contains('m'))
        }),
        "adduser" => !args.iter().any(|arg| matches!(*arg, "--no-create-home" | "-H" | "--system")),
        _ => return None,
    };
    if !makes_home {
        return Some(None);
    }
    let given = args.iter().enumerate().find_map(|(at, arg)| match *arg {
        "-d" | "--home" | "--home-dir" => args.get(at + 1).copied(),
        arg => arg.strip_prefix("--home=").or_else(|| arg.strip_prefix("--home-dir=")),
    });
    // The name stands first or last.
    let name = [args.last(), args.first()].into_iter().flatten().find(|arg| !arg.starts_with('-'))?;
    let home = given.map_or_else(|| format!("/home/{name}"), str::to_owned);
    (link.is_known() && home.starts_with('/') && !home.contains(' ')).then_some(Some(home))
}

/// The folders that a command makes, or gives an owner or mode, where that is all it does.
fn folders_of(link: &Link) -> Option<Vec<String>> {
    let plain: Vec<&str> =
        link.args().iter().map(|word| word.text.as_str()).filter(|word| !word.starts_with('-')).collect();
    let paths = match link.program() {
        "mkdir" => plain.as_slice(),
        "chown" | "chmod" => plain.get(1..)?,
        _ => return None,
    };
    let options = link.args().iter().filter(|word| word.text.starts_with('-')).all(|word| word.text == "-p");
    let own = paths.iter().all(|path| path.starts_with('/') && path.len() > 1 && !path.contains(' '));
    // The folder of manual pages is for installing alone.
    let paths: Vec<&str> = paths.iter().copied().filter(|path| !path.starts_with("/usr/share/man")).collect();
    (options && own && link.is_known() && !link.decorated)
        .then(|| paths.iter().map(|path| path.trim_end_matches('/').to_owned()).collect())
}

fn is_plain_apt(link: &Link) -> bool {
    let list =
        |text: &str| text.starts_with('-') || text.starts_with("/var/lib/apt/") || text.starts_with("/var/cache/apt");
    match link.program() {
        "apt-get" | "apt" => {
            matches!(link.verb(), "update" | "install" | "clean" | "upgrade" | "dist-upgrade" | "full-upgrade")
        }
        "rm" => link.args().iter().all(|word| list(&word.text)),
        _ => false,
    }
}

/// Refuses where something asks for a shell, or may start other programs.
fn needs_no_shell(sheet: &Sheet<'_>, from: usize, input: &Input<'_>) -> Result<(), NotApplicable> {
    let mut starts = false;
    for (_, instruction) in sheet.instructions().skip(from + 1) {
        let command = match &instruction.kind {
            Kind::Cmd(command) | Kind::Entrypoint(command) => {
                starts = true;
                command
            }
            Kind::Healthcheck(Healthcheck::Cmd { command, .. }) => command,
            _ => continue,
        };
        if !super::direct::can_be(&sheet.file, instruction) {
            return Err(NotApplicable::because(format!("{} needs a shell", instruction.keyword.as_str())));
        }
        let line = super::two_stage::command_line(command);
        let first = line.split_ascii_whitespace().find(|word| *word != "exec").unwrap_or_default();
        if Dialect::of_shell(first).is_unix_shell() {
            return Err(NotApplicable::because(format!("{first} is what starts")));
        }
    }
    if !starts {
        return Err(NotApplicable::because("nothing says what is started"));
    }
    let ignore = input.files.dockerignore.as_deref().map(|text| Ignore::parse(text).0);
    for entry in
        input.listing.kept(ignore.as_ref()).filter(|entry| entry.kind == EntryKind::File && entry.size < 1 << 20)
    {
        let source = [".py", ".rb", ".js", ".sh", ".pl"].iter().chain(COMPILED).any(|end| entry.path.ends_with(end))
            || !entry.name().contains('.');
        let Some(text) = source.then(|| (input.read)(&entry.path)).flatten() else { continue };
        if Dialect::of_shebang(&text).is_some_and(Dialect::is_unix_shell) {
            return Err(NotApplicable::because(format!("{} is a shell script", entry.path)));
        }
        let compiled = COMPILED.iter().any(|end| entry.path.ends_with(end));
        let others: &[&str] = if compiled {
            &[
                " system(",
                "popen(",
                "execl(",
                "execlp(",
                "execv(",
                "execvp(",
                "execve(",
                "posix_spawn",
                "std::system(",
                "\"os/exec\"",
                "process::Command",
                "ProcessBuilder",
                "getRuntime().exec",
            ]
        } else {
            &["subprocess", "os.system", "os.popen", "os.spawn", "pexpect", "child_process", "IO.popen", "Open3"]
        };
        if let Some(how) = others.iter().find(|how| text.contains(**how)) {
            return Err(NotApplicable::because(format!("{} starts other programs ({})", entry.path, how.trim())));
        }
    }
    Ok(())
}

fn write(sheet: &Sheet<'_>, from: usize, carried: &Carried) -> String {
    let Carried { names, folders, homes } = carried;
    let trees: String = homes.iter().map(|home| format!(" {home}")).collect();
    let mut first = Draft::default();
    let mut last = Draft::default();
    let other = sheet.instructions().any(|(_, instruction)| {
        matches!(&instruction.kind, Kind::From(written) if written.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case("runtime")))
    });
    let stage = if other { "distribution" } else { "runtime" };
    let listed = unlisted(sheet, from);
    for (index, instruction) in sheet.instructions() {
        if index < from {
            first.push(sheet.lead(index)).push(&sheet.body(index));
            if listed == Some(index) {
                first.push("RUN ldconfig\n");
            }
            continue;
        }
        let gap = if sheet.lead(index).contains('\n') { "\n" } else { "" };
        match &instruction.kind {
            Kind::From(written) => {
                first.push(sheet.lead(index));
                let rest = TextRange { start: written.image.range.end, end: instruction.range.end };
                first.push(&sheet.edited(index, &[Edit::replace(rest, format!(" AS {stage}"))]));
                let name = written.name.as_ref().map(|name| format!(" AS {}", name.as_str())).unwrap_or_default();
                last.push(&format!("FROM scratch{name}\n"));
                last.push(&format!("COPY --from={stage} /{stage} /\n"));
                last.push("ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
            }
            Kind::Run(_) if Chain::of(instruction, Dialect::Posix).is_some_and(|chain| is_ldconfig(&chain)) => {
                // The stage that the libraries come from has the loader's list of them.
                let of = libraries_of(sheet, from).unwrap_or_else(|| stage.to_owned());
                last.push(sheet.lead(index)).push(&format!("COPY --from={of} /etc/ld.so.cache /etc/ld.so.cache\n"));
            }
            Kind::Run(_) => drop(first.push(gap).push(&sheet.body(index))),
            Kind::Arg(_) | Kind::Shell(_) => {
                first.push(gap).push(&sheet.bare(index));
                last.push(sheet.lead(index)).push(&sheet.body(index));
            }
            Kind::Env(pairs)
                if pairs.iter().any(|pair| {
                    pair.key.starts_with("DEBIAN_") || pair.key.to_ascii_lowercase().ends_with("_proxy")
                }) =>
            {
                first.push(gap).push(&sheet.bare(index));
                last.push(sheet.lead(index)).push(&sheet.body(index));
            }
            _ => drop(last.push(sheet.lead(index)).push(&sheet.body(index))),
        }
    }
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != "libstdc++6").collect();
    let names = wrapped(std::iter::once("libstdc++6").chain(names), "--no-replaces --no-enhances".len() + 8);
    let mut places: Vec<&str> = PLACES.split_ascii_whitespace().collect();
    places.extend(folders.iter().map(String::as_str));
    first.push(&format!(
        "# The files of these packages and of all that they depend on, without documentation: everything that the\n\
         # image holds of the distribution. No shell and no package manager is among them.\n\
         RUN mkdir /{stage} \\\n\
         \x20   && apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks \\\n\
         \x20       --no-replaces --no-enhances {names} > /tmp/packages \\\n\
         \x20   && grep '^[a-z]' /tmp/packages | sort -u | grep -vx -e dpkg -e tar | xargs dpkg -L > /tmp/files \\\n\
         \x20   && grep -v -e '^/usr/share/\\(doc\\|info\\|lintian\\|man\\)/' -e /gconv /tmp/files | sort -u > /tmp/kept \\\n\
         \x20   && tar --create --ignore-failed-read --directory / {TREES}{trees} --no-recursion \\\n\
         \x20       {} \\\n\
         \x20       --files-from /tmp/kept | tar --extract --directory /{stage}\n",
        places.chunks(9).map(|row| row.join(" ")).collect::<Vec<_>>().join(" \\\n        "),
    ));
    let mut text = first;
    text.blank().push(last.finish().trim_start_matches('\n')).push(sheet.tail());
    text.finish()
}
