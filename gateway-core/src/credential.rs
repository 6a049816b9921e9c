//! Where upstream secrets come from: a site names a reference, this resolves it when the gateway starts.
//!
//! The value is a `SecretString` from here on: no Debug, no Display, wiped on drop. Knows no protocol.

use std::{fs, io, path::PathBuf};

use secrecy::SecretString;

use crate::config::SecretReference;

/// The longest secret accepted, in bytes.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Why a secret could not be had. Never holds the secret.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The environment variable is not there.
    #[error("the environment variable `{0}` is not set; export it before the gateway starts")]
    Environment(String),
    /// The file could not be read.
    #[error("the secret file {} cannot be read", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The value is empty.
    #[error("the secret at `{0}` is empty")]
    Empty(String),
    /// The file is larger than a secret can be.
    #[error("the secret file {} is larger than {MAX_SECRET_BYTES} bytes", .0.display())]
    TooLong(PathBuf),
}

/// Resolves a reference to its value. One trailing line break of a file is not part of the secret.
pub fn resolve(reference: &SecretReference) -> Result<SecretString, CredentialError> {
    let value = match reference {
        SecretReference::Environment(name) => {
            std::env::var(name).map_err(|_absent| CredentialError::Environment(name.clone()))?
        }
        SecretReference::File(path) => {
            let failed = |source| CredentialError::File { path: path.clone(), source };
            if fs::metadata(path).map_err(failed)?.len() > MAX_SECRET_BYTES {
                return Err(CredentialError::TooLong(path.clone()));
            }
            let text = fs::read_to_string(path).map_err(failed)?;
            text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line)).to_owned()
        }
    };
    if value.is_empty() {
        return Err(CredentialError::Empty(reference.to_string()));
    }
    Ok(SecretString::from(value))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_files_last_line_break_is_not_part_of_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "two words\n").unwrap();
        let secret = resolve(&SecretReference::File(path)).unwrap();
        assert_eq!(secret.expose_secret(), "two words");
        assert!(!format!("{secret:?}").contains("two"));
    }

    #[test]
    fn an_absent_or_empty_secret_is_an_error_that_names_only_the_reference() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty");
        fs::write(&path, "\n").unwrap();
        assert!(matches!(resolve(&SecretReference::File(path)), Err(CredentialError::Empty(_))));
        let absent = SecretReference::Environment("HOOP_TEST_ABSENT_SECRET".into());
        assert!(resolve(&absent).unwrap_err().to_string().contains("HOOP_TEST_ABSENT_SECRET"));
    }
}
