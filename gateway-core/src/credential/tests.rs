//! References of this machine, and the gateway's own shelf, as a site uses them.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use secrecy::ExposeSecret as _;

use super::{
    master::MasterKey,
    shelf::{Before, SecretShelf, ShelfError},
    *,
};
use crate::{
    config::SecretName,
    model::PrincipalName,
    store::{SecretRows, Store},
};

fn reference(text: &str) -> SecretReference {
    SecretReference::parse(text, Path::new("/")).unwrap()
}

async fn value(text: &str) -> Result<String, CredentialError> {
    Secrets::local().value(&reference(text)).await.map(|value| value.expose_secret().to_owned())
}

/// A program of this text.
fn program(folder: &Path, text: &str) -> String {
    let path = folder.join("program");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_file_is_read_whenever_it_is_asked_for_without_its_last_line_break() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    let (secrets, reference) = (Secrets::local(), SecretReference::File(path.clone()));
    for text in ["two words", "rotated"] {
        fs::write(&path, format!("{text}\n")).unwrap();
        let secret = secrets.value(&reference).await.unwrap();
        assert_eq!(secret.expose_secret(), text);
        assert!(!format!("{secret:?}{secrets:?}").contains(text));
    }
    fs::write(&path, "\n").unwrap();
    assert!(matches!(secrets.value(&reference).await, Err(CredentialError::Empty(_))));
    fs::write(&path, "x".repeat(49_153)).unwrap();
    assert!(matches!(secrets.value(&reference).await, Err(CredentialError::TooLong(_))));
    let absent = value("env:HOOP_TEST_ABSENT_SECRET").await.unwrap_err();
    assert!(absent.to_string().contains("HOOP_TEST_ABSENT_SECRET"));
}

#[tokio::test]
async fn a_program_gives_its_output_without_a_shell_and_without_the_gateways_environment() {
    let folder = tempfile::tempdir().unwrap();
    let said = program(folder.path(), "printf '%s|' \"$1\" \"$2\"; env | cut -d= -f1 | sort | tr '\\n' ' '");
    let said = value(&format!("exec:[\"{said}\", \"$HOME; id\", \"*\"]")).await.unwrap();
    let (arguments, names) = said.rsplit_once('|').unwrap();
    assert_eq!(arguments, "$HOME; id|*");
    let names: Vec<&str> = names.split_whitespace().collect();
    assert!(
        names.iter().all(|name| ["HOME", "LANG", "PATH", "PWD", "SHLVL", "_", "OLDPWD"].contains(name)),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_program_that_fails_or_talks_without_end_is_ended_and_its_words_are_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let failing = program(folder.path(), "echo hunter2; echo hunter2 >&2; exit 3");
    let error = value(&format!("exec:{failing}")).await.unwrap_err().to_string();
    assert!(error.contains('3') && !error.contains("hunter2"), "{error}");
    let endless = program(folder.path(), "while :; do echo hunter2hunter2hunter2hunter2; done");
    let error = value(&format!("exec:{endless}")).await.unwrap_err().to_string();
    assert!(error.contains("more than") && !error.contains("hunter2"), "{error}");
    let error = value("exec:/nowhere/at/all").await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all"), "{error}");
}

#[tokio::test]
async fn the_shelf_gives_what_was_set_last_and_only_to_who_has_the_master_key() {
    let store = Store::in_memory().unwrap();
    let (first, second) = (MasterKey::generate().unwrap(), MasterKey::generate().unwrap());
    let key = |text: &SecretString| MasterKey::parse(text).unwrap();
    let rows = || SecretRows::new(store.clone());
    let (name, alice) = (SecretName::parse("pg/prod").unwrap(), PrincipalName::new("alice").unwrap());
    let shelf = SecretShelf::open(rows(), key(&first), None).await.unwrap();
    let secrets = Secrets::new(Some(shelf.clone()), None);
    let asked = reference("store:pg/prod");
    assert!(matches!(secrets.value(&asked).await, Err(CredentialError::Absent(_))));
    let set = async |text: &str, before| shelf.set(&name, &SecretString::from(text), before, &alice, 7).await;
    assert!(matches!(set("early", Before::Something).await, Err(ShelfError::Absent(_))));
    assert_eq!(set("one", Before::Anything).await.unwrap(), 1);
    assert_eq!(set("two", Before::Something).await.unwrap(), 2);
    assert_eq!(secrets.value(&asked).await.unwrap().expose_secret(), "two");
    // Who sets it at once gets a version each, and the last is the one that is there.
    let values: Vec<String> = (0..12).map(|number| format!("at once {number}")).collect();
    let set_at_once = values.iter().map(|text| set(text, Before::Something));
    let mut versions = Vec::new();
    for (version, value) in futures_util::future::join_all(set_at_once).await.into_iter().zip(&values) {
        versions.push((version.unwrap(), value));
    }
    versions.sort();
    assert_eq!(versions.iter().map(|(version, _)| *version).collect::<Vec<_>>(), (3..15).collect::<Vec<_>>());
    assert_eq!(secrets.value(&asked).await.unwrap().expose_secret(), versions.last().unwrap().1);
    assert_eq!(set("two", Before::Something).await.unwrap(), 15);
    let listed = format!("{:?}", shelf.list().await.unwrap());
    assert!(listed.contains("alice") && !listed.contains("two"), "{listed}");

    let foreign = SecretShelf::open(rows(), key(&second), None).await.unwrap_err();
    assert!(matches!(foreign, ShelfError::ForeignKey { .. }), "{foreign}");
    let moved = SecretShelf::open(rows(), key(&second), Some(key(&first))).await.unwrap();
    assert_eq!(moved.value(&name).await.unwrap().expose_secret(), "two");
    assert!(SecretShelf::open(rows(), key(&second), None).await.is_ok(), "the old key is not needed any more");
    assert!(shelf.value(&name).await.is_err(), "nor does it open anything");
    assert!(moved.remove(&name).await.unwrap() && !moved.remove(&name).await.unwrap());
}

#[tokio::test]
async fn what_needs_a_store_or_a_vault_says_so() {
    for text in ["store:pg", "vault:secret/data/pg#password"] {
        let error = value(text).await.unwrap_err();
        assert!(matches!(error, CredentialError::Unconfigured { .. }), "{error}");
    }
}
