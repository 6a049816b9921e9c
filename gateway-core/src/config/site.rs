//! A whole site: every file of it, read, checked and joined.

use std::path::{Path, PathBuf};

use super::{
    AgentRule, Connection, GatewayConfig, Masking, PolicyCase, Problem, SiteFiles, agents, cases, connection, gateway,
    masking, reader::Document, workload,
};
use crate::policy::{PolicySet, PolicySource, TagNames};

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
    /// All of it as text; empty for the built-in development site.
    pub files: SiteFiles,
}

impl Site {
    /// Reads a site folder; on failure every problem with its place. `masking.toml`, `agents.toml` and `tests` may be
    /// absent; a site without policies refuses everything.
    pub fn load(directory: &Path) -> Result<Self, Vec<Problem>> {
        let (files, problems) = SiteFiles::read(directory);
        Self::read(files, directory, problems)
    }

    /// The site that these files make; relative paths in them are relative to `root`.
    pub fn of(files: SiteFiles, root: &Path) -> Result<Self, Vec<Problem>> {
        Self::read(files, root, Vec::new())
    }

    fn read(files: SiteFiles, root: &Path, problems: Vec<Problem>) -> Result<Self, Vec<Problem>> {
        let mut reading = Reading { problems };
        let text = |name: &str| files.text(name).to_owned();
        let gateway = reading.parse("gateway.toml", &text("gateway.toml"), |document| gateway::read(document, root));
        let connections =
            reading.parse("connections.toml", &text("connections.toml"), |document| connection::read(document, root));
        if let Some(gateway) = &gateway {
            let taken = connections.iter().filter_map(|one| Some((one, one.native?)));
            for (one, native) in taken.filter(|(_, native)| connection::collide(native.address, gateway.listen)) {
                let message =
                    format!("connection `{}` listens on {}, where the gateway does", one.name, native.address);
                reading.problem(PathBuf::from("connections.toml"), message, "give it another port".to_owned());
            }
        }
        let masking =
            reading.parse("masking.toml", &text("masking.toml"), |document| masking::read(document, &connections));
        let agents = reading.parse("agents.toml", &text("agents.toml"), agents::read);
        // A development gateway's own provider has an address that no file can know.
        if let Some(gateway) = gateway.as_ref().filter(|gateway| gateway.identity.names_a_provider()) {
            let identity = &gateway.identity;
            for agent in workload::unreachable(&agents, identity.oidc.as_ref(), &identity.workloads) {
                let message = format!("no token can be the agent `{}`: its issuer is not believed", agent.name);
                let fix = format!("add [[identity.workload]] with issuer = \"{}\" to gateway.toml", agent.issuer);
                reading.problem(PathBuf::from("agents.toml"), message, fix);
            }
        }
        let cases = files.folder("tests").flat_map(|(path, text)| reading.parse(path, text, cases::read)).collect();
        let sources: Vec<_> =
            files.folder("policies").map(|(path, text)| PolicySource { path, text: text.to_owned() }).collect();
        let policies = PolicySet::load(&sources, &TagNames(masking.tag_names()))
            .map_err(|problems| reading.problems.extend(problems))
            .ok();
        match (gateway, policies, reading.problems) {
            (Some(gateway), Some(policies), problems) if problems.is_empty() => Ok(Self {
                root: Some(root.to_owned()),
                gateway,
                connections,
                masking,
                agents,
                sources,
                policies,
                cases,
                files,
            }),
            (_, _, problems) => Err(problems),
        }
    }
}

/// What was wrong with the files so far.
struct Reading {
    problems: Vec<Problem>,
}

impl Reading {
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
