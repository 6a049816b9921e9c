//! A whole site: every file of the folder, read, checked and joined.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    AgentRule, Connection, GatewayConfig, Masking, PolicyCase, Problem, agents, cases, connection, gateway, masking,
    reader::Document, workload,
};
use crate::policy::{PolicySet, PolicySource, TagNames};

/// The most files in `policies` or `tests`.
const MAX_FILES: usize = 1000;

/// A validated site.
#[derive(Debug, Clone)]
pub struct Site {
    /// The folder; paths inside files are relative to it. `None` for the built-in development site.
    pub root: Option<PathBuf>,
    /// `gateway.toml`.
    pub gateway: GatewayConfig,
    /// `connections.toml`, in the order of the file.
    pub connections: Vec<Connection>,
    /// `masking.toml`.
    pub masking: Masking,
    /// `agents.toml`.
    pub agents: Vec<AgentRule>,
    /// `policies/*.cedar`, as text.
    pub sources: Vec<PolicySource>,
    /// The same, loaded.
    pub policies: PolicySet,
    /// `tests/*.toml`.
    pub cases: Vec<PolicyCase>,
}

impl Site {
    /// Reads a site folder; on failure every problem with its place. `masking.toml`, `agents.toml` and `tests` may be
    /// absent; a site without policies refuses everything.
    pub fn load(directory: &Path) -> Result<Self, Vec<Problem>> {
        let mut files = Files { root: directory, problems: Vec::new() };
        let gateway_text = files.read("gateway.toml", Presence::Required);
        let connections_text = files.read("connections.toml", Presence::Required);
        let masking_text = files.read("masking.toml", Presence::Optional);
        let agents_text = files.read("agents.toml", Presence::Optional);
        let sources = files.folder("policies", "cedar");
        let case_texts = files.folder("tests", "toml");
        let gateway = files.parse("gateway.toml", &gateway_text, |document| gateway::read(document, directory));
        let connections =
            files.parse("connections.toml", &connections_text, |document| connection::read(document, directory));
        if let Some(gateway) = &gateway {
            let taken = connections.iter().filter_map(|one| Some((one, one.native?)));
            for (one, native) in taken.filter(|(_, native)| connection::collide(native.address, gateway.listen)) {
                let message =
                    format!("connection `{}` listens on {}, where the gateway does", one.name, native.address);
                files.problem(PathBuf::from("connections.toml"), message, "give it another port".to_owned());
            }
        }
        let masking = files.parse("masking.toml", &masking_text, |document| masking::read(document, &connections));
        let agents = files.parse("agents.toml", &agents_text, agents::read);
        // A development gateway's own provider has an address that no file can know.
        if let Some(gateway) = gateway.as_ref().filter(|gateway| gateway.identity.names_a_provider()) {
            let identity = &gateway.identity;
            for agent in workload::unreachable(&agents, identity.oidc.as_ref(), &identity.workloads) {
                let message = format!("no token can be the agent `{}`: its issuer is not believed", agent.name);
                let fix = format!("add [[identity.workload]] with issuer = \"{}\" to gateway.toml", agent.issuer);
                files.problem(PathBuf::from("agents.toml"), message, fix);
            }
        }
        let cases = case_texts.iter().flat_map(|(path, text)| files.parse(path, text, cases::read)).collect();
        let sources: Vec<_> = sources.into_iter().map(|(path, text)| PolicySource { path, text }).collect();
        let policies = PolicySet::load(&sources, &TagNames(masking.tag_names()))
            .map_err(|problems| files.problems.extend(problems))
            .ok();
        match (gateway, policies, files.problems) {
            (Some(gateway), Some(policies), problems) if problems.is_empty() => Ok(Self {
                root: Some(directory.to_owned()),
                gateway,
                connections,
                masking,
                agents,
                sources,
                policies,
                cases,
            }),
            (_, _, problems) => Err(problems),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Required,
    Optional,
}

/// The files of a site, and what was wrong with them so far.
struct Files<'root> {
    root: &'root Path,
    problems: Vec<Problem>,
}

impl Files<'_> {
    fn read(&mut self, name: &str, presence: Presence) -> String {
        match fs::read_to_string(self.root.join(name)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && presence == Presence::Optional => String::new(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let fix = format!(
                    "a site is a folder with gateway.toml, connections.toml and policies; {} is none",
                    self.root.display()
                );
                self.problem(PathBuf::from(name), "there is no such file".to_owned(), fix);
                String::new()
            }
            Err(error) => {
                self.problem(
                    PathBuf::from(name),
                    format!("cannot be read: {error}"),
                    "make it readable UTF-8 text".to_owned(),
                );
                String::new()
            }
        }
    }

    /// The files of a folder with this ending, in the order of their names; the folder may be absent.
    fn folder(&mut self, name: &str, ending: &str) -> Vec<(PathBuf, String)> {
        let entries = match fs::read_dir(self.root.join(name)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                self.problem(
                    PathBuf::from(name),
                    format!("cannot be read: {error}"),
                    "make it a readable folder".to_owned(),
                );
                return Vec::new();
            }
        };
        let mut names = Vec::new();
        for entry in entries.take(MAX_FILES + 1) {
            match entry {
                Ok(entry) => names.push(Path::new(name).join(entry.file_name())),
                Err(error) => {
                    self.problem(
                        PathBuf::from(name),
                        format!("cannot be listed: {error}"),
                        "make it readable".to_owned(),
                    );
                }
            }
        }
        if names.len() > MAX_FILES {
            self.problem(PathBuf::from(name), format!("more than {MAX_FILES} files"), "join some of them".to_owned());
            return Vec::new();
        }
        names.retain(|path| path.extension().is_some_and(|extension| extension == ending));
        names.sort();
        names.into_iter().map(|path| (path.clone(), self.read(&path.to_string_lossy(), Presence::Required))).collect()
    }

    fn parse<T>(&mut self, file: impl AsRef<Path>, text: &str, read: impl FnOnce(&Document<'_>) -> T) -> T {
        let document = Document::new(file.as_ref().to_owned(), text);
        let value = read(&document);
        // A required file that is absent was told already; its missing keys are not told again.
        let told = self.problems.iter().any(|problem| problem.file == file.as_ref() && problem.line == 0);
        if !told {
            self.problems.extend(document.into_problems());
        }
        value
    }

    fn problem(&mut self, file: PathBuf, message: String, fix: String) {
        self.problems.push(Problem { file, line: 0, column: 0, message, fix });
    }
}
