//! Keeps the shape of the house: who may depend on whom, what stays pure, how files begin and how long they get.
//!
//! Reads the sources as text. Each exception stands here with its reason; a rule that no file can break is a test that
//! cannot fail, so every rule is also tried on a sample that breaks it.

#![expect(clippy::expect_used, reason = "a source that cannot be read fails the test by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// One source file: its path from the root of the workspace, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The text without its tests, comments and string literals' line comments: what is compiled into the product.
    fn product(&self) -> String {
        let text = self.text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("cli lies in the workspace").to_owned()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | "node_modules") && !name.starts_with('.') {
                walk(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    for folder in ["cli", "tunnel", "gateway-core", "tests", "fuzz"] {
        if root.join(folder).is_dir() {
            walk(&root.join(folder), &mut paths);
        }
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| Source {
            text: fs::read_to_string(&path).expect("sources are UTF-8"),
            path: path.strip_prefix(&root).expect("inside the root").to_string_lossy().into_owned(),
        })
        .collect()
}

fn assert_none(what: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{what}:\n  {}", broken.join("\n  "));
}

/// The dependencies of one crate on its siblings, from its manifest.
fn siblings(manifest: &str) -> BTreeSet<String> {
    let manifest: toml::Table = manifest.parse().expect("a manifest");
    let mut found = BTreeSet::new();
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        if let Some(table) = manifest.get(section).and_then(toml::Value::as_table) {
            found.extend(table.keys().filter(|name| name.starts_with("hoop")).cloned());
        }
    }
    found
}

#[test]
fn crates_depend_only_downwards() {
    let allowed: [(&str, &[&str]); 3] =
        [("cli", &["hoop-gateway-core", "hoop-tunnel"]), ("gateway-core", &["hoop-tunnel"]), ("tunnel", &[])];
    for (folder, below) in allowed {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
        for name in siblings(&manifest) {
            assert!(below.contains(&name.as_str()), "{folder} must not depend on {name}");
        }
    }
    assert_eq!(siblings("[dependencies]\nhoop-tunnel = {}\nserde = {}\n").len(), 1);
}

/// Folders and files that hold no socket, no clock, no task and no randomness: time and chance are passed in.
fn is_pure(path: &str) -> bool {
    let Some(inside) = path.strip_prefix("gateway-core/src/") else { return false };
    if let Some(protocol) = inside.strip_prefix("protocol/") {
        let part = protocol.split('/').nth(1).unwrap_or_default();
        let part = part.strip_suffix(".rs").unwrap_or(part);
        return matches!(part, "message" | "codec" | "inspect" | "reframe" | "refuse");
    }
    if matches!(inside, "approval/state.rs" | "approval/quorum.rs" | "approval/lease.rs") {
        return true;
    }
    ["model", "sql", "policy", "mask"]
        .iter()
        .any(|module| inside.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/')))
}

const IMPURE: [&str; 12] = [
    "tokio",
    "std::net",
    "std::fs",
    "std::process",
    "std::env",
    "Instant::now",
    "SystemTime::now",
    "now_utc",
    "async fn",
    "async move",
    ".await",
    "rand::",
];

fn impurities(source: &Source) -> Vec<String> {
    let product = source.product();
    IMPURE.iter().filter(|word| product.contains(**word)).map(|word| format!("{}: {word}", source.path)).collect()
}

#[test]
fn the_core_that_decides_is_pure() {
    let sources = sources();
    let pure: Vec<_> = sources.iter().filter(|source| is_pure(&source.path) && !source.is_test()).collect();
    assert!(pure.len() > 5, "the pure part was not found");
    let broken: Vec<_> = pure.iter().flat_map(|source| impurities(source)).collect();
    assert_none("sockets, clocks and tasks do not belong in the pure core", &broken);

    let sample = Source { path: String::new(), text: "fn a() { std::time::Instant::now(); }".to_owned() };
    assert_eq!(impurities(&sample).len(), 1);
    assert!(is_pure("gateway-core/src/protocol/postgres/codec/frame.rs"));
    assert!(!is_pure("gateway-core/src/protocol/postgres/handshake.rs"));
}

/// Whether `text` names `module` of this crate in a path or a `use`.
fn names(text: &str, module: &str) -> bool {
    [format!("crate::{module}::"), format!("crate::{module};"), format!("super::{module}::")]
        .iter()
        .any(|path| text.contains(path.as_str()))
        || text.split("crate::{").skip(1).any(|rest| {
            let list = rest.split(';').next().unwrap_or_default();
            let mut depth = 0_i32;
            list.split_inclusive(['{', '}', ',']).any(|part| {
                let here = depth;
                depth += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
                here == 0 && part.trim().trim_end_matches(['{', '}', ',']).split("::").next() == Some(module)
            })
        })
}

/// The first folder must not name the second module.
const APART: [(&str, &str, &str); 7] = [
    ("protocol", "policy", "they meet in session, through model::Operation"),
    ("policy", "protocol", "they meet in session, through model::Operation"),
    ("protocol", "record", "a codec records nothing"),
    ("sql", "policy", "a parser decides nothing"),
    ("model", "policy", "the words know no rules"),
    ("mask", "policy", "what to mask is told, not asked"),
    ("policy", "session", "a decision knows no session loop"),
];

/// Where a file names a module all the same, and why that is no harm.
const MEET: [(&str, &str, &str); 1] = [(
    "gateway-core/src/protocol/postgres/inspect",
    "record",
    "which parts of a text are sealed is said in plain spans, whose type the record owns",
)];

/// Where the library of SAML may be named; it is young, and what is believed of it is judged in one place.
const SAML: &str = "gateway-core/src/identity/saml";

#[test]
fn the_saml_library_stays_behind_identity() {
    let names_it = |source: &Source| source.product().contains("saml_rs");
    let sources = sources();
    let elsewhere = |source: &&Source| !source.path.starts_with(SAML) && source.path != "tests/architecture.rs";
    let broken: Vec<_> = sources.iter().filter(elsewhere).filter(|source| names_it(source)).collect();
    let broken: Vec<_> = broken.into_iter().map(|source| source.path.clone()).collect();
    assert_none("the library of SAML is named elsewhere", &broken);
    assert!(sources.iter().any(names_it), "it is not used at all");
}

#[test]
fn modules_that_must_not_meet_do_not() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        for (folder, module, reason) in APART {
            let inside = format!("gateway-core/src/{folder}");
            let here = source.path.strip_prefix(&inside).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'));
            let excused = MEET.iter().any(|(path, named, _)| source.path.starts_with(path) && *named == module);
            if here && !excused && names(&source.product(), module) {
                broken.push(format!("{} names {module}: {reason}", source.path));
            }
        }
    }
    assert_none("imports that must not be", &broken);
    assert!(names("use crate::{model::Verb, policy::PolicySet};", "policy"));
    assert!(names("let x = crate::policy::decide();", "policy"));
    assert!(!names("use crate::{model::{policy, Verb}};", "policy"));
}

