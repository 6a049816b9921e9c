//! Where a secret is, never what it is. `credential` resolves it whenever it is needed; nothing here reads one.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// A reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretReference {
    /// `env:NAME`: an environment variable of the gateway.
    Environment(String),
    /// `file:PATH`: the content of a file, without its last newline. A relative path was joined to the site.
    File(PathBuf),
    /// `store:NAME`: one that `hoop secrets set` put into the gateway's own store.
    Store(SecretName),
    /// `vault:PATH#FIELD`: of a HashiCorp Vault or an OpenBao.
    Vault(VaultPath),
    /// `exec:PROGRAM ARGUMENT…`: what a program writes.
    Command(SecretCommand),
    /// `keyring:ACCOUNT`: of the operating system's keyring, under the service `hoop-gateway`.
    Keyring(String),
}

/// The name of a secret in the gateway's own store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretName(String);

impl SecretName {
    /// The longest name, in bytes.
    const MOST_BYTES: usize = 128;

    /// Letters, digits, and `-_./` between them.
    pub fn parse(text: &str) -> Result<Self, SecretReferenceError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        let valid = text.len() <= Self::MOST_BYTES
            && text.bytes().all(is_plain)
            && text.split('/').all(|part| !part.is_empty() && part.bytes().any(|byte| byte != b'.'));
        if valid { Ok(Self(text.to_owned())) } else { Err(SecretReferenceError::Name) }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A path in a Vault, and the field that is meant there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VaultPath {
    /// The path as its HTTP API has it, without `/v1/`: `secret/data/pg`.
    pub path: String,
    /// The field; `None` where the path gives a whole login.
    pub field: Option<String>,
}

/// A program and its arguments. No shell reads them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretCommand {
    /// The program, with its whole path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// Arguments are not shown: somebody may have written there what is none of a log's business.
impl fmt::Debug for SecretCommand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SecretCommand").field("program", &self.program).finish_non_exhaustive()
    }
}

/// Why a text is no reference. Never shows the text, which may be the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretReferenceError {
    /// It has no known scheme.
    #[error("a literal secret stands in the file")]
    Literal,
    /// `env:` with something that names no variable.
    #[error("`env:` is not followed by the name of a variable")]
    Variable,
    /// `file:` with nothing.
    #[error("`file:` is not followed by a path")]
    Path,
    /// `store:` with something that is no name.
    #[error("`store:` is not followed by a name of letters, digits and `-_./`")]
    Name,
    /// `vault:` with something that is no path.
    #[error("`vault:` is not followed by a path and a field, as in `vault:secret/data/pg#password`")]
    Vault,
    /// `exec:` with something that cannot be started.
    #[error(
        "`exec:` is not followed by the whole path of a program and its arguments, apart by spaces or as a JSON list"
    )]
    Command,
    /// `keyring:` with nothing.
    #[error("`keyring:` is not followed by the name of an account")]
    Account,
}

impl SecretReference {
    /// Reads a reference; a relative path is relative to `root`.
    pub fn parse(text: &str, root: &Path) -> Result<Self, SecretReferenceError> {
        match text.split_once(':') {
            Some(("env", name)) if is_variable(name) => Ok(Self::Environment(name.to_owned())),
            Some(("env", _)) => Err(SecretReferenceError::Variable),
            Some(("file", "")) => Err(SecretReferenceError::Path),
            Some(("file", path)) => Ok(Self::File(root.join(path))),
            Some(("store", name)) => SecretName::parse(name).map(Self::Store),
            Some(("vault", path)) => VaultPath::parse(path).map(Self::Vault),
            Some(("exec", command)) => SecretCommand::parse(command, root).map(Self::Command),
            Some(("keyring", account)) if is_account(account) => Ok(Self::Keyring(account.to_owned())),
            Some(("keyring", _)) => Err(SecretReferenceError::Account),
            _ => Err(SecretReferenceError::Literal),
        }
    }

    /// Whether it can be had without anything but this machine.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Environment(_) | Self::File(_) | Self::Command(_) | Self::Keyring(_))
    }
}

impl VaultPath {
    fn parse(text: &str) -> Result<Self, SecretReferenceError> {
        let (path, field) = match text.split_once('#') {
            Some((path, field)) => (path, Some(field)),
            None => (text, None),
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./@".contains(&byte);
        let parts_are_names = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        let has_field = field.is_none_or(|field| !field.is_empty() && field.bytes().all(is_plain));
        if path.len() > 512 || !path.contains('/') || !path.bytes().all(is_plain) || !parts_are_names || !has_field {
            return Err(SecretReferenceError::Vault);
        }
        Ok(Self { path: path.to_owned(), field: field.map(str::to_owned) })
    }
}

impl SecretCommand {
    fn parse(text: &str, root: &Path) -> Result<Self, SecretReferenceError> {
        let words: Vec<String> = if text.trim_start().starts_with('[') {
            serde_json::from_str(text).map_err(|_malformed| SecretReferenceError::Command)?
        } else if text.contains(['"', '\'', '\\', '$', '`']) {
            // No shell reads it: who writes such a sign expects one.
            return Err(SecretReferenceError::Command);
        } else {
            text.split_whitespace().map(str::to_owned).collect()
        };
        let mut words = words.into_iter();
        // A bare name would be sought in a PATH that is not this file's to know.
        let program = words.next().filter(|program| program.contains('/')).ok_or(SecretReferenceError::Command)?;
        Ok(Self { program: root.join(program), arguments: words.collect() })
    }
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_account(name: &str) -> bool {
    !name.is_empty() && name.len() <= 128 && name.bytes().all(|byte| byte.is_ascii_graphic())
}

impl fmt::Display for SecretReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(formatter, "env:{name}"),
            Self::File(path) => write!(formatter, "file:{}", path.display()),
            Self::Store(name) => write!(formatter, "store:{name}"),
            Self::Vault(VaultPath { path, field: None }) => write!(formatter, "vault:{path}"),
            Self::Vault(VaultPath { path, field: Some(field) }) => write!(formatter, "vault:{path}#{field}"),
            Self::Command(command) => write!(formatter, "exec:{} …", command.program.display()),
            Self::Keyring(account) => write!(formatter, "keyring:{account}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SecretReference, SecretReferenceError> {
        SecretReference::parse(text, Path::new("/site"))
    }

    #[test]
    fn every_scheme_is_read_and_shown_without_arguments() {
        for text in ["env:PW", "file:/run/pw", "store:pg/prod", "vault:secret/data/pg#password", "keyring:hoop"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        let command = parse("exec:bin/pass show pg").unwrap();
        assert_eq!(command.to_string(), "exec:/site/bin/pass …");
        assert!(!format!("{command:?}").contains("show"));
        let listed = parse(r#"exec:["/bin/pass", "two words"]"#).unwrap();
        let SecretReference::Command(listed) = listed else { panic!("a command") };
        assert_eq!(listed.arguments, ["two words"]);
    }

    #[test]
    fn what_is_no_reference_is_refused_and_not_repeated() {
        for text in [
            "hunter2",
            "env:a b",
            "file:",
            "store:",
            "store:../x",
            "store:a b",
            "vault:x",
            "vault:secret/../sys/raw#x",
            "vault:secret/data/a#",
            "vault:/v1/x#y",
            "exec:pass show",
            "exec:/bin/sh -c 'cat x'",
            "exec:[1]",
            "exec:",
            "keyring:",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
