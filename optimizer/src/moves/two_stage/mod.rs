//! One stage becomes two: what installs stays behind in the first, what was installed goes on in the second.
//!
//! The engine knows the shape, an [`Ecosystem`] knows an installer: which commands are its own, and where it puts things.
//! The author's text is kept: each instruction goes to the stage that needs it, or to both, as written.

mod apt;
mod compiled;
mod go;
mod java;
mod made;
mod node;
mod php;
mod python;
mod ruby;
mod site;

use apt::Apt;
pub(crate) use go::{GoBinary, files_read};

use super::packages::is_build_tool;
use super::{ConfigChange, Input, Move, NotApplicable, Step};
use crate::apply::Level;
use crate::bases::{BaseImage, BaseKind};
use crate::chain::{Chain, Link, dialects};
use crate::files::Files;
use crate::place::{Place, places};
use crate::sheet::{Draft, Sheet};
use plimsoll_parser::syntax::{Command, Copy, Instruction, Kind};
use plimsoll_parser::{Edit, TextRange};
use std::collections::{BTreeMap, BTreeSet};

/// What an ecosystem's commands do.
pub(super) enum Does {
    /// Installs into these absolute paths, with what to say of each.
    Installs(Vec<String>),
    /// Serves installing only (upgrading the installer, asking it for its cache).
    Serves,
    /// Anything else.
    Other,
}

/// What is known around a command.
pub(super) struct Around<'a> {
    /// The place of the instruction in the file.
    pub(super) index: usize,
    pub(super) base: &'a BaseImage,
    pub(super) place: &'a Place,
    pub(super) input: &'a Input<'a>,
}

/// What has to stand in both stages for the installer's results to be found.
#[derive(Default)]
pub(super) struct Prelude {
    /// Lines of the first stage, before anything is installed.
    pub(super) build: String,
    /// Lines of the last stage, after what was installed is there.
    pub(super) last: String,
    pub(super) config: Vec<ConfigChange>,
}

/// What the layers of the built file say, where an ecosystem goes by them.
#[derive(Default)]
pub(super) struct Found {
    pub(super) products: BTreeSet<String>,
    /// Owners other than root, by product.
    pub(super) owners: BTreeMap<String, String>,
    /// What was removed again.
    pub(super) gone: Vec<String>,
    /// Globs of what stays behind outside of the distribution's own folders.
    pub(super) behind: BTreeSet<String>,
    /// Whether shared libraries are among the products that the loader has to be told of.
    pub(super) ldconfig: bool,
    /// COPYs of what only compilers read.
    pub(super) sources: BTreeSet<usize>,
}

/// One installer of packages.
pub(super) trait Ecosystem: Sync {
    /// What a command does.
    fn does(&self, link: &Link, around: &Around<'_>) -> Result<Does, NotApplicable>;
    /// What a RUN does that is more than commands joined by `&&`; nothing where that is not its own.
    fn text(&self, _index: usize, _text: &str, _around: &Around<'_>) -> Result<Option<Does>, NotApplicable> {
        Ok(None)
    }
    /// What was installed, where it is not the commands that say so.
    fn found(
        &self,
        _sheet: &Sheet<'_>,
        _places: &[Place],
        _input: &Input<'_>,
        _base: &BaseImage,
    ) -> Result<Option<Found>, NotApplicable> {
        Ok(None)
    }
    /// Whether it says whose the products are.
    fn knows_owners(&self) -> bool {
        false
    }
    /// What both stages need.
    fn prelude(&self, products: &BTreeSet<String>, around: &Around<'_>) -> Prelude;
    /// The package to install where the one that brought the program along is left behind.
    fn implied(&self, package: &str) -> Option<&'static str>;
    /// Absolute paths outside of the distribution's own that a command writes and the last stage does without.
    fn behind(&self, _link: &Link, _around: &Around<'_>) -> Vec<String> {
        Vec::new()
    }
    /// Whether a package of apt's serves installing only.
    fn leaves(&self, _package: &str) -> bool {
        false
    }
    /// Whether a RUN of these commands matters to the last stage alone.
    fn only_last(&self, _chain: &Chain) -> bool {
        false
    }
    /// Whether what is copied to the directories in which its commands run serves them only.
    fn keeps_sources(&self) -> bool {
        false
    }
    /// What to say above the line that fetches the products.
    fn comment(&self) -> &'static str;
    /// Prefixes of variables that the installer reads.
    fn variables(&self) -> &'static [&'static str];
    /// A smaller base for the last stage.
    fn last_base(&self, base: &BaseImage, available: &dyn Fn(&str) -> bool) -> Option<String> {
        base.slimmest(available)
    }
    /// In what the config differs when the last stage's base is another image.
    fn base_changes(&self, _base: &BaseImage) -> Vec<ConfigChange> {
        Vec::new()
    }
    /// Why the program would not find what was installed, if so.
    fn objection(&self, _sheet: &Sheet<'_>, _products: &BTreeSet<String>) -> Option<String> {
        None
    }
}

/// Two stages for programs whose dependencies an installer fetches.
pub(crate) struct Installed {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) explain: &'static str,
    pub(super) ecosystem: &'static dyn Ecosystem,
}

