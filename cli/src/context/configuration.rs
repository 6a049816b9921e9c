//! `config.toml`: what a person, or who runs their machine, sets once. Read only by `Context`; an unknown key is a mistake.

use std::{fs, io::ErrorKind};

use serde::Deserialize;

use super::Directories;
use crate::failure::Failure;

/// The settings; each has a flag and a variable that go before it.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Configuration {
    /// The gateway to speak to.
    #[serde(default)]
    pub(super) gateway: Option<String>,
}

/// Reads the file; its absence is an empty one.
pub(super) fn read(directories: &Directories) -> Result<Configuration, Failure> {
    let path = directories.config().join("config.toml");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Configuration::default()),
        Err(error) => return Err(Failure::usage(format!("{} cannot be read", path.display())).caused_by(&error)),
    };
    toml::from_str(&text).map_err(|error| {
        Failure::usage(format!("{} has a mistake", path.display()))
            .because(error.to_string())
            .next("the only setting is `gateway = \"https://gateway.example.com\"`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_gateway_and_refuses_what_it_does_not_know() {
        let root = tempfile::tempdir().expect("a folder");
        let directories = Directories::at(root.path());
        assert_eq!(read(&directories), Ok(Configuration::default()));
        fs::create_dir_all(directories.config()).expect("made");
        let write = |text| fs::write(directories.config().join("config.toml"), text).expect("written");
        write("gateway = \"https://gw.example.com\"");
        assert_eq!(read(&directories).expect("read").gateway.as_deref(), Some("https://gw.example.com"));
        write("gatway = \"https://gw.example.com\"");
        let failure = read(&directories).expect_err("misspelled");
        assert!(failure.why().iter().any(|why| why.contains("gatway")), "{failure:?}");
    }
}
