//! javac, jar, Maven and Gradle: what they make goes on, the development kit stays.

use super::{Around, Does, Ecosystem, Prelude, command_line};
use crate::bases::{BaseImage, BaseKind};
use crate::chain::{Chain, Link, dialects};
use crate::moves::{ConfigChange, ConfigField, NotApplicable};
use crate::sheet::Sheet;
use plimsoll_parser::syntax::Kind;
use std::collections::BTreeSet;

pub(super) struct Kit;

impl Ecosystem for Kit {
    fn does(&self, link: &Link, around: &Around<'_>) -> Result<Does, NotApplicable> {
        let args: Vec<&str> = link.args().iter().map(|word| word.text.as_str()).collect();
        match link.program() {
            // A folder for what is compiled comes along with it.
            "mkdir" if args.iter().all(|arg| arg.starts_with('-') || use_of(arg, around).compiled_into) => {
                Ok(Does::Serves)
            }
            "javac" => {
                let into = args.iter().position(|arg| *arg == "-d").and_then(|at| args.get(at + 1));
                // Without a folder of their own, classes lie beside their sources.
                let into = into.copied().unwrap_or(".");
                if use_of(into, around).packed_and_started { Ok(Does::Serves) } else { path(into, around) }
            }
            "jar" => {
                let flags = args.first().copied().unwrap_or_default();
                let creates = flags.trim_start_matches('-').starts_with('c') || args.contains(&"--create");
                if !creates {
                    return Ok(Does::Other);
                }
                let file = match args.iter().position(|arg| matches!(*arg, "-f" | "--file")) {
                    Some(at) => args.get(at + 1).copied(),
                    None => args.iter().find_map(|arg| arg.strip_prefix("--file=")).or_else(|| {
                        flags.contains('f').then(|| args.iter().find(|arg| is_archive(arg)).copied()).flatten()
                    }),
                };
                let file = file.ok_or_else(|| NotApplicable::because("where jar writes to is not known"))?;
                path(file, around)
            }
            "mvn" | "mvnw" => {
                let makes = args.iter().any(|arg| matches!(*arg, "package" | "install" | "verify" | "compile"));
                if makes { path("target", around) } else { Ok(Does::Serves) }
            }
            "gradle" | "gradlew" => {
                let makes = args.iter().any(|arg| {
                    let task = arg.rsplit(':').next().unwrap_or_default();
                    matches!(task, "build" | "assemble" | "jar" | "bootJar" | "shadowJar" | "installDist")
                });
                if makes { path("build", around) } else { Ok(Does::Serves) }
            }
            "ant" => Err(NotApplicable::because("where ant writes to is its own configuration's choice")),
            _ => Ok(Does::Other),
        }
    }

    fn prelude(&self, _products: &BTreeSet<String>, _around: &Around<'_>) -> Prelude {
        Prelude::default()
    }
    fn implied(&self, _package: &str) -> Option<&'static str> {
        None
    }
    fn behind(&self, link: &Link, around: &Around<'_>) -> Vec<String> {
        let folders = link.args().iter().filter(|word| use_of(&word.text, around).packed_and_started);
        let paths = folders.filter_map(|word| around.place.absolute(&word.text));
        paths.flat_map(|path| [path.clone(), format!("{path}/**")]).collect()
    }
    fn comment(&self) -> &'static str {
        "what was compiled; the development kit stays behind"
    }
    fn variables(&self) -> &'static [&'static str] {
        &["JAVA_", "MAVEN_", "GRADLE_"]
    }

    fn last_base(&self, base: &BaseImage, available: &dyn Fn(&str) -> bool) -> Option<String> {
        if base.kind != BaseKind::Java {
            return base.slimmest(available);
        }
        run_times(base).into_iter().find(|name| available(name))
    }

    fn base_changes(&self, base: &BaseImage) -> Vec<ConfigChange> {
        if base.kind != BaseKind::Java {
            return Vec::new();
        }
        let why = "of the kit's image; the run time has its own";
        ["JAVA_HOME", "JAVA_VERSION", "MAVEN_HOME", "MAVEN_CONFIG", "GRADLE_HOME", "GRADLE_VERSION", "PATH", "LANG"]
            .iter()
            .map(|name| ConfigChange { field: ConfigField::Env, key: Some((*name).to_owned()), why: why.to_owned() })
            .chain([ConfigField::Cmd, ConfigField::Entrypoint].map(|field| ConfigChange {
                field,
                key: None,
                why: why.to_owned(),
            }))
            .collect()
    }

    fn objection(&self, sheet: &Sheet<'_>, products: &BTreeSet<String>) -> Option<String> {
        if products.contains("/") {
            return Some("it is compiled in the root directory".to_owned());
        }
        let builders = ["mvn", "mvnw", "gradle", "gradlew", "javac", "jshell"];
        sheet.instructions().find_map(|(_, instruction)| match &instruction.kind {
            Kind::Cmd(command) | Kind::Entrypoint(command) => {
                let line = command_line(command);
                let how = line.split([' ', '/', '"']).find(|word| builders.contains(word))?.to_owned();
                Some(format!("the program is built when it starts ({how})"))
            }
            _ => None,
        })
    }
}

