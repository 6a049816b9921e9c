//! Where hoop keeps its files on this machine, for this user.
//!
//! Configuration is what a person edits; state is what hoop remembers. Both can be moved for tests.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::GatewayUrl;
use crate::{
    failure::Failure,
    private_file::{create_private_folder, remove_file, replace_private_file},
};

/// The two directories.
#[derive(Debug, Clone)]
pub(crate) struct Directories {
    config: PathBuf,
    state: PathBuf,
}

/// What the last login left behind.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    version: u32,
    gateway: String,
}

impl Directories {
    /// `HOOP_CONFIG_HOME` and `HOOP_STATE_HOME` where set, else `hoop` in the platform's places.
    pub(crate) fn find() -> Result<Self, Failure> {
        let config = from_environment("HOOP_CONFIG_HOME").or_else(|| Some(dirs::config_dir()?.join("hoop")));
        let state = from_environment("HOOP_STATE_HOME")
            .or_else(|| Some(dirs::state_dir().or_else(dirs::data_local_dir)?.join("hoop")));
        match (config, state) {
            (Some(config), Some(state)) => Ok(Self { config, state }),
            _ => Err(Failure::failed("there is no home directory to keep files in")
                .next("set HOME, or HOOP_CONFIG_HOME and HOOP_STATE_HOME")),
        }
    }

    /// Two given directories, of a world of its own.
    pub(crate) fn at(root: &Path) -> Self {
        Self { config: root.join("config"), state: root.join("state") }
    }

    /// Where people keep configuration.
    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    /// Where hoop keeps what it remembers.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// Remembers the gateway of a login as the one that is meant from now on.
    pub(crate) fn remember_gateway(&self, gateway: &GatewayUrl) -> Result<(), Failure> {
        let remembered = Remembered { version: 1, gateway: gateway.to_string() };
        let text = serde_json::to_vec(&remembered)
            .map_err(|error| Failure::internal("the gateway's address does not serialise").caused_by(&error))?;
        create_private_folder(&self.state)?;
        replace_private_file(&self.state.join(REMEMBERED), &text)
    }

    /// Forgets it.
    pub(crate) fn forget_gateway(&self) -> Result<(), Failure> {
        remove_file(&self.state.join(REMEMBERED))
    }

    /// The gateway of the last login, if any.
    pub(crate) fn remembered_gateway(&self) -> Result<Option<GatewayUrl>, Failure> {
        let path = self.state.join(REMEMBERED);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Failure::failed(format!("{} could not be read", path.display())).caused_by(&error));
            }
        };
        let remembered: Remembered = serde_json::from_slice(&text).map_err(|error| {
            Failure::failed(format!("{} is damaged", path.display())).caused_by(&error).next("run `hoop login` again")
        })?;
        GatewayUrl::parse(&remembered.gateway).map(Some)
    }
}

const REMEMBERED: &str = "gateway.json";

fn from_environment(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn remembers_and_forgets_a_gateway() {
        let root = tempfile::tempdir().expect("a folder");
        let directories = Directories::at(root.path());
        assert_eq!(directories.remembered_gateway(), Ok(None));
        let gateway = GatewayUrl::parse("https://gw.example.com:8443").expect("a gateway");
        directories.remember_gateway(&gateway).expect("remembered");
        assert_eq!(directories.remembered_gateway(), Ok(Some(gateway)));
        let mode = |path: &Path| fs::metadata(path).expect("exists").permissions().mode() & 0o777;
        assert_eq!(mode(directories.state()), 0o700);
        assert_eq!(mode(&directories.state().join(REMEMBERED)), 0o600);
        directories.forget_gateway().expect("forgotten");
        assert_eq!(directories.remembered_gateway(), Ok(None));
    }

    #[test]
    fn a_damaged_memory_is_said_not_ignored() {
        let root = tempfile::tempdir().expect("a folder");
        let directories = Directories::at(root.path());
        create_private_folder(directories.state()).expect("state");
        fs::write(directories.state().join(REMEMBERED), b"{").expect("written");
        assert!(directories.remembered_gateway().is_err());
    }
}
