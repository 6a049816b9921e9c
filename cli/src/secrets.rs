//! `hoop secrets`: values go from standard input to the gateway, and never through an argument, a variable or a screen.

use std::io::{IsTerminal as _, Read as _};

use comfy_table::Table;
use crossterm::{
    event::{Event, KeyCode, KeyEventKind, KeyModifiers, read},
    terminal,
};
use hoop_gateway_core::api::types::{SecretItem, SecretVersion, SetSecret};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    api_client::Api,
    arguments::{OneSecret, SecretsArguments, SecretsCommand},
    context::Context,
    failure::{ExitStatus, Failure},
    output::printable_line,
};

/// The longest value that is read.
const MOST_BYTES: u64 = 48 * 1024;

/// Runs one of the subcommands.
pub(crate) async fn run(arguments: SecretsArguments, context: &Context) -> Result<ExitStatus, Failure> {
    match arguments.command {
        SecretsCommand::Set(one) => set(&one, false, context).await?,
        SecretsCommand::Rotate(one) => set(&one, true, context).await?,
        SecretsCommand::Ls => {
            let secrets: Vec<SecretItem> = Api::new(context).await?.get("/api/v1/secrets").await?;
            context.output.list("secrets", &secrets, |secrets| table(context, secrets))?;
        }
        SecretsCommand::Rm(one) => {
            let path = format!("/api/v1/secrets/{}/remove", part(&one.name)?);
            Api::new(context).await?.post::<_, ()>(&path, &()).await?;
            context.output.say(&format!("{} is gone; who refers to it cannot connect", one.name));
        }
    }
    Ok(ExitStatus::SUCCESS)
}

async fn set(one: &OneSecret, rotate: bool, context: &Context) -> Result<(), Failure> {
    let path = format!("/api/v1/secrets/{}", part(&one.name)?);
    // The login first: nobody types a secret for nothing.
    let mut api = Api::new(context).await?;
    let value = value(&one.name, context)?;
    let kept: SecretVersion = api.post(&path, &SetSecret { value, rotate }).await?;
    context.output.value("secret", &kept, |kept| format!("store:{} is at version {}", kept.name, kept.version))
}

/// From a pipe as it is, without its last line break; at a terminal typed, unseen.
fn value(name: &str, context: &Context) -> Result<String, Failure> {
    let broken = |error: std::io::Error| Failure::failed("the value could not be read").caused_by(&error);
    let mut value = String::new();
    if std::io::stdin().is_terminal() {
        if context.no_input {
            return Err(Failure::usage("the value of the secret is missing").next("give it on standard input"));
        }
        context.output.ask(&format!("value of {name}, unseen: "));
        let unseen = Unseen::begin().map_err(broken)?;
        let line = typed();
        drop(unseen);
        // The line that was typed was not ended on the screen either.
        context.output.say("");
        value = line.map_err(broken)?.ok_or_else(Failure::interrupted)?;
    } else {
        std::io::stdin().lock().take(MOST_BYTES + 2).read_to_string(&mut value).map_err(broken)?;
        if value.ends_with('\n') {
            value.pop();
            if value.ends_with('\r') {
                value.pop();
            }
        }
    }
    if value.is_empty() || value.len() as u64 > MOST_BYTES {
        return Err(Failure::usage("a secret has 1 to 49152 bytes"));
    }
    Ok(value)
}

/// What is typed is not shown while this lives.
struct Unseen;

impl Unseen {
    fn begin() -> std::io::Result<Self> {
        terminal::enable_raw_mode().map(|()| Self)
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        if let Err(error) = terminal::disable_raw_mode() {
            tracing::warn!(%error, "the terminal could not be put back; type `reset`");
        }
    }
}

/// One line of keys; `None` where the person gave up.
fn typed() -> std::io::Result<Option<String>> {
    let mut value = String::new();
    loop {
        let Event::Key(key) = read()? else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        let controls = key.modifiers.contains(KeyModifiers::CONTROL);
        if key.code == KeyCode::Enter {
            return Ok(Some(value));
        }
        if key.code == KeyCode::Esc || (controls && matches!(key.code, KeyCode::Char('c' | 'd'))) {
            return Ok(None);
        }
        if key.code == KeyCode::Backspace {
            value.pop();
        }
        if let (KeyCode::Char(letter), false) = (key.code, controls) {
            value.push(letter);
        }
    }
}

/// A name that becomes one part of a path.
fn part(name: &str) -> Result<String, Failure> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) || name.split('/').any(|one| one.trim_matches('.').is_empty()) {
        return Err(Failure::usage(format!("`{}` is no name of a secret", printable_line(name)))
            .next("use letters, digits and `-_./`, as in `pg/prod`"));
    }
    Ok(name.replace('/', "%2F"))
}

fn table(context: &Context, secrets: &[SecretItem]) -> Table {
    let mut table = context.output.new_table(&["name", "version", "changed", "by"]);
    for secret in secrets {
        let moment = OffsetDateTime::from_unix_timestamp(secret.changed_at_millis.div_euclid(1_000));
        let moment = moment.ok().and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_default();
        let (name, by) = (printable_line(&secret.name), printable_line(&secret.changed_by));
        table.add_row([name, secret.version.to_string(), moment, by]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_elsewhere() {
        assert_eq!(part("pg/prod").ok().as_deref(), Some("pg%2Fprod"));
        for name in ["", "..", "a/../b", "a//b", "a?b", "%2e", "a b"] {
            assert!(part(name).is_err(), "{name}");
        }
    }
}
