//! Replays every committed fuzz input on stable Rust, and keeps targets, table and corpora in step.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use hoop_gateway_core::fuzz_targets::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// The names in a folder without their endings; none where the folder cannot be read.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz().join(folder)).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned())).collect()
}

#[test]
fn every_target_has_a_table_line_a_program_and_a_corpus() {
    let table: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(table, names("fuzz_targets"));
    assert_eq!(table, names("corpus"));
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in &table {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
    }
}

#[test]
fn every_committed_input_and_each_beginning_of_it_still_holds() {
    for (name, target) in TARGETS {
        let mut replayed = 0;
        for entry in fs::read_dir(fuzz().join("corpus").join(name)).unwrap() {
            let input = fs::read(entry.unwrap().path()).unwrap();
            for length in 0..=input.len() {
                target(&input[..length]);
            }
            replayed += 1;
        }
        assert!(replayed > 0, "the corpus of {name} is empty");
    }
}