pub(crate) static PYTHON: Installed = Installed {
    name: "two-stage-python",
    title: "multi-stage: builder left behind",
    explain: "pip, compilers and headers stay in a first stage; the last one takes what pip installed. Relies on every \
              library that a compiled module loads being in the last stage: the program has to be run to know.",
    ecosystem: &python::Pip,
};
pub(crate) static RUBY: Installed = Installed {
    name: "two-stage-ruby",
    title: "multi-stage: builder left behind",
    explain: "Compilers and headers stay in a first stage; the last one takes the installed gems. Relies on every library \
              that a compiled gem loads being in the last stage.",
    ecosystem: &ruby::Gems,
};
pub(crate) static NODE: Installed = Installed {
    name: "two-stage-node",
    title: "multi-stage: builder left behind",
    explain: "Compilers and npm's cache stay in a first stage; the last one takes node_modules.",
    ecosystem: &node::Modules,
};

pub(crate) static PHP: Installed = Installed {
    name: "two-stage-php",
    title: "multi-stage: composer left behind",
    explain: "composer, and what it downloads and unpacks with, stay in a first stage; the last one takes the installed \
              packages. Relies on composer writing to the folder of packages only, and on the program starting neither \
              git nor unzip.",
    ecosystem: &php::Composer,
};
pub(crate) static SITE: Installed = Installed {
    name: "two-stage-site",
    title: "multi-stage: the built site alone",
    explain: "Node, the modules and the sources stay in a first stage; the last one has the web server and the folder that \
              the build script wrote. Relies on the server reading nothing else of the project.",
    ecosystem: &site::Site,
};

pub(crate) static COMPILED: Installed = Installed {
    name: "two-stage-compiled",
    title: "multi-stage: compiler left behind",
    explain: "The compiler stays in a first stage; the last one takes what it wrote and stands on a small image of the same \
              distribution. Relies on every library that the program loads being in the last stage.",
    ecosystem: &compiled::Compiler,
};

pub(crate) static MADE: Installed = Installed {
    name: "two-stage-products",
    title: "multi-stage: compiler left behind",
    explain: "Compilers, headers and sources stay in a first stage; the last one takes what the layers of the image as it \
              was built show that they wrote, and stands on a small image of the same distribution. Relies on every \
              library that the program loads being in the last stage.",
    ecosystem: &made::Products,
};

pub(crate) static JAVA: Installed = Installed {
    name: "two-stage-java",
    title: "multi-stage: classes on a run time",
    explain: "The development kit, Maven and Gradle stay in a first stage; the last one takes the classes and archives and \
              has a headless run time. Relies on the program compiling nothing and drawing no windows.",
    ecosystem: &java::Kit,
};

/// Where an instruction goes.
enum Part {
    Both,
    Last,
    /// Text for the first stage and for the last one.
    Split {
        build: Option<String>,
        last: Option<String>,
        fetches: bool,
    },
}

impl Move for Installed {
    fn name(&self) -> &'static str {
        self.name
    }
    fn title(&self) -> &'static str {
        self.title
    }
    fn explain(&self) -> &'static str {
        self.explain
    }
    fn level(&self) -> Level {
        Level::Unsafe
    }
    fn apply(&self, input: &Input<'_>) -> Result<Step, NotApplicable> {
        let sheet = Sheet::of(&input.files.dockerfile);
        let (from, base) = only_stage(&sheet)?;
        split(self.ecosystem, input, &sheet, from, &base)
    }
}