/// `eclipse-temurin:17-jdk` → `eclipse-temurin:17-jre`; `maven:3.9-eclipse-temurin-17` → `eclipse-temurin:17-jre`
fn run_times(base: &BaseImage) -> Vec<String> {
    let version = |text: &str| -> Option<String> {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        (!digits.is_empty()).then_some(digits)
    };
    let temurin = |version: Option<String>| version.map(|version| format!("eclipse-temurin:{version}-jre"));
    let repository = base.repository.rsplit('/').next().unwrap_or_default();
    let found = match repository {
        "eclipse-temurin" => {
            let jdk =
                base.tag.contains("jdk").then(|| format!("{}:{}", base.repository, base.tag.replace("jdk", "jre")));
            return jdk.into_iter().chain(temurin(version(&base.tag))).collect();
        }
        "openjdk" | "amazoncorretto" => temurin(version(&base.tag)),
        // The version of Java stands at the end: `3.9-eclipse-temurin-17`, `8-jdk17`, `3-openjdk-11-slim`.
        _ => temurin(
            ["temurin-", "openjdk-", "jdk", "corretto-"]
                .iter()
                .find_map(|mark| version(base.tag.get(base.tag.find(mark)? + mark.len()..)?)),
        ),
    };
    found.into_iter().collect()
}

/// What becomes of a folder.
#[derive(Default)]
struct Use {
    compiled_into: bool,
    /// All of it goes into an archive, and that is what the image starts.
    packed_and_started: bool,
}

fn use_of(folder: &str, around: &Around<'_>) -> Use {
    let sheet = Sheet::of(&around.input.files.dockerfile);
    let dialects = dialects(&sheet.file.instructions);
    let same = |word: &str| {
        word.trim_start_matches("./").trim_end_matches('/') == folder.trim_start_matches("./").trim_end_matches('/')
    };
    let (mut found, mut packed, mut started) = (Use::default(), false, false);
    for (index, instruction) in sheet.instructions() {
        if let Kind::Cmd(command) | Kind::Entrypoint(command) = &instruction.kind {
            let line = command_line(command);
            started |= line.contains("-jar ") && !line.split([' ', ':', '/']).any(same);
        }
        let chain = Chain::of(instruction, dialects.get(index).copied().unwrap_or_default());
        for link in chain.iter().flat_map(|chain| &chain.links) {
            let follows = |flag: &str| {
                link.words
                    .windows(2)
                    .any(|pair| matches!(pair, [first, second] if first.text == flag && same(&second.text)))
            };
            found.compiled_into |= link.program() == "javac" && follows("-d");
            packed |=
                link.program() == "jar" && follows("-C") && link.words.last().is_some_and(|word| word.text == ".");
        }
    }
    found.packed_and_started = packed && started;
    found
}

fn is_archive(arg: &str) -> bool {
    [".jar", ".war", ".ear"].iter().any(|end| arg.ends_with(end))
}

fn path(path: &str, around: &Around<'_>) -> Result<Does, NotApplicable> {
    let path = around.place.absolute(path);
    path.map(|path| Does::Installs(vec![path]))
        .ok_or_else(|| NotApplicable::because("where the compiler writes to is not known"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_times_of_kits() {
        let of = |image: &str| run_times(&BaseImage::of(image).expect("a name"));
        assert_eq!(of("eclipse-temurin:17-jdk-jammy"), ["eclipse-temurin:17-jre-jammy", "eclipse-temurin:17-jre"]);
        assert_eq!(of("maven:3.9-eclipse-temurin-21"), ["eclipse-temurin:21-jre"]);
        assert_eq!(of("gradle:8-jdk17"), ["eclipse-temurin:17-jre"]);
        assert_eq!(of("openjdk:11"), ["eclipse-temurin:11-jre"]);
        assert!(of("maven:latest").is_empty());
    }
}
