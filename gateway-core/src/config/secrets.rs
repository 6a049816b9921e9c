//! `[secrets]` of `gateway.toml`: what opens the gateway's own store of secrets, and where a Vault is.
//!
//! Holds references only. Called by `gateway`.

use std::path::{Path, PathBuf};

use url::Url;

use super::{SecretReference, gateway::issuer_address, reader::Table};

/// Where secrets come from that neither a variable nor a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecretsConfig {
    /// The master key of the store; a file in the data directory where nothing is said.
    pub key: Option<SecretReference>,
    /// The one before it: what is still wrapped with that is wrapped anew at the next start.
    pub previous_key: Option<SecretReference>,
    /// The Vault that `vault:` means.
    pub vault: Option<VaultConfig>,
}

/// A HashiCorp Vault or an OpenBao.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultConfig {
    /// Its address, without a path.
    pub address: Url,
    /// The namespace, where it has such.
    pub namespace: Option<String>,
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How the gateway logs in.
    pub login: VaultLogin,
}

/// How the gateway logs in to a Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultLogin {
    /// With a token that somebody else renews.
    Token(SecretReference),
    /// As an AppRole.
    AppRole {
        /// Where it is mounted.
        mount: String,
        /// The role's id.
        role_id: SecretReference,
        /// Its secret.
        secret_id: SecretReference,
    },
    /// As a service account of Kubernetes.
    Kubernetes {
        /// Where it is mounted.
        mount: String,
        /// The role there.
        role: String,
        /// The service account's token.
        token: SecretReference,
    },
}

/// Where Kubernetes puts the token of a service account.
const SERVICE_ACCOUNT: &str = "file:/var/run/secrets/kubernetes.io/serviceaccount/token";

pub(super) fn read(table: &mut Table<'_>, root: &Path) -> SecretsConfig {
    let key = local(table, "key", root);
    let previous_key = local(table, "previous_key", root);
    let vault = table.table("vault").and_then(|mut inner| {
        let vault = vault(&mut inner, root);
        inner.finish();
        vault
    });
    SecretsConfig { key, previous_key, vault }
}

/// A reference that opens other references may not be one of those.
fn local(table: &mut Table<'_>, key: &'static str, root: &Path) -> Option<SecretReference> {
    const FIX: &str = "write env:, file:, exec: or keyring:";
    let text = table.text(key)?;
    match SecretReference::parse(text.get_ref(), root) {
        Ok(reference) if reference.is_local() => Some(reference),
        Ok(_circular) => {
            table.problem(&text.span(), format!("secrets.{key} would need itself to be read"), FIX);
            None
        }
        Err(error) => {
            table.problem(&text.span(), format!("secrets.{key}: {error}"), FIX);
            None
        }
    }
}

fn needed(table: &mut Table<'_>, key: &'static str, root: &Path) -> Option<SecretReference> {
    let (before, reference) = (table.has(key), local(table, key, root));
    if !before {
        table.missing(key, &format!("{key} = \"file:PATH\""));
    }
    reference
}

fn vault(table: &mut Table<'_>, root: &Path) -> Option<VaultConfig> {
    const ADDRESS: &str = "address = \"https://vault.internal:8200\"";
    let address = table.required("address", ADDRESS);
    let address = table.parsed("address", address, ADDRESS, |text| match Url::parse(text) {
        Ok(url) if url.path() != "/" || url.query().is_some() || !url.username().is_empty() => {
            Err("it holds more than host and port")
        }
        Ok(url) => {
            issuer_address(text).map(|()| url).map_err(|_weak| "a Vault is reached by https, or on this machine")
        }
        Err(_unread) => Err("it is no URL"),
    });
    let namespace = table.text("namespace").map(toml::Spanned::into_inner);
    let ca_file = table.text("ca_file").map(|path| root.join(path.get_ref()));
    let auth = table.required("auth", "auth = \"approle\"")?;
    let mount = table.text("mount").map(toml::Spanned::into_inner);
    let login = match auth.get_ref().as_str() {
        "token" => VaultLogin::Token(needed(table, "token", root)?),
        "approle" => {
            let (role_id, secret_id) = (needed(table, "role_id", root), needed(table, "secret_id", root));
            let mount = mount.unwrap_or_else(|| "approle".to_owned());
            VaultLogin::AppRole { mount, role_id: role_id?, secret_id: secret_id? }
        }
        "kubernetes" => {
            let role = table.required("role", "role = \"hoop\"")?.into_inner();
            let token = local(table, "token", root);
            let token = token.or_else(|| SecretReference::parse(SERVICE_ACCOUNT, root).ok());
            let mount = mount.unwrap_or_else(|| "kubernetes".to_owned());
            VaultLogin::Kubernetes { mount, role, token: token? }
        }
        _ => {
            table.problem(&auth.span(), "there is no such way to log in", "write token, approle or kubernetes");
            return None;
        }
    };
    Some(VaultConfig { address: address?, namespace, ca_file, login })
}

#[cfg(test)]
mod tests {
    use super::{super::reader::Document, *};

    fn section(text: &str) -> Option<SecretsConfig> {
        let document = Document::new(PathBuf::from("gateway.toml"), text);
        let config = document.root().map(|mut table| {
            let config = read(&mut table, Path::new("/site"));
            table.finish();
            config
        });
        if document.into_problems().is_empty() { config } else { None }
    }

    #[test]
    fn reads_every_way_to_log_in_and_refuses_circles_and_plain_addresses() {
        let vault = |more: &str| section(&format!("[vault]\naddress = \"https://v:8200\"\n{more}"));
        assert!(section("").unwrap().key.is_none());
        assert!(section("key = \"exec:/bin/kms decrypt\"\nprevious_key = \"keyring:old\"").is_some());
        assert!(vault("auth = \"token\"\ntoken = \"env:T\"").is_some());
        assert!(vault("auth = \"approle\"\nrole_id = \"file:r\"\nsecret_id = \"file:s\"").is_some());
        assert!(vault("auth = \"kubernetes\"\nrole = \"hoop\"").is_some());
        for wrong in ["auth = \"approle\"\nrole_id = \"file:r\"", "auth = \"userpass\"", "auth = \"token\""] {
            assert!(vault(wrong).is_none(), "{wrong}");
        }
        assert!(section("key = \"store:x\"").is_none());
        assert!(section("key = \"c2VjcmV0\"").is_none());
        assert!(section("[vault]\naddress = \"http://v:8200\"\nauth = \"token\"\ntoken = \"env:T\"").is_none());
        assert!(vault("auth = \"token\"\ntoken = \"vault:secret/data/x#y\"").is_none());
    }
}