/// The one FROM of a file that has no second, and its image.
pub(super) fn only_stage(sheet: &Sheet<'_>) -> Result<(usize, BaseImage), NotApplicable> {
    if let Some(error) = sheet.file.errors.first() {
        return Err(NotApplicable::because(format!("the file does not parse: {}", error.message)));
    }
    let stages = sheet.stages();
    let [from] = stages.as_slice() else {
        return Err(NotApplicable::because("the file has several stages already"));
    };
    let Some(Kind::From(base)) = sheet.instruction(*from).map(|instruction| &instruction.kind) else {
        return Err(NotApplicable::because("the file has no FROM"));
    };
    if base.platform.is_some() {
        return Err(NotApplicable::because("FROM asks for a platform"));
    }
    Ok((*from, BaseImage::of(&crate::place::image_of(&sheet.file, &base.image))?))
}

fn split(
    ecosystem: &dyn Ecosystem,
    input: &Input<'_>,
    sheet: &Sheet<'_>,
    from: usize,
    base: &BaseImage,
) -> Result<Step, NotApplicable> {
    let places = places(&sheet.file, input.base);
    let dialects = dialects(&sheet.file.instructions);
    let mut products: BTreeSet<String> = BTreeSet::new();
    let mut chains: Vec<Option<Chain>> = Vec::new();
    let mut kinds: Vec<Vec<Does>> = Vec::new();
    let mut first_install = None;
    let mut last_install = None;
    let mut workshops: BTreeSet<String> = BTreeSet::new();
    let mut behind: BTreeSet<String> = BTreeSet::new();
    for (index, instruction) in sheet.instructions() {
        let dialect = dialects.get(index).copied().unwrap_or_default();
        let chain = Chain::of(instruction, dialect);
        let mut does = Vec::new();
        let mut place = places.get(index).cloned().unwrap_or_default();
        for link in chain.iter().flat_map(|chain| &chain.links) {
            if link.program() == "cd" && link.words.len() == 2 {
                // The commands after it run there; whether it is needed itself is seen when they are known.
                place.workdir =
                    link.args().first().filter(|word| word.known).and_then(|word| place.absolute(&word.text));
                does.push(Does::Serves);
                continue;
            }
            let what = ecosystem.does(link, &Around { index, base, place: &place, input })?;
            if !matches!(what, Does::Other) {
                if ecosystem.keeps_sources() {
                    // All of the image is no workshop: a command that runs at / may serve anything.
                    workshops.extend(place.workdir.clone().filter(|path| path != "/"));
                }
                behind.extend(ecosystem.behind(link, &Around { index, base, place: &place, input }));
            }
            if let Does::Installs(paths) = &what {
                if !ecosystem.knows_owners()
                    && place.user.as_deref().is_some_and(|user| !matches!(user, "root" | "0" | "root:root" | "0:0"))
                {
                    return Err(NotApplicable::because("packages are installed as another user than root"));
                }
                products.extend(paths.iter().cloned());
                first_install.get_or_insert(index);
                last_install = Some(index);
            }
            does.push(what);
        }
        if chain.is_none() && matches!(instruction.kind, Kind::Run(_)) {
            let around = Around { index, base, place: &place, input };
            if let Some(what) = ecosystem.text(index, &sheet.bare(index), &around)? {
                first_install.get_or_insert(index);
                last_install = Some(index);
                does.push(what);
            }
        }
        // What an installer's cache is emptied by goes where the installer goes.
        if does.iter().any(|what| matches!(what, Does::Installs(_))) {
            for (link, what) in chain.iter().flat_map(|chain| &chain.links).zip(&mut does) {
                let paths = || link.args().iter().filter(|word| !word.text.starts_with('-'));
                if link.program() == "rm"
                    && paths().all(|word| word.text.contains("cache") && !word.text.starts_with("/var/cache"))
                {
                    *what = Does::Serves;
                }
            }
        }
        // A cd goes with the installation that it is for, and stays where something else runs after it.
        let is_cd =
            |at: usize| chain.as_ref().and_then(|chain| chain.links.get(at)).is_some_and(|link| link.program() == "cd");
        let others = does.iter().any(|what| matches!(what, Does::Other));
        let installs = does.iter().any(|what| matches!(what, Does::Installs(_)));
        if others || !installs {
            for (_, what) in does.iter_mut().enumerate().filter(|(at, _)| is_cd(*at)) {
                *what = Does::Other;
            }
        }
        chains.push(chain);
        kinds.push(does);
    }
    let (Some(first), Some(last)) = (first_install, last_install) else {
        return Err(NotApplicable::because("nothing here installs packages that a second stage could take"));
    };
    let found = ecosystem.found(sheet, &places, input, base)?;
    let Found { owners, gone, ldconfig, sources, .. } = match found {
        Some(found) => {
            products.clone_from(&found.products);
            behind.extend(found.behind.iter().cloned());
            found
        }
        None => Found::default(),
    };
    // What lies in another product comes with it.
    let all = products.clone();
    products.retain(|path| {
        !all.iter().any(|other| other != path && path.starts_with(&format!("{}/", other.trim_end_matches('/'))))
    });
    if let Some(objection) = ecosystem.objection(sheet, &products) {
        return Err(NotApplicable::because(objection));
    }
    // What of apt's packages the last stage needs.
    let mut apt = Apt::default();
    for (index, chain) in chains.iter().enumerate() {
        for link in chain.iter().flat_map(|chain| &chain.links) {
            apt.read(index, link, base, ecosystem)?;
        }
    }
    let slimmer = ecosystem.last_base(base, input.available);
    if slimmer.is_none() && apt.left_behind.is_empty() {
        return Err(NotApplicable::because(
            "nothing would stay behind: the base has no smaller variant and no build tool is installed",
        ));
    }
    let place = places.get(last).cloned().unwrap_or_default();
    let prelude = ecosystem.prelude(&products, &Around { index: last, base, place: &place, input });

    let mut build = Draft::default();
    let mut draft = Draft::default();
    let Some(Kind::From(written)) = sheet.instruction(from).map(|i| &i.kind) else {
        return Err(NotApplicable::because("the file has no FROM"));
    };
    let final_base = match slimmer {
        Some(name) => crate::place::as_written(&written.image, base, name),
        None => written.image.to_string(),
    };
    let build_name =
        if written.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case("build")) { "builder" } else { "build" };
    let fetch = {
        let mut text = String::new();
        if !ecosystem.comment().is_empty() {
            text.push_str(&format!("# {}\n", ecosystem.comment()));
        }
        for path in &products {
            let owner = owners.get(path).map(|owner| format!(" --chown={owner}")).unwrap_or_default();
            text.push_str(&format!("COPY --from={build_name}{owner} {path} {path}\n"));
        }
        if ldconfig {
            text.push_str("RUN ldconfig\n");
        }
        text.push_str(&prelude.last);
        text
    };
    let mut fetched = false;
    for (index, instruction) in sheet.instructions() {
        if index == from {
            head(sheet, from, instruction, build_name, &mut build);
            if sheet.lead(index + 1).contains('\n') {
                build.blank();
            }
            build.push(&prelude.build);
            let name = written.name.as_ref().map(|name| format!(" AS {}", name.as_str())).unwrap_or_default();
            draft.push(&format!("FROM {final_base}{name}\n"));
            continue;
        }
        if index < from {
            build.push(sheet.lead(index)).push(&sheet.body(index));
            continue;
        }
        let chain = chains.get(index).and_then(Option::as_ref);
        let does = kinds.get(index).map(Vec::as_slice).unwrap_or_default();
        let part = part_of(
            sheet,
            &places,
            &products,
            &workshops,
            index,
            instruction,
            chain,
            does,
            last,
            &apt,
            ecosystem,
            base,
            (&sources, &gone),
        )?;
        let lead = sheet.lead(index);
        let gap = if lead.contains('\n') { "\n" } else { "" };
        match part {
            Part::Both => {
                if !gap.is_empty() {
                    build.blank();
                }
                build.push(&sheet.bare(index));
                draft.push(lead).push(&sheet.body(index));
            }
            Part::Last => drop(draft.push(lead).push(&sheet.body(index))),
            Part::Split { build: first_text, last: last_text, fetches } => {
                if let Some(text) = &first_text {
                    if !gap.is_empty() {
                        build.blank();
                    }
                    build.push(text);
                }
                let fetch_now = fetches && index == last && !fetched;
                if last_text.is_some() || fetch_now {
                    draft.push(lead);
                }
                if let Some(text) = last_text {
                    draft.push(&text);
                }
                if fetch_now {
                    fetched = true;
                    draft.push(&fetch);
                }
            }
        }
    }
    debug_assert!(fetched && first <= last, "the last installing instruction fetches");
    let mut text = build;
    let last_stage = draft.finish();
    let last_stage = if final_base.contains("slim") {
        super::health::with_tools(&super::packages::with_manual_pages(&last_stage), base)
    } else {
        last_stage
    };
    text.blank().push(last_stage.trim_start_matches('\n'));
    text.push(sheet.tail());

    let mut notes = Vec::new();
    if !apt.left_behind.is_empty() {
        notes.push(format!("left behind in the first stage: {}", apt.left_behind.join(", ")));
    }
    if !apt.libraries.is_empty() {
        notes.push(format!("in place of kits and headers: {}", apt.libraries.join(", ")));
    }
    let mut config_changes = prelude.config;
    config_changes.extend(ecosystem.base_changes(base));
    Ok(Step {
        files: Files { dockerfile: text.finish(), dockerignore: input.files.dockerignore.clone() },
        title: None,
        may_change: {
            let below = |path: &String| [path.clone(), format!("{}/**", path.trim_end_matches('/'))];
            let workshops = workshops.iter().flat_map(below);
            super::system_paths().into_iter().chain(workshops).chain(behind).collect()
        },
        config_changes,
        programs: products.into_iter().collect(),
        notes,
    })
}

