//! The file store as an attacker or an accident would meet it; the keyring has a story of its own.

use std::{
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use super::*;

struct World {
    root: tempfile::TempDir,
    store: TokenStore,
}

fn world() -> World {
    let root = tempfile::tempdir().expect("a folder");
    let gateway = GatewayUrl::parse("https://gw.example.com:8443").expect("a gateway");
    let store = TokenStore::at(&Directories::at(root.path()), &gateway, Some(StoreKind::File));
    World { root, store }
}

impl World {
    fn keep(&self, login: &StoredLogin) {
        create_private_folder(&self.store.folder).expect("the folder");
        self.store.keep_in_file(&login.encode().expect("encoded")).expect("kept");
        self.store.remember(StoreKind::File).expect("remembered");
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("exists").permissions().mode() & 0o777
}

#[tokio::test]
async fn keeps_and_forgets_a_login_in_a_private_file() {
    let world = world();
    assert!(world.store.load().await.expect("no login yet").is_none());
    let login = stored::sample();
    world.keep(&login);
    assert_eq!(mode(&world.store.folder), 0o700);
    assert_eq!(mode(&world.store.path("token")), 0o600);
    let loaded = world.store.load().await.expect("readable").expect("kept");
    assert_eq!(loaded.encode(), login.encode());
    world.store.forget().await.expect("forgotten");
    assert!(world.store.load().await.expect("no login any more").is_none());
}

#[tokio::test]
async fn refuses_a_file_that_others_can_read() {
    let world = world();
    world.keep(&stored::sample());
    fs::set_permissions(world.store.path("token"), fs::Permissions::from_mode(0o640)).expect("loosened");
    let failure = world.store.load().await.expect_err("readable by the group");
    assert!(failure.why().iter().any(|why| why.contains("0640")), "{failure:?}");
}

#[tokio::test]
async fn refuses_a_symbolic_link() {
    let world = world();
    world.keep(&stored::sample());
    let real = world.root.path().join("elsewhere");
    fs::rename(world.store.path("token"), &real).expect("moved");
    symlink(&real, world.store.path("token")).expect("linked");
    assert!(world.store.load().await.is_err());
}

#[tokio::test]
async fn refuses_a_folder_that_others_can_write() {
    let world = world();
    world.keep(&stored::sample());
    fs::set_permissions(&world.store.folder, fs::Permissions::from_mode(0o777)).expect("loosened");
    assert!(world.store.load().await.is_err());
}

#[tokio::test]
async fn refuses_a_file_of_another_owner() {
    let world = world();
    world.keep(&stored::sample());
    // Only root can give a file away; elsewhere the rule is shown by the check of the owner alone.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    std::os::unix::fs::chown(world.store.path("token"), Some(65_534), None).expect("given away");
    let failure = world.store.load().await.expect_err("somebody else's file");
    assert!(failure.why().iter().any(|why| why.contains("belongs to")), "{failure:?}");
}

#[tokio::test]
async fn replaces_a_link_instead_of_writing_through_it() {
    let world = world();
    world.keep(&stored::sample());
    let victim = world.root.path().join("victim");
    fs::write(&victim, "untouched").expect("written");
    fs::remove_file(world.store.path("token")).expect("removed");
    symlink(&victim, world.store.path("token")).expect("linked");
    world.store.replace(&stored::sample()).await.expect("replaced");
    assert_eq!(fs::read_to_string(&victim).expect("readable"), "untouched");
    assert_eq!(mode(&world.store.path("token")), 0o600);
}

#[tokio::test]
async fn only_one_process_refreshes_at_a_time() {
    let world = world();
    let held = world.store.lock().await.expect("locked");
    let other = world.store.clone();
    let mut waiting = Box::pin(other.lock());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    drop(held);
    waiting.await.expect("locked after the first let go");
}

#[test]
fn a_login_shows_no_secret_when_debugged() {
    let shown = format!("{:?}", stored::sample());
    assert!(!shown.contains("refresh-secret") && !shown.contains("gateway-secret"), "{shown}");
}
