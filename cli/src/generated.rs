//! The committed completions and man pages are what this source makes. `HOOP_REGENERATE=1 cargo test generated` writes
//! them anew. Tests only.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{arguments::Shell, completions, man};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn compare(folder: &str, fresh: &BTreeMap<String, Vec<u8>>) {
    let folder = root().join(folder);
    if std::env::var_os("HOOP_REGENERATE").is_some() {
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).expect("made");
        for (name, content) in fresh {
            fs::write(folder.join(name), content).expect("written");
        }
    }
    let entries = fs::read_dir(&folder).expect("the folder is committed").map(|entry| entry.expect("an entry").path());
    let committed: BTreeMap<String, Vec<u8>> = entries
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(path).expect("readable"))
        })
        .collect();
    let stale: Vec<&String> =
        fresh.keys().chain(committed.keys()).filter(|name| fresh.get(*name) != committed.get(*name)).collect();
    assert!(stale.is_empty(), "stale in {}: {stale:?}; run HOOP_REGENERATE=1 cargo test generated", folder.display());
}

#[test]
fn completions_are_fresh() {
    let files = [("hoop.bash", Shell::Bash), ("_hoop", Shell::Zsh), ("hoop.fish", Shell::Fish)];
    compare("completions", &files.map(|(name, shell)| (name.to_owned(), completions::script(shell))).into());
}

#[test]
fn man_pages_are_fresh() {
    compare("man", &man::pages().expect("rendered"));
}

#[test]
fn every_command_has_a_page_and_no_page_is_about_help() {
    let pages = man::pages().expect("rendered");
    for name in ["hoop.1", "hoop-login.1", "hoop-approvals-approve.1", "hoop-gateway-run.1"] {
        assert!(pages.contains_key(name), "{name}: {:?}", pages.keys());
    }
    assert!(pages.keys().all(|name| !name.contains("help")), "{:?}", pages.keys());
}