/// The author's head of the file and FROM line, with the stage's name behind it.
pub(super) fn head(sheet: &Sheet<'_>, from: usize, instruction: &Instruction<'_>, name: &str, draft: &mut Draft) {
    draft.push(sheet.lead(from));
    let Kind::From(written) = &instruction.kind else { return };
    let end = written.image.range.end;
    let rest = TextRange { start: end, end: instruction.range.end };
    draft.push(&sheet.edited(from, &[Edit::replace(rest, format!(" AS {name}"))]));
}

#[expect(clippy::too_many_arguments, reason = "one decision over everything that was gathered")]
fn part_of(
    sheet: &Sheet<'_>,
    places: &[Place],
    products: &BTreeSet<String>,
    workshops: &BTreeSet<String>,
    index: usize,
    instruction: &Instruction<'_>,
    chain: Option<&Chain>,
    does: &[Does],
    last: usize,
    apt: &Apt,
    ecosystem: &dyn Ecosystem,
    base: &BaseImage,
    (sources, gone): (&BTreeSet<usize>, &[String]),
) -> Result<Part, NotApplicable> {
    let before = index < last;
    Ok(match &instruction.kind {
        Kind::Run(_) => match chain {
            Some(chain) if before && ecosystem.only_last(chain) => Part::Last,
            Some(chain) => run_part(sheet, index, chain, does, last, apt, base)?,
            None if does.iter().any(|what| matches!(what, Does::Installs(_))) => {
                Part::Split { build: Some(sheet.body(index)), last: None, fetches: true }
            }
            None => {
                let text = sheet.bare(index);
                if let Some(word) = suspicious(&text, base) {
                    return Err(NotApplicable::because(format!(
                        "a RUN with {word} is more than commands joined by &&"
                    )));
                }
                if before { Part::Both } else { Part::Last }
            }
        },
        Kind::Workdir(_) if before && left_again(sheet, places, index, gone) => {
            Part::Split { build: Some(sheet.body(index)), last: None, fetches: false }
        }
        Kind::Workdir(_) | Kind::Shell(_) if before => Part::Both,
        Kind::Copy(copy) | Kind::Add(copy) if before => {
            if copy.from.is_some() {
                return Err(NotApplicable::because("files of another image are copied before packages are installed"));
            }
            if sources.contains(&index)
                || copied_into(sheet, places, index, gone)
                || copied_again(sheet, places, index, last)
                || comes_along(sheet, places, index, products)
                || comes_along(sheet, places, index, workshops)
            {
                Part::Split { build: Some(sheet.body(index)), last: None, fetches: false }
            } else {
                Part::Both
            }
        }
        Kind::Arg(_) if before => Part::Both,
        Kind::Env(pairs) if before => {
            let read = |name: &str| {
                ecosystem.variables().iter().any(|prefix| name.starts_with(prefix))
                    || mentioned_later(sheet, index, last, name)
                    || ["PATH", "DEBIAN_FRONTEND", "LANG", "LC_ALL", "CFLAGS", "LDFLAGS", "CC", "HOME"].contains(&name)
                    || name.to_ascii_lowercase().ends_with("_proxy")
            };
            if pairs.iter().any(|pair| read(&pair.key)) { Part::Both } else { Part::Last }
        }
        Kind::Onbuild(_) => return Err(NotApplicable::because("ONBUILD: what is built on this image is not known")),
        Kind::Unknown(_) | Kind::Broken(_) => return Err(NotApplicable::because("an instruction is not understood")),
        _ => Part::Last,
    })
}

