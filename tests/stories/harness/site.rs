//! A site folder for one story: the sample policies, one connection `pg-prod` to the story's database.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{
    Database,
    cluster::{APP_PASSWORD, APP_ROLE, free_port},
};

const POLICIES: &str = include_str!("../../fixtures/site/policies/shop.cedar");
const MASKING: &str = include_str!("../../fixtures/site/masking.toml");

/// What the people may do in most stories, to be changed by the few that need something else.
pub(crate) fn site_policies() -> String {
    POLICIES.to_owned()
}

/// A site on disk.
pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    /// The sample site for this database.
    pub(crate) fn new(database: &Database) -> Self {
        let port = free_port();
        let site = Self { folder: tempfile::Builder::new().prefix("hoop-site-").tempdir().expect("a folder") };
        let secret = site.path().join("pg-prod.password");
        fs::write(&secret, APP_PASSWORD).expect("written");
        site.write(
            "gateway.toml",
            &format!(
                "listen = \"127.0.0.1:{port}\"\npublic_url = \"https://127.0.0.1:{port}\"\ndata_dir = \"{}\"\n",
                site.data().display()
            ),
        );
        site.write(
            "connections.toml",
            &format!(
                "[[connection]]\nname = \"pg-prod\"\nkind = \"postgres\"\nupstream = \"{}\"\ndatabase = \"{}\"\n\
                 labels = {{ env = \"prod\" }}\n\n[connection.credential]\ntype = \"password\"\n\
                 username = \"{APP_ROLE}\"\nsecret = \"file:{}\"\n",
                database.address(),
                database.name,
                secret.display()
            ),
        );
        site.write("masking.toml", MASKING);
        site.write("policies/shop.cedar", POLICIES);
        site
    }

    /// A site without a database: these connections, and what the sample's people may do.
    pub(crate) fn of(connections: &str) -> Self {
        let port = free_port();
        let site = Self { folder: tempfile::Builder::new().prefix("hoop-site-").tempdir().expect("a folder") };
        site.write(
            "gateway.toml",
            &format!(
                "listen = \"127.0.0.1:{port}\"\npublic_url = \"https://127.0.0.1:{port}\"\ndata_dir = \"{}\"\n",
                site.data().display()
            ),
        );
        site.write("connections.toml", connections);
        site.write("masking.toml", "");
        site.write("policies/people.cedar", POLICIES);
        site
    }

    /// Replaces a file of the site.
    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().expect("in the site")).expect("made");
        fs::write(path, text).expect("written");
    }

    /// Changes a file of the site; the part that changes must be there.
    pub(crate) fn edit(&self, file: &str, part: &str, becomes: &str) {
        let text = fs::read_to_string(self.path().join(file)).expect("readable");
        assert!(text.contains(part), "{file} has no {part}");
        self.write(file, &text.replace(part, becomes));
    }

    /// Adds a policy file.
    pub(crate) fn policy(self, name: &str, text: &str) -> Self {
        self.write(&format!("policies/{name}.cedar"), text);
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The gateway's data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }
}
