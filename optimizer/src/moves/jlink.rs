//! A run time of Java with the modules that the program needs, in the place of a whole one.

use super::two_stage::command_line;
use super::unneeded::packages;
use super::{ConfigChange, ConfigField, Input, Move, NotApplicable, Step, system_paths};
use crate::apply::{Level, splice};
use crate::bases::{BaseImage, BaseKind};
use crate::chain::{Chain, dialects};
use crate::files::Files;
use crate::place::places;
use crate::sheet::Sheet;
use plimsoll_parser::Edit;
use plimsoll_parser::syntax::Kind;

/// `default-jre-headless` in the last stage → `jlink` in the first.
pub(crate) struct Modules;

/// What programs find by name while they run, so that no analysis of their classes shows it: loggers, directories, beans,
/// encodings, elliptic curves, languages, and file systems in archives.
const FOUND_BY_NAME: &str =
    "java.logging,java.management,java.naming,jdk.charsets,jdk.crypto.ec,jdk.localedata,jdk.unsupported,jdk.zipfs";
/// Where it goes.
const HOME: &str = "/opt/java";

impl Move for Modules {
    fn name(&self) -> &'static str {
        "java-modules"
    }
    fn title(&self) -> &'static str {
        "a run time of the modules it needs"
    }
    fn explain(&self) -> &'static str {
        "jdeps says which modules of Java the classes name, and jlink makes a run time of these and of those that are found \
         by name: loggers, encodings, languages, elliptic curves. Relies on the program loading no other module by name."
    }
    fn level(&self) -> Level {
        Level::Unsafe
    }
    fn apply(&self, input: &Input<'_>) -> Result<Step, NotApplicable> {
        let sheet = Sheet::of(&input.files.dockerfile);
        if let Some(error) = sheet.file.errors.first() {
            return Err(NotApplicable::because(format!("the file does not parse: {}", error.message)));
        }
        let stages = sheet.stages();
        let [first, from] = stages.as_slice() else {
            return Err(NotApplicable::because("there is no first stage that has the development kit"));
        };
        let (first, from) = (*first, *from);
        let base = |at: usize| match sheet.instruction(at).map(|instruction| &instruction.kind) {
            Some(Kind::From(written)) => {
                BaseImage::of(&crate::place::image_of(&sheet.file, &written.image)).ok().map(|base| (base, written))
            }
            _ => None,
        };
        let (Some((kit, build)), Some((last, _))) = (base(first), base(from)) else {
            return Err(NotApplicable::because("the stages stand on images that are not known"));
        };
        if kit.kind != BaseKind::Debian || last.kind != BaseKind::Debian {
            return Err(NotApplicable::because("the run time of Java is not one of Debian's packages"));
        }
        let Some(stage) = build.name.as_ref().map(|name| name.as_str().to_owned()) else {
            return Err(NotApplicable::because("the first stage has no name"));
        };
        if !installs(&sheet, first..from, &|name| is_kit(name)) {
            return Err(NotApplicable::because("no kit of Java is installed in the first stage"));
        }
        let manifests = ["pom.xml", "build.gradle", "build.gradle.kts"];
        if manifests.iter().any(|name| (input.read)(name).is_some_and(|text| text.contains("spring-boot"))) {
            return Err(NotApplicable::because("the archive holds archives, whose modules jdeps does not see"));
        }
        let places = places(&sheet.file, input.base);
        let (mut analysed, mut fetch) = (Vec::new(), None);
        for (index, instruction) in sheet.instructions().skip(from + 1) {
            match &instruction.kind {
                Kind::Copy(copy) if copy.from.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&stage)) => {
                    fetch = Some(index);
                    for source in &copy.sources {
                        let source = source.as_str();
                        analysed.push(match source.ends_with(".jar") {
                            true => source.to_owned(),
                            false => format!("{source} $(find {source} -name '*.jar')"),
                        });
                    }
                }
                Kind::Cmd(command) | Kind::Entrypoint(command) if command_line(command).contains("/usr/") => {
                    return Err(NotApplicable::because("the program is started by a path of the distribution"));
                }
                _ => {}
            }
        }
        let fetch = fetch.ok_or_else(|| NotApplicable::because("nothing goes on from the first stage"))?;
        let jars = input.listing.entries().iter().any(|entry| entry.path.ends_with(".jar"));
        let workdir = places.get(fetch).and_then(|place| place.workdir.clone()).filter(|path| path != "/");
        match (jars, workdir) {
            (true, Some(folder)) => analysed.push(format!("$(find {folder} -name '*.jar')")),
            (true, None) => return Err(NotApplicable::because("where archives of the context go is not known")),
            _ => {}
        }
        if installs(&sheet, from..sheet.file.instructions.len(), &|name| {
            name.starts_with("lib") && name.ends_with("-java")
        }) {
            // Packages of libraries, which both stages have.
            analysed.push("$(find /usr/share/java -name '*.jar')".to_owned());
        }
        let mut edits = Vec::new();
        let dialects = dialects(&sheet.file.instructions);
        for (index, instruction) in sheet.instructions().skip(from + 1) {
            let Some(chain) = Chain::of(instruction, dialects.get(index).copied().unwrap_or_default()) else {
                continue;
            };
            let before = edits.len();
            for link in chain.links.iter().filter(|link| is_install(link)) {
                let names = packages(link).into_iter().filter_map(|at| link.words.get(at));
                // The one library that Debian's Java takes from the distribution.
                edits.extend(
                    names.filter(|word| is_run_time(&word.text)).map(|word| Edit::replace(word.range, "zlib1g")),
                );
            }
            if edits.len() > before {
                let manual = |at: usize| {
                    chain.links.get(at).is_some_and(|link| {
                        link.program() == "mkdir"
                            && link
                                .args()
                                .iter()
                                .all(|word| word.text == "-p" || word.text.starts_with("/usr/share/man"))
                    })
                };
                edits.extend(chain.without(&manual).unwrap_or_default());
            }
        }
        if edits.is_empty() {
            return Err(NotApplicable::because("no run time of Java is installed in the last stage"));
        }
        let analysed = match analysed.as_slice() {
            [one] => one.clone(),
            several => format!("\\\n            {}", several.join(" \\\n            ")),
        };
        let end = sheet.instruction(from - 1).map_or(0, |instruction| instruction.range.end);
        edits.push(Edit::insert(
            end,
            format!(
                "\n# A run time of the modules that the classes name, and of those that are found by name: loggers, encodings,\n\
                 # languages, elliptic curves.\n\
                 RUN modules=$(jdeps --ignore-missing-deps --multi-release base --print-module-deps {analysed}) \\\n\
                 \x20   && jlink --no-header-files --no-man-pages --compress 2 --output {HOME} \\\n\
                 \x20       --add-modules \"$modules,{FOUND_BY_NAME}\" \\\n\
                 \x20   && cp --dereference /etc/ssl/certs/java/cacerts {HOME}/lib/security/cacerts",
            ),
        ));
        let fetched = sheet.instruction(fetch).map_or(0, |instruction| instruction.range.end);
        edits.push(Edit::insert(fetched, format!("\nCOPY --from={stage} {HOME} {HOME}\nENV PATH={HOME}/bin:$PATH")));
        edits.sort_by_key(|edit| edit.range);
        Ok(Step {
            may_change: system_paths(),
            config_changes: vec![ConfigChange {
                field: ConfigField::Env,
                key: Some("PATH".to_owned()),
                why: "the run time has a folder of its own".to_owned(),
            }],
            notes: vec![format!(
                "modules that a program loads by name alone: {FOUND_BY_NAME}; add others to --add-modules"
            )],
            ..Step::of(Files {
                dockerfile: splice(&input.files.dockerfile, &edits),
                dockerignore: input.files.dockerignore.clone(),
            })
        })
    }
}

fn is_install(link: &crate::chain::Link) -> bool {
    matches!(link.program(), "apt-get" | "apt") && link.verb() == "install"
}

fn is_kit(name: &str) -> bool {
    name.starts_with("default-jdk")
        || name.starts_with("openjdk-") && name.contains("-jdk")
        || matches!(name, "maven" | "gradle")
}

fn is_run_time(name: &str) -> bool {
    name == "default-jre-headless" || name.starts_with("openjdk-") && name.ends_with("-jre-headless")
}

fn installs(sheet: &Sheet<'_>, stage: std::ops::Range<usize>, wanted: &dyn Fn(&str) -> bool) -> bool {
    let dialects = dialects(&sheet.file.instructions);
    stage.filter_map(|index| Chain::of(sheet.instruction(index)?, dialects.get(index).copied()?)).any(|chain| {
        let installs = chain.links.iter().filter(|link| is_install(link));
        installs
            .flat_map(|link| packages(link).into_iter().filter_map(|at| link.words.get(at)))
            .any(|word| wanted(&word.text))
    })
}