fn run_part(
    sheet: &Sheet<'_>,
    index: usize,
    chain: &Chain,
    does: &[Does],
    last: usize,
    apt: &Apt,
    base: &BaseImage,
) -> Result<Part, NotApplicable> {
    let installs = does.iter().any(|does| matches!(does, Does::Installs(_)));
    let serves = does.iter().any(|does| !matches!(does, Does::Other));
    let mut edits = Vec::new();
    let gone = |at: usize| {
        !matches!(does.get(at), Some(Does::Other))
            || (apt.nothing_stays && chain.links.get(at).is_some_and(Apt::is_part))
    };
    let some_gone = (0..chain.links.len()).any(gone);
    let remaining = chain.without(&gone);
    if let Some(removal) = &remaining {
        edits.extend(removal.iter().cloned());
    }
    let removed_ranges: Vec<TextRange> = edits.iter().map(|edit| edit.range).collect();
    let package_edits = apt.edits.iter().filter(|(at, _)| *at == index).map(|(_, edit)| edit.clone());
    edits.extend(package_edits.filter(|edit| !removed_ranges.iter().any(|range| range.contains(edit.range))));
    for (at, link) in chain.links.iter().enumerate() {
        let tool = link.program();
        if !gone(at) && is_build_tool(tool) && !comes_with(tool, base) {
            return Err(NotApplicable::because(format!("{tool} is used for more than installing packages")));
        }
    }
    let before_last = index < last;
    let changed = some_gone || !edits.is_empty();
    // What the author says of packages that mostly stay behind is said where they are.
    let named = chain.links.iter().map(|link| super::unneeded::packages(link).len()).sum::<usize>();
    let left = apt.edits.iter().filter(|(at, _)| *at == index).count();
    let of_build = left * 2 > named && before_last;
    let last_text = match remaining {
        None => None,
        Some(_) if installs || of_build => Some(sheet.bare_edited(index, &edits)),
        Some(_) => Some(sheet.edited(index, &edits)),
    };
    if index > last {
        // Nothing more is installed: only the last stage needs it.
        return Ok(Part::Split { build: None, last: last_text, fetches: false });
    }
    if !changed {
        return Ok(Part::Both);
    }
    let build = if serves || of_build || last_text.is_none() { sheet.body(index) } else { sheet.bare(index) };
    Ok(Part::Split { build: Some(build), last: last_text, fetches: installs })
}

