//! The files of a site as text: read from a folder, or sent by whoever applies one. Bounded, and only of known names.
//!
//! Knows no meaning of them; `site` reads that.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Component, Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::Problem;

/// The most files in `policies` or `tests`.
const MAX_FILES: usize = 1_000;
/// The longest file.
const MAX_FILE_BYTES: usize = 1 << 20;
/// The most that all files hold together.
pub const MAX_SITE_BYTES: usize = 4 << 20;

/// The files beside the folders, and whether a site must have them.
const ROOT_FILES: [(&str, Presence); 4] = [
    ("gateway.toml", Presence::Required),
    ("connections.toml", Presence::Required),
    ("masking.toml", Presence::Optional),
    ("agents.toml", Presence::Optional),
];
/// The folders, and the ending of what counts in them.
const FOLDERS: [(&str, &str); 2] = [("policies", "cedar"), ("tests", "toml")];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Required,
    Optional,
}

/// The files of a site by their paths in it: `gateway.toml`, `policies/access.cedar`. Order and names are settled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SiteFiles(BTreeMap<String, String>);

impl SiteFiles {
    /// Reads a folder; what cannot be read is a problem beside what could.
    pub fn read(directory: &Path) -> (Self, Vec<Problem>) {
        let mut reading = Reading { root: directory, files: BTreeMap::new(), problems: Vec::new() };
        for (name, presence) in ROOT_FILES {
            reading.file(name, presence);
        }
        for (folder, ending) in FOLDERS {
            reading.folder(folder, ending);
        }
        let (files, mut problems) = (Self(reading.files), reading.problems);
        problems.extend(files.oversize());
        (files, problems)
    }

    /// Takes files that somebody sent; refuses names that no site has, and more than a site may hold.
    pub fn sent(files: BTreeMap<String, String>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        for name in files.keys() {
            if !is_known(name) {
                let fix = "a site holds gateway.toml, connections.toml, masking.toml, agents.toml, policies/*.cedar and \
                           tests/*.toml";
                // Where it would lead is nobody's business; only that it is no name.
                problems.push(problem(Path::new(&printable(name)), "no site has a file of this name", fix));
            }
        }
        for (name, presence) in ROOT_FILES {
            if presence == Presence::Required && !files.contains_key(name) {
                problems.push(problem(Path::new(name), "there is no such file", "send the whole site"));
            }
        }
        for (folder, _) in FOLDERS {
            if files.keys().filter(|name| name.starts_with(folder)).count() > MAX_FILES {
                problems.push(problem(Path::new(folder), format!("more than {MAX_FILES} files"), "join some of them"));
            }
        }
        let files = Self(files);
        problems.extend(files.oversize());
        if problems.is_empty() { Ok(files) } else { Err(problems) }
    }

    fn oversize(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, text) in self.0.iter().filter(|(_, text)| text.len() > MAX_FILE_BYTES) {
            let message = format!("{} bytes, and a file may have {MAX_FILE_BYTES}", text.len());
            problems.push(problem(Path::new(name), message, "split the file"));
        }
        if self.0.values().map(String::len).sum::<usize>() > MAX_SITE_BYTES {
            let message = format!("the files hold more than {MAX_SITE_BYTES} bytes together");
            problems.push(problem(Path::new(""), message, "leave out what no policy needs"));
        }
        problems
    }

    /// The text of a file; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The files of a folder, in the order of their names.
    pub fn folder<'files>(&'files self, name: &'files str) -> impl Iterator<Item = (PathBuf, &'files str)> {
        let inside =
            self.0.iter().filter(move |(path, _)| path.split_once('/').is_some_and(|(folder, _)| folder == name));
        inside.map(|(path, text)| (PathBuf::from(path), text.as_str()))
    }

    /// Every file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The files by name.
    pub fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }

    /// What names exactly these files: SHA-256 over names and texts, in hex.
    pub fn digest(&self) -> String {
        let mut all = Vec::new();
        for (name, text) in &self.0 {
            for part in [name, text] {
                all.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                all.extend_from_slice(part.as_bytes());
            }
        }
        digest(&SHA256, &all).as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    }
}

/// Whether a site may hold a file of this name. No name leads out of it.
fn is_known(name: &str) -> bool {
    if ROOT_FILES.iter().any(|(known, _)| *known == name) {
        return true;
    }
    let Some((folder, file)) = name.split_once('/') else { return false };
    let plain = Path::new(file).components().eq([Component::Normal(file.as_ref())]) && !file.starts_with('.');
    let printable = file.chars().all(|character| !character.is_control()) && file.len() <= 255;
    let ending = Path::new(file).extension().and_then(|ending| ending.to_str());
    plain && printable && FOLDERS.iter().any(|(known, wanted)| *known == folder && ending == Some(*wanted))
}

