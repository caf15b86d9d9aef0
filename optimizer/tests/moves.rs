//! What each move writes in small, and where it refuses.

use plimsoll_analyzer::context::{Entry, Listing};
use plimsoll_optimizer::Files;
use plimsoll_optimizer::moves::{self, Input, Step};

/// Applies one move to a Dockerfile in a context of these files; an error is the reason.
fn apply(name: &str, dockerfile: &str, context: &[(&str, &str)]) -> Result<Step, String> {
    let mut entries: Vec<Entry> = Vec::new();
    for (path, text) in context {
        entries.extend(path.match_indices('/').map(|(at, _)| Entry::dir(&path[..at])));
        entries.push(Entry::file(*path, text.len() as u64));
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries.dedup_by(|a, b| a.path == b.path);
    let listing = Listing::new(entries);
    let read = |path: &str| context.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
    let ignore = read(".dockerignore");
    let files = Files { dockerfile: dockerfile.to_owned(), dockerignore: ignore };
    let input =
        Input { files: &files, listing: &listing, read: &read, available: &|_| true, base: &|_| None, made: &|_| None };
    let found = moves::find(name).expect("a move of that name");
    found.apply(&input).map_err(|reason| reason.to_string())
}

fn refuses(name: &str, dockerfile: &str, context: &[(&str, &str)], why: &str) {
    match apply(name, dockerfile, context) {
        Ok(step) => panic!("{name} should refuse ({why}), but wrote:\n{}", step.files.dockerfile),
        Err(reason) => assert!(reason.contains(why), "{name} refuses because of {reason:?}, not {why:?}"),
    }
}

#[test]
fn the_ignore_file_names_what_is_there_and_keeps_what_is_asked_for() {
    let context = [
        (".git/HEAD", "x"),
        ("app/__pycache__/m.cpython-311.pyc", "x"),
        ("app/m.py", "x"),
        ("node_modules/a/index.js", "x"),
        ("package.json", "{}"),
        (".dockerignore", "# mine\n*.log\n"),
    ];
    let step = apply("dockerignore", "FROM node:18\nCOPY . /app\nRUN npm ci\n", &context).expect("applies");
    assert_eq!(
        step.files.dockerignore.as_deref(),
        Some(
            "# mine\n*.log\n\n# version control\n.git\n\n# the build's own files\n.dockerignore\n\n# made anew by whatever runs\n\
             **/__pycache__\n\n# installed by the build\nnode_modules\n"
        )
    );
    let step = apply("dockerignore", "FROM node:18\nCOPY . /app\n", &context).expect("applies");
    assert!(!step.files.dockerignore.expect("a file").contains("node_modules"), "nothing would install them");
    let step = apply("dockerignore", "FROM x\nCOPY . /app\nRUN git describe > /version\n", &context).expect("applies");
    assert!(!step.files.dockerignore.expect("a file").contains(".git\n"), "git is asked");
    let step = apply("dockerignore", "FROM x\nCOPY .git/HEAD /version\n", &context).expect("applies");
    assert!(!step.files.dockerignore.expect("a file").contains(".git\n"), "copied by name");
    let context = [(".git/HEAD", "x"), (".dockerignore", "*\n!.git\n")];
    refuses("dockerignore", "FROM x\nCOPY . /\n", &context, "nothing that a build does without");
}

#[test]
fn sources_go_behind_what_reads_only_manifests() {
    let context = [("requirements.txt", "flask==3.0.3\n"), ("app.py", "")];
    let step = apply(
        "sources-last",
        "FROM python:3.11\nWORKDIR /app\n# all of it\nADD . /app\n\nRUN pip install -r /app/requirements.txt\n\nCMD [\"python\", \"app.py\"]\n",
        &context,
    );
    assert_eq!(
        step.expect("applies").files.dockerfile,
        "FROM python:3.11\nWORKDIR /app\n\nCOPY requirements.txt ./\nRUN pip install -r /app/requirements.txt\n\n# all of it\nADD . /app\n\n\
         CMD [\"python\", \"app.py\"]\n"
    );
    // Manifests keep their folders.
    let context = [
        ("requirements.txt", "flask==3.0.3\n"),
        ("requirements/base.txt", "redis\n"),
        ("requirements/dev.txt", "pytest\n"),
    ];
    let lists = "RUN pip install -r requirements/dev.txt -r requirements.txt -c requirements/base.txt\n";
    for (head, into) in [("WORKDIR /app\n", "."), ("WORKDIR /app/requirements\n", "/app")] {
        let lists =
            if into == "." { lists.to_owned() } else { lists.replace("-r ", "-r /app/").replace("-c ", "-c /app/") };
        let step = apply("sources-last", &format!("FROM python:3.11\n{head}COPY . /app\n{lists}"), &context);
        assert_eq!(
            step.expect("applies").files.dockerfile,
            format!(
                "FROM python:3.11\n{head}COPY requirements.txt {into}/\n\
                 COPY requirements/base.txt requirements/dev.txt {into}/requirements/\n{lists}\nCOPY . /app\n"
            )
        );
    }
    let file = "FROM python:3.11\nCOPY . /app\nWORKDIR /app\nRUN pip install -r requirements.txt\n";
    refuses("sources-last", file, &[("requirements.txt", "-e .\n")], "may need the sources");
    refuses("sources-last", file, &[("requirements.txt", "-r more.txt\n")], "may need the sources");
    refuses("sources-last", file, &[("requirements.txt", "./vendored\n")], "may need the sources");
    let node = "FROM node:18\nWORKDIR /app\nCOPY . .\nRUN npm ci\n";
    let manifest = ("package.json", "{\"scripts\": {\"start\": \"node .\"}}");
    let step = apply("sources-last", node, &[manifest, ("package-lock.json", "{}")]).expect("applies");
    assert!(
        step.files.dockerfile.contains("COPY package-lock.json package.json ./\nRUN npm ci\n\nCOPY . .\n"),
        "{}",
        step.files.dockerfile
    );
    refuses(
        "sources-last",
        node,
        &[("package.json", "{\"scripts\": {\"postinstall\": \"x\"}}")],
        "may need the sources",
    );
    refuses("sources-last", "FROM x\nCOPY . /app\nRUN make -C /app\n", &[], "may need the sources");
    refuses(
        "sources-last",
        "FROM x\nCOPY . /app\nRUN apt-get update; apt-get install -y x\n",
        &[],
        "may need the sources",
    );
}

#[test]
fn a_slimmer_base_where_the_name_tells_one() {
    let step = apply("slimmer-base", "# head\nFROM  python:3.11  AS web\nRUN true\n", &[]).expect("applies");
    assert_eq!(step.files.dockerfile, "# head\nFROM  python:3.11-slim  AS web\nRUN true\n");
    assert_eq!(step.title.as_deref(), Some("python:3.11-slim as base"));
    let step = apply("slimmer-base", "ARG V=3.11\nFROM python:$V\n", &[]).expect("applies");
    assert_eq!(step.files.dockerfile, "ARG V=3.11\nFROM python:$V-slim\n", "the variable stays");
    refuses("slimmer-base", "FROM python:3.11-alpine\n", &[], "no smaller variant");
}

const PYTHON: &str = "FROM debian:bookworm
RUN apt-get update && apt-get install -y --no-install-recommends \\
        build-essential \\
        libpq-dev \\
        python3-dev python3-pip \\
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.txt ./
# the libraries
RUN pip3 install --no-cache-dir --break-system-packages -r requirements.txt
COPY . .
USER 1000
CMD [\"python3\", \"app.py\"]
";

#[test]
fn what_installs_stays_in_the_first_stage() {
    let context = [("requirements.txt", "psycopg2==2.9\n"), ("app.py", "")];
    let step = apply("two-stage-python", PYTHON, &context).expect("applies");
    assert_eq!(
        step.files.dockerfile,
        "FROM debian:bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends \\
        build-essential \\
        libpq-dev \\
        python3-dev python3-pip \\
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.txt ./
# the libraries
RUN pip3 install --no-cache-dir --break-system-packages -r requirements.txt

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \\
        libpq5 \\
        python3 \\
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
# what pip installed; pip itself stays behind
COPY --from=build /usr/local /usr/local
COPY . .
USER 1000
CMD [\"python3\", \"app.py\"]
"
    );
    let again = apply("two-stage-python", &step.files.dockerfile, &context);
    assert!(again.is_err(), "once is enough");
}

#[test]
fn the_file_of_an_option_is_no_package() {
    let file = "FROM python:3.11\nRUN apt-get update && apt-get install -y --config-file /tmp/apt.conf gcc\nWORKDIR /app\n\
                COPY . .\nRUN pip install -r requirements.txt\nCMD [\"python\", \"app.py\"]\n";
    let step = apply("two-stage-python", file, &[("requirements.txt", "flask==3.0.3\n")]).expect("applies");
    let (first, last) = step.files.dockerfile.split_once("\n\n").expect("two stages");
    assert!(first.contains("--config-file /tmp/apt.conf gcc") && !last.contains("apt-get"), "{first}\n{last}");
}

#[test]
fn a_virtual_environment_where_the_image_brings_python() {
    let file = "FROM python:3.11\nWORKDIR /app\nCOPY requirements.txt ./\nRUN pip install -r requirements.txt\nCOPY . .\nCMD [\"flask\", \"run\"]\n";
    let step = apply("two-stage-python", file, &[("requirements.txt", "flask\n")]).expect("applies");
    assert_eq!(
        step.files.dockerfile,
        "FROM python:3.11 AS build
# an environment of its own, so that everything pip installs is in one place
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
COPY requirements.txt ./
RUN pip install -r requirements.txt

FROM python:3.11-slim
WORKDIR /app
# what pip installed; pip itself stays behind
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY . .
CMD [\"flask\", \"run\"]
"
    );
    assert_eq!(step.config_changes.len(), 1);
    let by_path = file.replace("\"flask\", \"run\"", "\"/usr/local/bin/python\", \"app.py\"");
    refuses("two-stage-python", &by_path, &[("requirements.txt", "flask\n")], "called by its path");
}

#[test]
fn second_stages_are_refused_where_certainty_lacks() {
    let two = |middle: &str| format!("FROM debian:bookworm\n{middle}\nRUN pip3 install flask\nCMD [\"python3\"]\n");
    let refuses = |middle: &str, why: &str| refuses("two-stage-python", &two(middle), &[], why);
    refuses("RUN apt-get update; apt-get install -y python3-pip", "more than commands joined by &&");
    refuses("RUN apt-get install -y python3-pip || true", "more than commands joined by &&");
    refuses("RUN apt-get install -y $PACKAGES", "hides which packages");
    refuses("RUN apt-get install -y python3-pip gcc make && make -C /src", "make is used");
    refuses("USER app", "another user than root");
    refuses("ONBUILD RUN x", "ONBUILD");
    refuses("RUN pip3 install -e .", "editable");
    refuses("COPY --from=busybox /bin/busybox /x", "another image");
    let file = "FROM debian:bookworm AS a\nRUN pip install x\nFROM debian:bookworm\nRUN pip install x\n";
    self::refuses("two-stage-python", file, &[], "several stages");
    let file = "FROM fedora:40\nRUN pip install x\n";
    self::refuses("two-stage-python", file, &[], "not known");
    let file = "FROM python:3.11-slim\nRUN pip install x\n";
    self::refuses("two-stage-python", file, &[], "nothing would stay behind");
}

#[test]
fn gems_and_modules_are_taken_from_a_first_stage() {
    let ruby = "FROM ruby:3.1\nRUN apt-get update && apt-get install -y build-essential\nENV APP_HOME /app\nRUN mkdir $APP_HOME\nWORKDIR $APP_HOME\n\
                ADD Gemfile* $APP_HOME/\nRUN bundle install\nADD . $APP_HOME\nENV DB_HOST db\nCMD [\"puma\"]\n";
    let step = apply("two-stage-ruby", ruby, &[("Gemfile", "")]).expect("applies");
    assert_eq!(
        step.files.dockerfile,
        "FROM ruby:3.1 AS build
RUN apt-get update && apt-get install -y build-essential
ENV APP_HOME /app
RUN mkdir $APP_HOME
WORKDIR $APP_HOME
ADD Gemfile* $APP_HOME/
RUN bundle install

FROM ruby:3.1-slim
ENV APP_HOME /app
RUN mkdir $APP_HOME
WORKDIR $APP_HOME
# the installed gems; compilers and headers stay behind
COPY --from=build /app/Gemfile.lock /app/Gemfile.lock
COPY --from=build /usr/local/bundle /usr/local/bundle
ADD . $APP_HOME
ENV DB_HOST db
CMD [\"puma\"]
"
    );
    let node = "FROM node:18\nWORKDIR /srv\nCOPY package*.json ./\nRUN npm ci --omit=dev\nCOPY . .\nCMD [\"node\", \"server.js\"]\n";
    let step = apply("two-stage-node", node, &[("package.json", "{}")]).expect("applies");
    assert!(step.files.dockerfile.contains("FROM node:18-slim\n"), "{}", step.files.dockerfile);
    assert!(step.files.dockerfile.contains("COPY --from=build /srv/node_modules /srv/node_modules\n"));
    let built =
        apply("two-stage-node", &node.replace("COPY . .", "COPY . .\nRUN npm run build"), &[]).expect("applies");
    assert!(built.files.dockerfile.ends_with(
        "\nFROM node:18-slim\nWORKDIR /srv\n# the installed modules; npm's cache and compilers stay behind\nCOPY --from=build /srv /srv\n\
         CMD [\"node\", \"server.js\"]\n"
    ), "{}", built.files.dockerfile);
}

#[test]
fn a_go_binary_takes_the_files_its_sources_name() {
    let file = "FROM golang:1.19\nWORKDIR /src\nCOPY . .\nRUN go build -o /usr/local/bin/web .\nEXPOSE 80\nENTRYPOINT [\"web\"]\n";
    let main =
        "package main\nfunc main() { template.ParseFiles(\"templates/base.html\"); os.ReadFile(\"./VERSION\") }\n";
    let context = [
        ("go.mod", "module example.com/web\n"),
        ("main.go", main),
        ("templates/base.html", "x"),
        ("VERSION", "1"),
        ("README.md", "x"),
        ("main_test.go", "package main\n// \"README.md\"\n"),
    ];
    let step = apply("two-stage-go", file, &context).expect("applies");
    assert_eq!(
        step.files.dockerfile,
        "FROM golang:1.19 AS build
WORKDIR /src
COPY . .
# static and without symbols, since the last image has no libraries and no debugger
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /usr/local/bin/web .

FROM gcr.io/distroless/static-debian12:latest
WORKDIR /src
COPY --from=build /usr/local/bin/web /usr/local/bin/web
# what the program reads from its directory while it runs
COPY VERSION /src/VERSION
COPY templates /src/templates
EXPOSE 80
ENTRYPOINT [\"web\"]
"
    );
    let with_c = [("main.go", "package main\nimport \"C\"\n")];
    refuses("two-stage-go", file, &with_c, "linked with C");
    refuses("two-stage-go", file, &[("main.go", "import \"os/exec\"")], "starts other programs");
    refuses("two-stage-go", file, &[], "could be read");
    refuses("two-stage-go", &file.replace("RUN go build", "RUN cd x; go build"), &context, "more than commands");
    refuses("two-stage-go", &file.replace("-o /usr/local/bin/web .", "-o $OUT ."), &context, "hides");
}

#[test]
fn compilers_stay_behind() {
    let file = "FROM debian:bookworm\nRUN apt-get update && apt-get install -y build-essential libssl-dev\nWORKDIR /src\nCOPY . .\n\
                RUN gcc -O2 -o /usr/local/bin/web web.c -lssl\nCMD [\"web\"]\n";
    let step = apply("two-stage-compiled", file, &[("web.c", "")]).expect("applies");
    assert!(step.files.dockerfile.ends_with(
        "FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y libssl3\nWORKDIR /src\nCOPY . .\n\
         # what was compiled; compilers and headers stay behind\nCOPY --from=build /usr/local/bin/web /usr/local/bin/web\nCMD [\"web\"]\n"
    ), "{}", step.files.dockerfile);
    let step = apply(
        "two-stage-compiled",
        &file.replace("gcc -O2 -o /usr/local/bin/web web.c -lssl", "make && make install"),
        &[],
    );
    assert!(step.expect("applies").files.dockerfile.ends_with(
        "WORKDIR /src\n# what was compiled; compilers and headers stay behind\nCOPY --from=build /src /src\nCOPY --from=build /usr/local /usr/local\nCMD [\"web\"]\n"
    ));
    let rust = "FROM rust:1.90\nWORKDIR /app\nCOPY . .\nRUN cargo build --release\nCMD [\"./target/release/web\"]\n";
    let step = apply("two-stage-compiled", rust, &[("Cargo.toml", "[package]\nname = \"web\"\n")]).expect("applies");
    assert!(
        step.files.dockerfile.ends_with(
            "FROM debian:trixie-slim\nWORKDIR /app\nCOPY . .\n# what was compiled; compilers and headers stay behind\n\
         COPY --from=build /app/target/release/web /app/target/release/web\nCMD [\"./target/release/web\"]\n"
        ),
        "{}",
        step.files.dockerfile
    );
    refuses(
        "two-stage-compiled",
        &rust.replace("./target/release/web", "cargo\", \"run"),
        &[("Cargo.toml", "[package]\nname = \"web\"\n")],
        "when it starts",
    );
    refuses(
        "two-stage-compiled",
        "FROM debian:bookworm\nRUN make DESTDIR=/x install\nCMD [\"x\"]\n",
        &[],
        "where make",
    );
}

#[test]
fn only_what_runs_wants_no_shell_and_two_stages() {
    let file = |tail: &str| {
        format!(
            "FROM debian:bookworm-slim AS build\nRUN true\nFROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y --no-install-recommends python3\n\
             COPY --from=build /usr/local /usr/local\nCOPY . /app\n{tail}"
        )
    };
    let good = file("CMD [\"python3\", \"/app/a.py\"]\n");
    let step = apply("only-what-runs", &good, &[("a.py", "import flask")]).expect("applies");
    let text = &step.files.dockerfile;
    assert!(text.contains("FROM debian:bookworm-slim AS runtime\n"), "{text}");
    assert!(text.contains("--no-enhances libstdc++6 python3 > /tmp/packages"), "{text}");
    assert!(text.ends_with(
        "FROM scratch\nCOPY --from=runtime /runtime /\nENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         COPY --from=build /usr/local /usr/local\nCOPY . /app\nCMD [\"python3\", \"/app/a.py\"]\n"
    ), "{text}");
    assert!(plimsoll_parser::parse(text).errors.is_empty());
    refuses("only-what-runs", &file("CMD python3 $APP\n"), &[], "needs a shell");
    refuses("only-what-runs", &file("RUN touch /a\nCMD [\"x\"]\n"), &[], "runs in the last stage");
    let home = apply("only-what-runs", &file("RUN useradd -rm app\nCMD [\"x\"]\n"), &[]).expect("applies");
    assert!(home.files.dockerfile.contains("C.utf8 /home/app --no-recursion"), "{}", home.files.dockerfile);
    refuses("only-what-runs", &good, &[("a.c", "int main(void) { return system(\"ls\"); }")], "starts other programs");
    let accounts = file("RUN useradd app && mkdir -p /data && chown app /data\nRUN ldconfig\nUSER app\nCMD [\"x\"]\n");
    let text = apply("only-what-runs", &accounts, &[]).expect("applies").files.dockerfile;
    assert!(text.contains("RUN true\nRUN ldconfig\n"), "the first stage lists its libraries: {text}");
    assert!(text.contains("COPY --from=build /etc/ld.so.cache /etc/ld.so.cache\nUSER app\n"), "{text}");
    assert!(text.contains("/etc/timezone /data \\\n"), "folders that are made go on: {text}");
    refuses("only-what-runs", &good, &[("a.py", "import subprocess")], "starts other programs");
    refuses("only-what-runs", &good, &[("run", "#!/bin/sh\nexec x")], "shell script");
    refuses(
        "only-what-runs",
        "FROM debian:bookworm-slim\nRUN apt-get install -y python3\nCMD [\"x\"]\n",
        &[],
        "nothing from a first one",
    );
}

#[test]
fn build_tools_leave_package_lists() {
    let step = apply(
        "unneeded-packages",
        "FROM ruby:3.1\nRUN apt-get update -qq && apt-get install -y build-essential\nRUN apt-get install -y curl \\\n    gcc \\\n    # why\n    make\nCMD [\"puma\"]\n",
        &[],
    );
    assert_eq!(
        step.expect("applies").files.dockerfile,
        "FROM ruby:3.1\nRUN apt-get install -y curl \\\n    # why\n    make\nCMD [\"puma\"]\n"
    );
    refuses("unneeded-packages", "FROM ruby:3.1\nRUN apt-get install -y gcc && gcc -o /x x.c\n", &[], "gcc is used");
    refuses("unneeded-packages", "FROM ruby:3.1\nRUN apt-get install -y curl\n", &[], "no build tool");
}

#[test]
fn tools_that_nothing_calls_leave_package_lists() {
    let file = "FROM debian:bookworm\nRUN apt-get update && apt-get install -y nginx vim \\\n    curl git && rm -rf /var/lib/apt/lists/*\nCMD [\"nginx\"]\n";
    let step = apply("unused-tools", file, &[("run.sh", "git pull"), ("README.md", "use curl")]).expect("applies");
    assert_eq!(
        step.files.dockerfile,
        "FROM debian:bookworm\nRUN apt-get update && apt-get install -y nginx git && rm -rf /var/lib/apt/lists/*\nCMD [\"nginx\"]\n"
    );
    assert_eq!(step.notes, ["nothing names them: vim, curl"]);
    let all = "FROM debian:bookworm\nRUN apt-get update && apt-get install -y nano less && rm -rf /var/lib/apt/lists/*\nCMD [\"ls\"]\n";
    let step = apply("unused-tools", all, &[]).expect("applies");
    assert_eq!(step.files.dockerfile, "FROM debian:bookworm\nCMD [\"ls\"]\n");
    let check = "FROM debian:bookworm\nRUN apt-get install -y curl\nHEALTHCHECK CMD curl -f localhost\n";
    refuses("unused-tools", check, &[], "named somewhere");
    let stages = "FROM debian:bookworm AS build\nRUN apt-get install -y gcc libpq-dev && gcc -o /x x.c\nFROM debian:bookworm\n\
                  RUN apt-get install -y gcc libpq-dev nginx\nCOPY --from=build /x /x\nCMD [\"/x\"]\n";
    let step = apply("unused-tools", stages, &[]).expect("applies");
    assert!(step.files.dockerfile.contains("RUN apt-get install -y libpq5 nginx\n"), "{}", step.files.dockerfile);
    assert!(step.files.dockerfile.contains("RUN apt-get install -y gcc libpq-dev && gcc"), "the first stage compiles");
}

#[test]
fn one_program_of_a_module_is_known_by_its_name() {
    let context =
        [("go.mod", "module example.com/tools/clock\n"), ("main.go", "package main\n"), ("lib/a.go", "package lib\n")];
    let file = "FROM golang:1.19\nWORKDIR /app\nCOPY . .\nRUN go install ./...\nCMD [\"clock\"]\n";
    let text = apply("two-stage-go", file, &context).expect("applies").files.dockerfile;
    assert!(text.contains("COPY --from=build /go/bin/clock /go/bin/clock\nENV PATH=/go/bin:$PATH\n"), "{text}");
    let two = [context.as_slice(), &[("cmd/x/main.go", "package main\n")]].concat();
    refuses("two-stage-go", file, &two, "where go build writes to is not known");
}

#[test]
fn modules_of_java_are_those_of_all_archives() {
    let file = "FROM debian:bookworm-slim AS build\nRUN apt-get install -y openjdk-17-jdk libgson-java\nRUN jar cf /app.jar .\n\
                FROM debian:bookworm-slim\nRUN mkdir -p /usr/share/man/man1 && apt-get install -y openjdk-17-jre-headless libgson-java\n\
                COPY --from=build /app.jar /app.jar\nCMD [\"java\", \"-jar\", \"/app.jar\"]\n";
    let text = apply("java-modules", file, &[]).expect("applies").files.dockerfile;
    assert!(
        text.contains("            /app.jar \\\n            $(find /usr/share/java -name '*.jar')) \\\n"),
        "{text}"
    );
    assert!(text.contains("RUN apt-get install -y zlib1g libgson-java\n"), "{text}");
    assert!(text.contains("COPY --from=build /opt/java /opt/java\nENV PATH=/opt/java/bin:$PATH\n"), "{text}");
    refuses("java-modules", file, &[("pom.xml", "spring-boot")], "does not see");
    refuses("java-modules", &file.replace("\"java\"", "\"/usr/bin/java\""), &[], "by a path of the distribution");
    refuses("java-modules", &file.replace("-jre-headless", "-jre"), &[], "no run time of Java");
}

#[test]
fn what_is_purged_is_installed_in_the_same_layer() {
    let file = "FROM debian:bookworm-slim\n\n# for now\nRUN apt-get update && apt-get install -y gcc\nCOPY a.c /a.c\n# the program\nRUN gcc -o /usr/bin/a /a.c\n\
                RUN apt-get purge -y gcc && apt-get autoremove -y\nCMD [\"a\"]\n";
    assert_eq!(
        apply("purged-at-once", file, &[]).expect("applies").files.dockerfile,
        "FROM debian:bookworm-slim\n\nCOPY a.c /a.c\n# for now\n# the program\nRUN apt-get update && apt-get install -y gcc \\\n    \
         && gcc -o /usr/bin/a /a.c \\\n    && apt-get purge -y gcc && apt-get autoremove -y\nCMD [\"a\"]\n"
    );
    refuses(
        "purged-at-once",
        &file.replace("RUN gcc", "RUN cd /tmp && gcc"),
        &[],
        "would hold for the commands after it",
    );
    refuses("purged-at-once", &file.replace("RUN gcc", "USER app\nRUN gcc"), &[], "USER stands between");
    refuses("purged-at-once", &file.replace("RUN gcc", "RUN true\nCOPY b /b\nRUN gcc"), &[], "would become one");
    refuses("purged-at-once", &file.replace("purge -y gcc", "purge -y vim"), &[], "no later layer");
}

#[test]
fn data_that_stands_in_both_stages_stays() {
    let file = "FROM debian:bookworm AS build\nCOPY data /srv/data\nCOPY src /src\nRUN make -C /src\nFROM debian:bookworm-slim\n\
                COPY data /srv/data\nCOPY src /src\nCOPY --from=build /usr/local /usr/local\nCMD [\"a\"]\n";
    let context = [("data/rare.txt", "x"), ("src/Makefile", "a:\n"), ("src/a.c", "int main(void) { return 0; }\n")];
    let text = apply("sources-behind", file, &context).expect("applies").files.dockerfile;
    assert!(text.ends_with("COPY data /srv/data\nCOPY --from=build /usr/local /usr/local\nCMD [\"a\"]\n"), "{text}");
}

const SITE: &str = "FROM node:18
RUN apt-get update && apt-get install -y busybox
WORKDIR /site
COPY . .
RUN npm ci
RUN npm run build
CMD [\"busybox\", \"httpd\", \"-f\", \"-h\", \"dist\"]
";

#[test]
fn a_built_site_is_served_without_what_built_it() {
    let manifest = ("package.json", "{\"scripts\": {\"build\": \"node build.js\"}}");
    let step = apply("two-stage-site", SITE, &[manifest]).expect("applies");
    assert!(step.may_change.contains(&"/site/**".to_owned()), "{:?}", step.may_change);
    let (first, last) = step.files.dockerfile.split_once("\n\n").expect("two stages");
    assert!(first.contains("COPY . .\nRUN npm ci\nRUN npm run build") && !first.contains("busybox"), "{first}");
    assert_eq!(
        last,
        "FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y busybox\nWORKDIR /site\n\
         # the built site; what built it stays behind\nCOPY --from=build /site/dist /site/dist\n\
         CMD [\"busybox\", \"httpd\", \"-f\", \"-h\", \"dist\"]\n"
    );
    let started = |cmd: &str| SITE.replace("CMD [\"busybox\", \"httpd\", \"-f\", \"-h\", \"dist\"]", cmd);
    refuses("two-stage-site", &started("CMD [\"npm\", \"start\"]"), &[manifest], "nothing here installs packages");
    refuses("two-stage-site", &started("CMD [\"node\", \"dist/server.js\"]"), &[manifest], "not a web server");
    refuses("two-stage-site", &SITE.replace("CMD", "USER node\nCMD"), &[manifest], "the user node");
    // What runs at / is no reason to leave all of the image unproven.
    let at_the_top = SITE.replace("WORKDIR /site", "WORKDIR /\nRUN npm config set fund false\nWORKDIR /site");
    let step = apply("two-stage-site", &at_the_top, &[manifest]).expect("applies");
    let whole = |path: &String| path == "/" || path == "/**";
    assert!(!step.may_change.iter().any(whole) && step.may_change.contains(&"/site/**".to_owned()), "{step:?}");
    // A folder that the context brings is none that the script makes.
    refuses("two-stage-site", SITE, &[manifest, ("dist/index.html", "x")], "nothing here installs packages");
}

#[test]
fn what_really_starts_has_to_be_the_web_server() {
    let manifest = ("package.json", "{\"scripts\": {\"build\": \"node build.js\"}}");
    let served = "CMD [\"busybox\", \"httpd\", \"-f\", \"-h\", \"dist\"]";
    let started = |commands: &str| SITE.replace(served, commands);
    for other in [
        format!("{served}\nCMD [\"node\", \"server.js\"]"),
        format!("ENTRYPOINT [\"node\", \"start.js\"]\n{served}"),
        format!("ENTRYPOINT node start.js\n{served}"),
        format!("{served}\nENTRYPOINT [\"busybox\", \"httpd\"]\nENTRYPOINT [\"./start\"]"),
        "CMD [\"busybox\", \"sh\", \"dist/start\"]".to_owned(),
        "CMD busybox sh dist/start".to_owned(),
    ] {
        refuses("two-stage-site", &started(&other), &[manifest], "not a web server");
    }
    for server in [
        format!("CMD [\"node\", \"server.js\"]\n{served}"),
        "ENTRYPOINT [\"busybox\"]\nCMD [\"httpd\", \"-f\", \"-h\", \"/site/dist\"]".to_owned(),
        "CMD exec /bin/busybox httpd -f -h dist".to_owned(),
        "CMD nginx -p dist/".to_owned(),
    ] {
        apply("two-stage-site", &started(&server), &[manifest]).unwrap_or_else(|why| panic!("{server}: {why}"));
    }
}

const COMPOSER: &str = "FROM debian:bookworm
RUN apt-get update && apt-get install -y php-cli composer git
WORKDIR /srv
COPY . .
RUN composer install
CMD [\"php\", \"-S\", \"0.0.0.0:80\"]
";

#[test]
fn composer_stays_behind_where_it_writes_packages_only() {
    let step = apply("two-stage-php", COMPOSER, &[("composer.json", "{}")]).expect("applies");
    let (_, last) = step.files.dockerfile.split_once("\n\n").expect("two stages");
    assert!(last.contains("apt-get install -y php-cli\n") && last.contains("COPY . .\n"), "{last}");
    assert!(step.may_change.contains(&"/srv/composer.lock".to_owned()), "{:?}", step.may_change);
    assert!(last.contains("COPY --from=build /srv/vendor /srv/vendor\n"), "{last}");
    let elsewhere = [("composer.json", "{\"config\": {\"vendor-dir\": \"lib\"}}")];
    let step = apply("two-stage-php", COMPOSER, &elsewhere).expect("applies");
    assert!(step.files.dockerfile.contains("COPY --from=build /srv/lib /srv/lib\n"), "{}", step.files.dockerfile);
    let scripts = [("composer.json", "{\"scripts\": {\"post-install-cmd\": \"x\"}}")];
    refuses("two-stage-php", COMPOSER, &scripts, "scripts (post-install-cmd)");
    for event in ["pre-update-cmd", "pre-autoload-dump", "pre-operations-exec", "post-package-install"] {
        let manifest = format!("{{\"scripts\": {{\"{event}\": \"x\"}}}}");
        refuses("two-stage-php", COMPOSER, &[("composer.json", &manifest)], &format!("scripts ({event})"));
    }
    let installers = [("composer.json", "{\"require\": {\"composer/installers\": \"^2\"}}")];
    refuses("two-stage-php", COMPOSER, &installers, "asks for composer/installers");
    refuses("two-stage-php", COMPOSER, &[], "composer.json is not at the top");
}

#[test]
fn composer_runs_where_it_stands_and_with_what_its_manifest_says() {
    let empty = [("composer.json", "{}")];
    let with = |line: &str| COMPOSER.replace("RUN composer install", line);
    for line in ["composer -d app install", "composer install --working-dir=app", "php composer.phar -d app install"] {
        refuses("two-stage-php", &with(&format!("RUN {line}")), &empty, "runs in the directory that -");
    }
    for line in ["composer config vendor-dir lib", "composer config -g vendor-dir lib", "composer config bin-dir bin"] {
        refuses("two-stage-php", &with(&format!("RUN {line} && composer install")), &empty, "composer config may set");
    }
    let last = |line: &str| {
        let step = apply("two-stage-php", &with(line), &empty).expect("applies");
        step.files.dockerfile.split_once("\n\n").expect("two stages").1.to_owned()
    };
    let global = last("RUN composer config --global process-timeout 0\nRUN composer install");
    assert!(!global.contains("composer config"), "{global}");
    let local = last("RUN composer config process-timeout 0\nRUN composer install");
    assert!(local.contains("RUN composer config process-timeout 0\n"), "it writes to composer.json: {local}");
}

#[test]
fn folders_of_classes_stay_where_they_are_packed() {
    let java = "FROM debian:bookworm\nRUN apt-get update && apt-get install -y openjdk-17-jdk-headless\nWORKDIR /app\n\
                COPY src src\nRUN mkdir out && javac -d out src/A.java && jar cfe a.jar A -C out .\n";
    let jar = format!("{java}CMD [\"java\", \"-jar\", \"a.jar\"]\n");
    let step = apply("two-stage-java", &jar, &[]).expect("applies");
    assert!(!step.files.dockerfile.contains("/app/out"), "{}", step.files.dockerfile);
    assert!(step.may_change.contains(&"/app/out/**".to_owned()), "{:?}", step.may_change);
    // The classes are started as they are, so they have to be there.
    let classes = format!("{java}CMD [\"java\", \"-cp\", \"out\", \"A\"]\n");
    let step = apply("two-stage-java", &classes, &[]).expect("applies");
    assert!(step.files.dockerfile.contains("COPY --from=build /app/out /app/out"), "{}", step.files.dockerfile);
}

#[test]
fn a_file_that_is_read_elsewhere_does_not_hold_the_sources() {
    let file = "FROM debian:bookworm AS build\nCOPY . /src\nWORKDIR /src\nRUN make && make install\n\nFROM debian:bookworm\n\
                COPY --from=build /usr/local /usr/local\nCOPY --from=build /src /src\nCMD [\"greeter\"]\n";
    let reads = |path: &str| [("greeter.c", format!("fopen(\"{path}\", \"r\")")), ("words.txt", String::new())];
    let with = |files: &[(&str, String)]| {
        let context: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        apply("sources-behind", file, &context)
    };
    let step = with(&reads("/usr/local/share/words.txt")).expect("applies");
    assert!(!step.files.dockerfile.contains("/src /src"), "{}", step.files.dockerfile);
    for path in ["/src/words.txt", "words.txt", "./words.txt"] {
        let refused = with(&reads(path)).expect_err("refuses");
        assert!(refused.contains("words.txt is named in the sources"), "{path}: {refused}");
    }
    // The rest of a path whose beginning is put before it.
    for (source, reads, path) in [
        ("main.rs", "include(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/words.txt\"))", "words.txt"),
        ("main.rs", "open(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/data/words.txt\"))", "data/words.txt"),
        ("main.rs", "open(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/data/\", LANGUAGE))", "data/words.txt"),
        ("A.java", "new File(System.getProperty(\"user.dir\") + \"/words.txt\")", "words.txt"),
    ] {
        let refused = with(&[(source, reads.to_owned()), (path, String::new())]).expect_err("refuses");
        assert!(refused.contains("is named in the sources"), "{reads}: {refused}");
    }
}