/// Whether a WORKDIR makes a directory that was removed again, after another one was gone to.
fn left_again(sheet: &Sheet<'_>, places: &[Place], index: usize, gone: &[String]) -> bool {
    let Some(here) = places.get(index + 1).and_then(|place| place.workdir.as_deref()) else { return false };
    let later = sheet
        .instructions()
        .skip(index + 1)
        .any(|(_, later)| matches!(&later.kind, Kind::Workdir(path) if path.starts_with('/')));
    later && gone.iter().any(|gone| here == gone || here.starts_with(&format!("{gone}/")))
}

/// Whether everything that a COPY brings was removed again.
fn copied_into(sheet: &Sheet<'_>, places: &[Place], index: usize, gone: &[String]) -> bool {
    let to = || {
        let copy = from_context(sheet.instruction(index)?)?;
        let place = places.get(index)?;
        let to = place.absolute(&place.expand(&copy.destination, sheet.file.escape)?)?;
        let file = copy.sources.first().filter(|_| copy.sources.len() == 1);
        let name = file.and_then(|source| source.trim_end_matches('/').rsplit('/').next()).map(str::to_owned);
        Some((name.map(|name| format!("{}/{name}", to.trim_end_matches('/'))), to))
    };
    to().is_some_and(|(inside, to)| {
        let covers = |path: &str| {
            gone.iter().any(|gone| path == gone || path.starts_with(&format!("{}/", gone.trim_end_matches('/'))))
        };
        covers(&to) || inside.is_some_and(|path| covers(&path))
    })
}

