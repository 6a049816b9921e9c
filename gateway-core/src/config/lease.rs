//! `[connection.credential]` of the types that make a login for each session.
//!
//! Called by `connection`.

use std::{path::Path, time::Duration};

use super::{SecretReference, connection::Credential, reader::Table};

/// Roles of PostgreSQL that live as long as a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EphemeralRole {
    /// Who makes and drops them.
    pub username: String,
    /// Where that one's password is; none where the server trusts the gateway's address.
    pub secret: Option<SecretReference>,
    /// The template: what sessions work as.
    pub role: String,
    /// Who gets what such a role came to own itself; the template where nothing is said.
    pub reassign_to: Option<String>,
    /// Which sessions get one.
    pub per: LeasePer,
    /// How long one lives at most.
    pub lifetime: Duration,
}

impl EphemeralRole {
    /// Who gets what such a role came to own.
    pub fn heir(&self) -> &str {
        self.reassign_to.as_deref().unwrap_or(&self.role)
    }
}

/// Which sessions get a login of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LeasePer {
    /// Every one.
    #[default]
    Session,
    /// Those that an approval let in; it ends with the approval's window.
    Approval,
}

/// How long a login lives where nothing is said.
const USUAL_HOURS: u64 = 8;
/// And at most: a month.
const MOST_HOURS: u64 = 24 * 31;

pub(super) fn ephemeral_role(table: &mut Table<'_>, root: &Path) -> Option<Credential> {
    let username = role(table, "username", "username = \"hoop_maker\"");
    let template = role(table, "role", "role = \"app_readwrite\"");
    let reassign_to = table.text("reassign_to").map(toml::Spanned::into_inner);
    let secret = match table.text("secret") {
        Some(text) => Some(reference(table, &text, root)?),
        None => None,
    };
    let per = per(table);
    let lifetime = Duration::from_hours(hours(table));
    let (username, role) = (username?, template?);
    if username == role {
        table.problem(table.span(), "username and role are the same", "name a template that cannot make roles");
        return None;
    }
    Some(Credential::EphemeralRole(EphemeralRole { username, secret, role, reassign_to, per, lifetime }))
}

pub(super) fn vault_role(table: &mut Table<'_>, root: &Path) -> Option<Credential> {
    const EXAMPLE: &str = "secret = \"vault:database/creds/app\"";
    let role = role(table, "role", "role = \"app_readwrite\"");
    let text = table.required("secret", EXAMPLE)?;
    let per = per(table);
    match reference(table, &text, root)? {
        SecretReference::Vault(path) if path.field.is_none() => {
            Some(Credential::VaultRole { secret: SecretReference::Vault(path), role: role?, per })
        }
        SecretReference::Vault(_)
        | SecretReference::Environment(_)
        | SecretReference::File(_)
        | SecretReference::Store(_)
        | SecretReference::Command(_)
        | SecretReference::Keyring(_) => {
            let message = "connection.credential.secret is no path of a Vault that makes logins";
            table.problem(&text.span(), message, format!("write `{EXAMPLE}`, without a field"));
            None
        }
    }
}

fn hours(table: &mut Table<'_>) -> u64 {
    let Some(hours) = table.number("lifetime_hours") else { return USUAL_HOURS };
    if !(1..=MOST_HOURS).contains(hours.get_ref()) {
        let message = "connection.credential.lifetime_hours is out of range";
        table.problem(&hours.span(), message, format!("write a number from 1 to {MOST_HOURS}"));
        return USUAL_HOURS;
    }
    *hours.get_ref()
}

fn per(table: &mut Table<'_>) -> LeasePer {
    let per = table.text("per");
    let per = table.parsed("per", per, "per = \"session\"", |per| match per {
        "session" => Ok(LeasePer::Session),
        "approval" => Ok(LeasePer::Approval),
        _ => Err("use session or approval"),
    });
    per.unwrap_or_default()
}

/// The name of a role.
pub(super) fn role(table: &mut Table<'_>, key: &'static str, example: &str) -> Option<String> {
    let name = table.required(key, example);
    table.parsed(key, name, example, |name| {
        if name.is_empty() || name.len() > 63 { Err("a role has 1 to 63 bytes") } else { Ok(name.to_owned()) }
    })
}

pub(super) fn reference(table: &Table<'_>, text: &toml::Spanned<String>, root: &Path) -> Option<SecretReference> {
    match SecretReference::parse(text.get_ref(), root) {
        Ok(reference) => Some(reference),
        Err(error) => {
            let fix = "put it in a variable or a file, and write `secret = \"env:PG_PROD_PASSWORD\"` or \
                       `secret = \"file:PATH\"`, or one of store:, vault:, exec:, keyring:";
            table.problem(&text.span(), format!("connection.credential.secret: {error}"), fix);
            None
        }
    }
}