fn printable(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(128).collect()
}

fn problem(file: &Path, message: impl Into<String>, fix: &str) -> Problem {
    Problem { file: file.to_owned(), line: 0, column: 0, message: message.into(), fix: fix.to_owned() }
}

/// A folder while it is read.
struct Reading<'root> {
    root: &'root Path,
    files: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn file(&mut self, name: &str, presence: Presence) {
        match fs::read_to_string(self.root.join(name)) {
            Ok(text) => drop(self.files.insert(name.to_owned(), text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && presence == Presence::Optional => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let fix = format!(
                    "a site is a folder with gateway.toml, connections.toml and policies; {} is none",
                    self.root.display()
                );
                self.problems.push(problem(Path::new(name), "there is no such file", &fix));
            }
            Err(error) => self.unreadable(name, &format!("cannot be read: {error}"), "make it readable UTF-8 text"),
        }
    }

    /// The files of a folder with this ending; the folder may be absent.
    fn folder(&mut self, name: &str, ending: &str) {
        let entries = match fs::read_dir(self.root.join(name)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                return self.unreadable(name, &format!("cannot be read: {error}"), "make it a readable folder");
            }
        };
        let mut names = Vec::new();
        for entry in entries.take(MAX_FILES + 1) {
            match entry {
                Ok(entry) => names.push(Path::new(name).join(entry.file_name())),
                Err(error) => self.unreadable(name, &format!("cannot be listed: {error}"), "make it readable"),
            }
        }
        if names.len() > MAX_FILES {
            return self.unreadable(name, &format!("more than {MAX_FILES} files"), "join some of them");
        }
        names.retain(|path| path.extension().is_some_and(|extension| extension == ending));
        for path in names {
            self.file(&path.to_string_lossy(), Presence::Required);
        }
    }

    fn unreadable(&mut self, name: &str, message: &str, fix: &str) {
        self.problems.push(problem(Path::new(name), message, fix));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> BTreeMap<String, String> {
        names.iter().map(|name| ((*name).to_owned(), String::new())).collect()
    }

    #[test]
    fn only_names_that_a_site_has_are_taken() {
        let whole = ["gateway.toml", "connections.toml"];
        assert!(SiteFiles::sent(files(&whole)).is_ok());
        assert!(SiteFiles::sent(files(&[&whole[..], &["policies/a.cedar", "tests/b.toml"]].concat())).is_ok());
        let wrong = [
            "../gateway.toml",
            "policies/../x.cedar",
            "policies/a/b.cedar",
            "policies/.cedar",
            "policies/.a.cedar",
            "keys/a",
            "policies/a.toml",
            "/etc/passwd",
            "policies//a.cedar",
            "policies/a\n.cedar",
            "tests/./a.toml",
        ];
        for wrong in wrong {
            let problems = SiteFiles::sent(files(&[&whole[..], &[wrong]].concat())).unwrap_err();
            assert_eq!(problems.len(), 1, "{wrong}");
        }
        assert_eq!(SiteFiles::sent(files(&["gateway.toml"])).unwrap_err().len(), 1);
    }

    #[test]
    fn more_than_a_site_may_hold_is_refused() {
        let mut sent = files(&["gateway.toml", "connections.toml"]);
        sent.insert("policies/a.cedar".to_owned(), "x".repeat(MAX_FILE_BYTES + 1));
        assert_eq!(SiteFiles::sent(sent).unwrap_err().len(), 1);
        let mut sent = files(&["gateway.toml", "connections.toml"]);
        for number in 0..5 {
            sent.insert(format!("policies/{number}.cedar"), "x".repeat(MAX_FILE_BYTES));
        }
        assert_eq!(SiteFiles::sent(sent).unwrap_err().len(), 1);
    }

    #[test]
    fn a_digest_tells_names_and_texts_apart() {
        let digest = |name: &str, text: &str| {
            let mut sent = files(&["gateway.toml", "connections.toml"]);
            sent.insert(name.to_owned(), text.to_owned());
            SiteFiles::sent(sent).unwrap().digest()
        };
        assert_eq!(digest("tests/a.toml", "b"), digest("tests/a.toml", "b"));
        assert_ne!(digest("tests/a.toml", "b"), digest("tests/ab.toml", ""));
        assert_ne!(digest("tests/a.toml", "b"), digest("tests/a.toml", "c"));
    }
}