/// Whether what a COPY of the first stage brings is in a product.
fn comes_along(sheet: &Sheet<'_>, places: &[Place], index: usize, products: &BTreeSet<String>) -> bool {
    let to = || {
        let copy = from_context(sheet.instruction(index)?)?;
        let place = places.get(index)?;
        place.absolute(&place.expand(&copy.destination, sheet.file.escape)?)
    };
    to().is_some_and(|to| products.iter().any(|path| to == *path || to.starts_with(&format!("{path}/"))))
}

/// Whether a COPY of the whole context after the last installation brings the same files to the same place.
fn copied_again(sheet: &Sheet<'_>, places: &[Place], index: usize, last: usize) -> bool {
    let into = |index: usize| {
        let copy = from_context(sheet.instruction(index)?)?;
        let plain = copy.chown.is_none() && copy.chmod.is_none() && copy.exclude.is_empty();
        let to = places.get(index)?.expand(&copy.destination, sheet.file.escape)?;
        let to = places.get(index)?.absolute(&to)?;
        plain.then_some((copy, to))
    };
    let Some((copy, to)) = into(index) else { return false };
    let folder = copy.destination.ends_with(['/', '.']) || copy.sources.len() > 1;
    // Names that stay the same: files of the context's top, copied into a folder.
    let at_the_top = copy.sources.iter().all(|source| {
        let path = plimsoll_analyzer::context::clean(source);
        !path.is_empty() && !path.contains('/')
    });
    let named =
        copy.sources.len() == 1 && copy.sources.iter().all(|source| to.rsplit('/').next() == Some(source.as_str()));
    sheet.instructions().skip(last + 1).any(|(later, _)| {
        into(later).is_some_and(|(whole, target)| {
            let all = whole.sources.iter().all(|source| plimsoll_analyzer::context::clean(source).is_empty());
            let same = if folder {
                target == to
            } else {
                named
                    && to.strip_suffix(&format!("/{}", copy.sources.first().map_or("", |s| s.as_str())))
                        == Some(target.as_str())
            };
            all && at_the_top && same
        })
    })
}

/// Whether the last stage's base brings the program along.
fn comes_with(program: &str, base: &BaseImage) -> bool {
    match base.kind {
        BaseKind::Python => matches!(program, "pip" | "pip3"),
        BaseKind::Node => matches!(program, "npm" | "npx" | "yarn"),
        BaseKind::Ruby => matches!(program, "gem" | "bundle" | "bundler"),
        _ => false,
    }
}

/// A word of a RUN that cannot be taken apart which makes it matter here.
fn suspicious(text: &str, base: &BaseImage) -> Option<String> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || "+._-".contains(c)));
    words
        .filter(|word| matches!(*word, "apt-get" | "apt" | "aptitude" | "gem" | "bundle") || is_build_tool(word))
        .find(|word| !comes_with(word, base) || *word == "pip")
        .map(str::to_owned)
}

/// Whether a RUN, COPY or WORKDIR after `index` and up to `last` names the variable.
fn mentioned_later(sheet: &Sheet<'_>, index: usize, last: usize, name: &str) -> bool {
    sheet.instructions().filter(|(at, _)| *at > index && *at <= last).any(|(at, _)| {
        let text = sheet.bare(at);
        text.contains(&format!("${name}")) || text.contains(&format!("${{{name}"))
    })
}

/// What a command form says, in one line.
pub(crate) fn command_line(command: &Command<'_>) -> String {
    match command {
        Command::Shell(text) => text.text.to_string(),
        Command::Exec { words, .. } => words.iter().map(plimsoll_parser::Text::as_str).collect::<Vec<_>>().join(" "),
    }
}

/// The sources a COPY takes from the context.
pub(super) fn from_context<'i, 's>(instruction: &'i Instruction<'s>) -> Option<&'i Copy<'s>> {
    match &instruction.kind {
        Kind::Copy(copy) | Kind::Add(copy) if copy.from.is_none() => Some(copy),
        _ => None,
    }
}
