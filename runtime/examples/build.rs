//! Builds a directory with the library alone.
use plimsoll_runtime::build::{BuildOptions, Event, Progress, Pull, build};
use plimsoll_runtime::digest::Digest;
use plimsoll_runtime::store::Store;
struct Plain;
impl Progress for Plain {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Step { number, total, instruction, .. } => eprintln!("[{number}/{total}] {instruction}"),
            Event::Output { line, .. } => eprintln!("    {line}"),
            Event::Done { cached, duration, layer, .. } => eprintln!("    {} {duration:?} {layer:?}", if cached { "cached" } else { "done" }),
            other => eprintln!("{other:?}"),
        }
    }
}
fn main() {
    plimsoll_runtime::exec::init_if_asked();
    plimsoll_runtime::userns::enter(plimsoll_runtime::userns::Kind::default()).expect("enter");
    let args: Vec<String> = std::env::args().skip(1).collect();
    let store = Store::open(&args[0]).expect("store");
    if args[1] == "load" {
        // load LAYOUT NAME
        let index: serde_json::Value = serde_json::from_slice(&std::fs::read(format!("{}/index.json", args[2])).unwrap()).unwrap();
        for entry in std::fs::read_dir(format!("{}/blobs/sha256", args[2])).unwrap() {
            store.put_bytes(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        }
        let digest: Digest = index["manifests"][0]["digest"].as_str().unwrap().parse().unwrap();
        store.tag(&args[3], &digest).unwrap();
        return;
    }
    let mut options = BuildOptions::new(&args[1]);
    options.pull = Pull::Never;
    let mut quiet = false;
    let mut rest = args[2..].iter();
    while let Some(arg) = rest.next() {
        let mut value = || rest.next().unwrap().clone();
        match arg.as_str() {
            "-f" => options.dockerfile = Some(value().into()),
            "-t" => options.tags.push(value()),
            "--target" => options.target = Some(value()),
            "--build-arg" => { let v = value(); let (a, b) = v.split_once('=').unwrap(); options.build_args.insert(a.into(), b.into()); }
            "--no-cache" => options.no_cache = true,
            "-q" => quiet = true,
            other => panic!("{other}"),
        }
    }
    let started = std::time::Instant::now();
    let result = if quiet { build(&store, &options, &mut ()) } else { build(&store, &options, &mut Plain) };
    match result {
        Ok(built) => { eprintln!("built in {:?}", started.elapsed()); println!("{}", built.image.manifest); }
        Err(error) => {
            eprintln!("error: {error}");
            if let plimsoll_runtime::build::BuildError::Step { output, .. } = &error { for l in output { eprintln!("  | {l}"); } }
            if let Some(help) = error.help() { eprintln!("help: {help}"); }
            std::process::exit(1);
        }
    }
}