#[test]
fn only_inspection_makes_an_inspected_message() {
    let broken: Vec<_> = sources()
        .iter()
        .filter(|source| source.path.starts_with("gateway-core/src/") && !source.is_test())
        .filter(|source| {
            let inspects = source.path.starts_with("gateway-core/src/protocol/")
                && (source.path.ends_with("/inspect.rs") || source.path.contains("/inspect/"));
            !inspects && source.product().contains("Inspected::new")
        })
        .map(|source| source.path.clone())
        .collect();
    assert_none("only protocol/*/inspect may call Inspected::new", &broken);
}

/// Where a file of the gateway may be renamed or synced: what does it by itself forgets the folder.
const LASTING: [&str; 2] = [
    "gateway-core/src/lasting.rs",
    // Syncs its folder itself, and is written to the end.
    "gateway-core/src/record/log/",
];

#[test]
fn files_that_must_survive_a_power_failure_are_written_by_one_function() {
    let writes = |text: &str| text.contains("fs::rename(") || text.contains(".sync_all()");
    let sources = sources();
    let broken: Vec<_> = sources
        .iter()
        .filter(|source| source.path.starts_with("gateway-core/src/") && !source.is_test())
        .filter(|source| !LASTING.iter().any(|allowed| source.path.starts_with(allowed)))
        .filter(|source| writes(&source.product()))
        .map(|source| source.path.clone())
        .collect();
    assert_none("files renamed or synced without their folder; lasting.rs does it", &broken);
    let owner = sources.iter().find(|source| source.path == LASTING[0]).expect("lasting.rs");
    assert!(writes(&owner.product()) && owner.product().contains("File::open(folder)?.sync_all()"));
}

#[test]
fn files_are_short_and_say_what_they_own() {
    let mut broken = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > 500 {
            broken.push(format!("{} has {lines} lines, more than 500", source.path));
        }
        if !source.text.starts_with("//!") {
            broken.push(format!("{} does not begin with `//!`", source.path));
        }
        if source.text.starts_with("//! (owner writes") {
            broken.push(format!("{} still has a placeholder for a header", source.path));
        }
        if source.path.ends_with("/mod.rs") {
            broken.push(format!("{}: use foo.rs and foo/", source.path));
        }
    }
    assert_none("the form of files", &broken);
}

#[test]
fn every_story_is_included() {
    let root = root();
    let mut paths = Vec::new();
    walk(&root.join("tests"), &mut paths);
    let mut broken = Vec::new();
    for path in paths {
        let inside = path.strip_prefix(&root).expect("inside the root");
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let parent = inside.parent().expect("in a folder");
        if parent == Path::new("tests") || parent.starts_with("tests/fixtures") || parent.starts_with("tests/bench") {
            continue;
        }
        let including = root.join(parent.with_extension("rs"));
        let text = fs::read_to_string(&including).unwrap_or_default();
        let declared = ["", "pub ", "pub(crate) ", "pub(super) "].map(|seen| format!("{seen}mod {stem};"));
        if !text.lines().any(|line| declared.iter().any(|mention| line.trim() == mention)) {
            broken.push(format!("{} is not included by {}", inside.display(), including.display()));
        }
    }
    assert_none("stories that never run", &broken);
}

#[test]
fn the_map_names_every_part() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the map");
    let library = fs::read_to_string(root().join("gateway-core/src/lib.rs")).expect("the library");
    let modules = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let missing: Vec<_> = modules.filter(|name| !map.contains(&format!("| `{name}` |"))).map(str::to_owned).collect();
    assert_none("parts that ARCHITECTURE.md does not name", &missing);
}

#[test]
fn no_test_sleeps_or_is_ignored() {
    let sleeping = ["thread::", "time::"].map(|module| format!("{module}sleep("));
    let broken: Vec<_> = sources()
        .iter()
        .filter(|source| source.path != "tests/architecture.rs")
        .filter(|source| {
            source.text.contains("#[ignore") || (source.is_test() && sleeping.iter().any(|s| source.text.contains(s)))
        })
        .map(|source| source.path.clone())
        .collect();
    assert_none("tests that sleep or are ignored", &broken);
}
