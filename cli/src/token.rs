//! `hoop token`: a password for a native client, once, for one connection.
//!
//! The password alone goes to standard output, for a variable; the command that uses it to standard error.

use std::path::Path;

use hoop_gateway_core::api::types::ConnectionToken;
use serde::Serialize;

use crate::{
    api_client::Api,
    arguments::TokenArguments,
    connect::ssh::KnownHost,
    context::Context,
    failure::{ExitStatus, Failure},
    trust::dev_ca_path,
};

/// Where systems keep the authorities that they trust, in the form that libpq of any version reads.
const SYSTEM_AUTHORITIES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// What a program that reads our output is told.
#[derive(Serialize)]
struct Printed {
    #[serde(flatten)]
    token: ConnectionToken,
    #[serde(flatten)]
    way: Way,
}

/// How to use it, without the password.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    /// A connection string of PostgreSQL.
    Conninfo(String),
    /// A command of SSH.
    Command(String),
}

/// Asks the gateway for a password and prints it.
pub(crate) async fn run(arguments: TokenArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let name = arguments.name;
    let path = format!("/api/v1/connections/{name}/token");
    let token: ConnectionToken = Api::new(context).await?.post(&path, &()).await?;
    let way = match &token.ssh {
        Some(keys) => {
            let known = KnownHost::remember(context, &context.gateway()?, keys)?;
            Way::Command(known.native_command(&token.host, token.port, &token.user))
        }
        None => Way::Conninfo(conninfo(&token, &authority(context)?)),
    };
    let printed = Printed { token, way };
    context.output.value("token", &printed, |printed| printed.token.password.clone())?;
    let how = match &printed.way {
        Way::Conninfo(conninfo) => format!("  PGPASSWORD=$(hoop token {name}) psql \"{}\"", shell_quoted(conninfo)),
        Way::Command(command) => format!("  {command}\nPaste it where ssh asks for a password."),
    };
    let minutes = CONNECTION_TOKEN_MINUTES;
    context.output.say(&format!("This password works once, for {name}, within {minutes} minutes:\n{how}"));
    Ok(ExitStatus::SUCCESS)
}

const CONNECTION_TOKEN_MINUTES: i64 = hoop_gateway_core::identity::CONNECTION_TOKEN_LIFE_SECONDS / 60;

/// What vouches for the gateway, as libpq is told.
pub(crate) fn authority(context: &Context) -> Result<String, Failure> {
    Ok(match dev_ca_path(&context.directories, &context.gateway()?) {
        Some(development) if development.exists() => development.display().to_string(),
        _ => system_authorities(),
    })
}

/// A bundle of the system's, or `system`, which libpq knows since 16.
fn system_authorities() -> String {
    let found = SYSTEM_AUTHORITIES.into_iter().find(|path| Path::new(path).exists());
    found.unwrap_or("system").to_owned()
}

/// Full verification and channel binding: nobody in between can have the password.
fn conninfo(token: &ConnectionToken, authority: &str) -> String {
    fields(&[
        ("host", token.host.as_str()),
        ("port", &token.port.to_string()),
        ("user", &token.user),
        ("dbname", token.database.as_str()),
        ("sslmode", "verify-full"),
        ("sslrootcert", authority),
        ("channel_binding", "require"),
    ])
}

/// A connection string as libpq reads it.
pub(crate) fn fields(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect::<Vec<_>>().join(" ")
}

/// What a shell's double quotes leave as it was.
fn shell_quoted(text: &str) -> String {
    let escape = |character: char| {
        let special = matches!(character, '\\' | '"' | '$' | '`');
        special.then_some('\\').into_iter().chain([character])
    };
    text.chars().flat_map(escape).collect()
}

/// A value as libpq reads it.
fn quoted(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@+".contains(&byte);
    if !value.is_empty() && value.bytes().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use hoop_gateway_core::model::ConnectionName;

    use super::*;

    #[test]
    fn the_command_verifies_the_gateway_and_binds_the_channel() {
        let token = ConnectionToken {
            id: "tok_1".into(),
            host: "gw.example.com".into(),
            port: 5432,
            user: "o'hara $(x)".into(),
            database: ConnectionName::new("pg-prod").unwrap(),
            ssh: None,
            password: "hoop_secret".into(),
            expires_at: 0,
            login_expires_at: 0,
        };
        let shown = conninfo(&token, "/etc/ssl/certs/ca-certificates.crt");
        assert_eq!(
            shown,
            "host=gw.example.com port=5432 user='o\\'hara $(x)' dbname=pg-prod sslmode=verify-full \
             sslrootcert=/etc/ssl/certs/ca-certificates.crt channel_binding=require"
        );
        assert!(!shown.contains("secret"));
        assert_eq!(shell_quoted("a\\b\"$`"), "a\\\\b\\\"\\$\\`");
    }
}
