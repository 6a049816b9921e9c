//! Containers and clusters: what looks, what runs inside, and all else, which has the rights of the machine.

use super::Run;
use crate::shell::{
    outcome::{Fact, Object, Verb},
    word::Word,
};

/// Options of kubectl that only say what to print; the others name servers, credentials and files.
const LOOKING: [&str; 26] = [
    "-n",
    "--namespace",
    "-A",
    "--all-namespaces",
    "-o",
    "--output",
    "-l",
    "--selector",
    "-w",
    "--watch",
    "-c",
    "--container",
    "--containers",
    "-f",
    "--follow",
    "-p",
    "--previous",
    "--tail",
    "--since",
    "--timestamps",
    "--show-labels",
    "--sort-by",
    "--field-selector",
    "--no-headers",
    "-L",
    "--client",
];

impl Run<'_, '_> {
    pub(super) fn container(&mut self) -> bool {
        match self.name {
            "docker" | "podman" | "nerdctl" | "crictl" => self.docker(),
            "kubectl" | "oc" | "k3s" | "helm" => self.kubectl(),
            _ => return false,
        }
        true
    }

    fn docker(&mut self) {
        let Some((command, rest)) = self.arguments.split_first() else { return self.seen.does(Verb::Read) };
        match command.literal() {
            Some(
                "ps" | "images" | "logs" | "version" | "info" | "top" | "port" | "diff" | "history" | "stats"
                | "--version",
            ) if self.literals().is_some() => {
                self.seen.does(Verb::Read);
            }
            Some("inspect") if self.literals().is_some() => {
                // It prints the environment, where passwords are.
                self.seen.fact(Fact::ReadsSecretFile);
                self.seen.does(Verb::Read);
            }
            Some("exec") => {
                let syntax = crate::shell::options::Syntax {
                    short: "itde:u:w:",
                    long: "interactive,tty,detach,env:,user:,workdir:",
                    stops: true,
                    is_meek: false,
                };
                let given = crate::shell::options::parse(self.seen, rest, syntax, self.command.place);
                self.inside(&given.operands);
            }
            Some(name) if !name.starts_with('-') => {
                self.seen.does_to(Verb::Administer, Object::Program(format!("{} {name}", self.name)));
            }
            _ => {
                self.seen.does_to(Verb::Administer, Object::Program(self.name.to_owned()));
                self.doubt("has an option that is not known");
            }
        }
    }

    /// `container command …`
    fn inside(&mut self, operands: &[Word]) {
        self.seen.does_to(Verb::Execute, Object::Program(format!("{} exec", self.name)));
        let Some((container, command)) = operands.split_first() else { return self.doubt("runs nothing") };
        match container.literal() {
            Some(name) => {
                let name = name.to_owned();
                self.elsewhere(&name, |run| {
                    run.again(command);
                });
            }
            None => self.doubt("runs in a container that depends on more than the text"),
        }
    }

    fn kubectl(&mut self) {
        let Some(literals) = self.literals() else { return };
        let literals: Vec<String> = literals.iter().map(|&word| word.to_owned()).collect();
        let command = literals.first().map(String::as_str).unwrap_or_default();
        let is_kubectl = matches!(self.name, "kubectl" | "oc");
        let has_odd = literals.iter().any(|word| {
            word.starts_with('-') && !LOOKING.contains(&word.split('=').next().unwrap_or_default())
                || word.contains("-file")
                || (word == "-f" && command != "logs")
        });
        match command {
            "get" | "describe" | "logs" | "top" | "version" | "api-resources" | "explain" | "cluster-info"
                if is_kubectl && !has_odd =>
            {
                if literals.iter().any(|word| word.to_ascii_lowercase().contains("secret")) {
                    self.seen.fact(Fact::ReadsSecretFile);
                }
                self.seen.does(Verb::Read);
            }
            "exec" if is_kubectl => {
                self.seen.does_to(Verb::Execute, Object::Program("kubectl exec".to_owned()));
                let at = self.arguments.iter().position(|word| word.text == "--");
                match at.and_then(|at| self.arguments.get(at + 1..)) {
                    Some(command) => self.elsewhere("pod", |run| {
                        run.again(command);
                    }),
                    None => self.doubt("runs a command that is not marked off with --"),
                }
            }
            _ => self.seen.does_to(Verb::Administer, Object::Program(format!("{} {command}", self.name))),
        }
    }
}
