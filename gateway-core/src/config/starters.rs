//! Sites to start from: the sample, and one for each of some trades, with policies, masking and the cases they hold to.
//!
//! Written out by `hoop init`; never over a file that is there.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::SiteFile;

/// A file of a starter, and its text.
type Part = (&'static str, &'static str);

macro_rules! parts {
    ($name:literal) => {
        &[
            ("connections.toml", include_str!(concat!("starters/", $name, "/connections.toml"))),
            ("masking.toml", include_str!(concat!("starters/", $name, "/masking.toml"))),
            ("policies/access.cedar", include_str!(concat!("starters/", $name, "/policies/access.cedar"))),
            ("policies/guardrails.cedar", include_str!(concat!("starters/", $name, "/policies/guardrails.cedar"))),
            ("policies/masking.cedar", include_str!(concat!("starters/", $name, "/policies/masking.cedar"))),
            ("tests/cases.toml", include_str!(concat!("starters/", $name, "/tests/cases.toml"))),
        ]
    };
}

const PAYMENTS: &[Part] = parts!("payments");
const HEALTH: &[Part] = parts!("health");
const ENGINEERING: &[Part] = parts!("engineering");
/// What a site has that reaches machines.
const MACHINES: &[Part] = &[
    ("policies/machines.cedar", include_str!("starters/engineering/policies/machines.cedar")),
    ("tests/machines.toml", include_str!("starters/engineering/tests/machines.toml")),
];

/// What every starter has.
const SHARED: &[Part] =
    &[("gateway.toml", include_str!("starters/gateway.toml")), ("agents.toml", include_str!("sample/agents.toml"))];

/// A trade to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    /// Cards, accounts, refunds.
    Payments,
    /// Patients' records.
    Health,
    /// An application's production and staging.
    Engineering,
}

impl Starter {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Payments, Self::Health, Self::Engineering];

    /// Its files with their texts, and the schemas by which editors know the TOML among them.
    fn parts(self) -> impl Iterator<Item = (String, String)> {
        let (own, more) = match self {
            Self::Payments => (PAYMENTS, &[][..]),
            Self::Health => (HEALTH, &[][..]),
            Self::Engineering => (ENGINEERING, MACHINES),
        };
        let schemas = SiteFile::ALL.into_iter().map(|file| (file.place(), file.schema().to_owned()));
        let written = |(name, text): &Part| ((*name).to_owned(), for_editors(name, text));
        SHARED.iter().chain(own).chain(more).map(written).chain(schemas)
    }

    /// Writes the site into a folder; where one of its files is there already, nothing is written. Returns the files.
    pub fn write(self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let taken = self.parts().map(|(name, _)| directory.join(name)).find(|path| path.exists());
        if let Some(taken) = taken {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is there already", taken.display())));
        }
        let write = |(name, text): (String, String)| {
            let path = directory.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(text.as_bytes())?;
            Ok(path)
        };
        self.parts().map(write).collect()
    }
}

/// The text with the line that tells taplo (Even Better TOML) where its schema is.
fn for_editors(name: &str, text: &str) -> String {
    let Some(file) = SiteFile::of(name) else { return text.to_owned() };
    let up = if name.contains('/') { "../" } else { "./" };
    format!("#:schema {up}{}\n{text}", file.place())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Site, policy::formatted, session::cases};

    #[test]
    fn every_starter_is_a_valid_site_whose_cases_hold_and_nothing_is_overwritten() {
        for starter in Starter::ALL {
            let folder = tempfile::tempdir().unwrap();
            starter.write(folder.path()).unwrap();
            let site = Site::load(folder.path()).unwrap_or_else(|problems| panic!("{starter:?}: {problems:#?}"));
            let outcomes = cases::run(&site, 1_800_000_000);
            assert!(outcomes.len() > 4, "{starter:?} has cases");
            assert_eq!(cases::failures(&outcomes), [], "{starter:?}");
            for source in &site.sources {
                let laid_out = formatted(&source.text).unwrap();
                assert_eq!(source.text, laid_out, "`hoop policy fmt`: {starter:?} {}", source.path.display());
            }
            for (name, line) in
                [("gateway.toml", "./schema/gateway.json"), ("tests/cases.toml", "../schema/tests.json")]
            {
                let text = fs::read_to_string(folder.path().join(name)).unwrap();
                assert_eq!(text.lines().next().unwrap(), format!("#:schema {line}"));
                let beside = folder.path().join(name).parent().unwrap().join(line);
                serde_json::from_str::<serde_json::Value>(&fs::read_to_string(beside).unwrap()).unwrap();
            }
            fs::write(folder.path().join("masking.toml"), "mine").unwrap();
            assert_eq!(starter.write(folder.path()).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read_to_string(folder.path().join("masking.toml")).unwrap(), "mine");
        }
    }
}
