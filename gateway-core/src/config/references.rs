//! What an applied site may refer to: secrets and files of the gateway's machine that its operator gave to it, not those
//! that whoever applies can name.
//!
//! Who may administer a gateway is not thereby allowed to have it read its environment, its files or its programs and
//! send what it finds to a server of their choice. A connection may use what the start folder uses for the same
//! upstream in the same way; anything else only where `[apply] references` of gateway.toml says so.

use std::path::{Component, Path, PathBuf};

use super::{
    Connection, Credential, HttpCredential, Problem, SecretReference, Site, SshCredential, UpstreamTls, secrets_of,
};

/// `[apply] references`: `env:PG_*`, `file:secrets/*`, `vault:hoop/*`. A `*` at the end stands for any rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferencePattern(String);

impl ReferencePattern {
    /// Reads a pattern; that of a file is relative to `root`.
    pub(super) fn read(text: &str, root: &Path) -> Result<Self, &'static str> {
        let Some((scheme, rest)) = text.split_once(':') else { return Err("it has no scheme, as in `env:PG_*`") };
        if scheme == "exec" {
            return Err("programs are those of the start folder only");
        }
        if rest.strip_suffix('*').unwrap_or(rest).contains('*') {
            return Err("`*` stands at the end only");
        }
        if rest.is_empty() {
            return Err("it names nothing; `env:*` would allow every variable");
        }
        Ok(Self(if scheme == "file" { format!("file:{}", root.join(rest).display()) } else { text.to_owned() }))
    }

    fn covers(&self, reference: &str) -> bool {
        // A path that climbs is under no folder.
        let climbs = reference
            .strip_prefix("file:")
            .is_some_and(|path| Path::new(path).components().any(|part| part == Component::ParentDir));
        match self.0.strip_suffix('*') {
            // Its arguments are not shown, so that no pattern could tell them apart.
            _ if climbs || reference.starts_with("exec:") => false,
            Some(prefix) => reference.starts_with(prefix),
            None => reference == self.0,
        }
    }
}

/// Where an applied site refers to what neither the start folder nor the operator's list gives it.
pub fn ungranted(applied: &Site, start: &Site, allowed: &[ReferencePattern]) -> Vec<Problem> {
    applied.connections.iter().filter_map(|connection| problem(connection, start, allowed)).collect()
}

fn problem(connection: &Connection, start: &Site, allowed: &[ReferencePattern]) -> Option<Problem> {
    if start.connections.iter().any(|known| reaches_alike(known, connection)) {
        return None;
    }
    let references = references(connection);
    let refused = references.iter().find(|reference| !allowed.iter().any(|pattern| pattern.covers(reference)))?;
    // A file's place on the gateway's machine is nobody's business.
    let scheme = refused.split_once(':').map_or("", |(scheme, _)| scheme);
    Some(Problem {
        file: PathBuf::from("connections.toml"),
        line: 0,
        column: 0,
        message: format!(
            "connection `{}` uses an `{scheme}:` reference that the start folder does not use for this upstream",
            connection.name
        ),
        fix: "have the gateway's operator add it to `[apply] references` of gateway.toml".to_owned(),
    })
}

/// The same secrets, to the same place, by the same way.
fn reaches_alike(known: &Connection, connection: &Connection) -> bool {
    let place = |one: &Connection| one.http.as_ref().map(|http| (http.authority.clone(), http.secure));
    known.kind == connection.kind
        && known.upstream == connection.upstream
        && known.tls == connection.tls
        && known.credential == connection.credential
        && place(known) == place(connection)
        && known.ssh.as_ref().map(|ssh| &ssh.trust) == connection.ssh.as_ref().map(|ssh| &ssh.trust)
}

/// Everything on the gateway's machine, or kept by it, that a connection refers to.
fn references(connection: &Connection) -> Vec<String> {
    let secrets: Vec<&SecretReference> = match &connection.credential {
        Credential::Password { secret, .. }
        | Credential::Ssh(SshCredential::Key { secret, .. })
        | Credential::VaultRole { secret, .. } => vec![secret],
        Credential::EphemeralRole(role) => role.secret.iter().collect(),
        Credential::Trust { .. } | Credential::Ssh(SshCredential::Certificate { .. }) => Vec::new(),
        Credential::Http(credential) => {
            let (secret, session_token) = secrets_of(credential);
            secret.into_iter().chain(session_token).collect()
        }
    };
    let certificates = match &connection.tls {
        UpstreamTls::VerifyFull { ca_file: Some(file) } => Some(format!("file:{}", file.display())),
        UpstreamTls::VerifyFull { ca_file: None } | UpstreamTls::Disable | UpstreamTls::Require => None,
    };
    secrets.into_iter().map(ToString::to_string).chain(certificates).chain(standing(connection)).collect()
}

/// What an upstream gives to whoever comes from the gateway's machine, without any secret.
fn standing(connection: &Connection) -> Option<String> {
    let upstream = &connection.upstream;
    match &connection.credential {
        Credential::Trust { username } => Some(format!("trust:{username}@{upstream}")),
        Credential::EphemeralRole(role) if role.secret.is_none() => Some(format!("trust:{}@{upstream}", role.username)),
        Credential::Http(HttpCredential::None) if upstream.is_loopback() || upstream.host.starts_with("169.254.") => {
            Some(format!("address:{upstream}"))
        }
        // Whoever trusts the gateway's authority lets it in.
        Credential::Ssh(SshCredential::Certificate { username }) => Some(format!("certificate:{username}@{upstream}")),
        Credential::Password { .. }
        | Credential::EphemeralRole(_)
        | Credential::VaultRole { .. }
        | Credential::Ssh(SshCredential::Key { .. })
        | Credential::Http(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_says_and_no_path_climbs_out_of_it() {
        let root = Path::new("/site");
        let pattern = |text: &str| ReferencePattern::read(text, root).unwrap();
        assert!(pattern("env:PG_*").covers("env:PG_PROD"));
        assert!(!pattern("env:PG_*").covers("env:AWS_SECRET"));
        assert!(!pattern("env:PG_PROD").covers("env:PG_PROD2"));
        assert!(pattern("file:secrets/*").covers("file:/site/secrets/a"));
        assert!(!pattern("file:secrets/*").covers("file:/site/secrets/../keys/token"));
        assert!(!pattern("file:secrets/*").covers("file:/site/keys/token"));
        for wrong in ["PG_PROD", "env:*_X", "env:", "exec:/bin/*"] {
            assert!(ReferencePattern::read(wrong, root).is_err(), "{wrong}");
        }
    }
}
