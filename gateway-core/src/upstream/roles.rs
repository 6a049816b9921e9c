//! Roles of PostgreSQL that live as long as one session: made in the image of a template, with a password that only the
//! gateway knows, and dropped with everything that holds on to them.
//!
//! The statement that makes one holds a SCRAM verifier, so that no log of the server has the password. A session works
//! as the template (`ALTER ROLE … SET role`), so that what it makes belongs to the template from the start; what the role
//! itself came to own is reassigned before it is dropped. Works as a superuser and as a role with CREATEROLE that may
//! administer the template.

use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use postgres_protocol::password::scram_sha_256;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::{Client, NoTls};

use super::{Target, catalogue::reason, dial};
use crate::{
    config::EphemeralRole,
    credential::{
        Secrets,
        lease::{Answer, LeaseError, LendOrder, Lender, Lent, ReturnOrder},
    },
    record::{Own, Recorded},
    store::LeasePlace,
};

/// What the names of such roles begin with.
const PREFIX: &str = "hoop_";
/// Letters and digits behind it, five bits each.
const RANDOM_LETTERS: usize = 26;
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// How long connections may take to end when they are told to.
const TERMINATION: Duration = Duration::from_secs(5);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(20);
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes roles at one server.
#[derive(Debug)]
pub struct RoleLender {
    /// The server.
    pub target: Target,
    /// The database that sessions use: what a role owns can only be there.
    pub database: String,
    /// Who makes roles, in whose image.
    pub role: EphemeralRole,
    /// Where the maker's password is had.
    pub secrets: Secrets,
}

/// A name that nobody has and nobody guesses.
pub fn fresh_name() -> Result<String, LeaseError> {
    Ok(format!("{PREFIX}{}", letters(RANDOM_LETTERS)?))
}

fn letters(count: usize) -> Result<String, LeaseError> {
    let mut bytes = vec![0; count];
    rand::fill(&mut bytes).map_err(|_unspecified| LeaseError::Randomness)?;
    Ok(bytes.iter().filter_map(|byte| LETTERS.get(usize::from(byte & 31))).map(|letter| char::from(*letter)).collect())
}

/// Whether a name can be one of those: nothing else is ever dropped.
fn is_ours(name: &str) -> bool {
    let random = name.strip_prefix(PREFIX).filter(|random| random.len() == RANDOM_LETTERS);
    random.is_some_and(|random| random.bytes().all(|byte| LETTERS.contains(&byte)))
}

impl RoleLender {
    fn here(&self) -> LeasePlace {
        let Target { host, port, .. } = &self.target;
        LeasePlace { host: host.clone(), port: *port, database: self.database.clone() }
    }

    async fn client(&self, database: &str) -> Result<Client, LeaseError> {
        let mut login = tokio_postgres::Config::new();
        login.user(&self.role.username).dbname(database);
        login.application_name("hoop gateway").ssl_mode(tokio_postgres::config::SslMode::Disable);
        if let Some(reference) = &self.role.secret {
            login.password(self.secrets.value(reference).await?.expose_secret());
        }
        let wire = dial(&self.target).await?;
        let (client, connection) = login.connect_raw(wire, NoTls).await.map_err(|error| refused(&error))?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn make(&self, order: LendOrder) -> Result<Lent, LeaseError> {
        let LendOrder { name, ends_at_millis, comment } = order;
        if !is_ours(&name) {
            return Err(LeaseError::Foreign(name));
        }
        let password = SecretString::from(letters(52)?);
        let client = self.client(&self.database).await?;
        let verifier = scram_sha_256(password.expose_secret().as_bytes());
        let (template, who) = (identifier(&self.role.role), identifier(&name));
        let until = format!("{}.{:03}", ends_at_millis.div_euclid(1_000), ends_at_millis.rem_euclid(1_000));
        // VALID UNTIL takes a literal only, so the server is asked how it writes that moment.
        let until = client.query_one("select pg_catalog.to_timestamp($1::text::float8)::text", &[&until]).await;
        let until: String = until.and_then(|row| row.try_get(0)).map_err(|error| refused(&error))?;
        let statements = format!(
            "begin; create role {who} login password {} valid until {} connection limit 1 in role {template}; \
             alter role {who} set role to {}; comment on role {who} is {}; commit",
            literal(&verifier),
            literal(&until),
            literal(&self.role.role),
            literal(&comment),
        );
        client.batch_execute(&statements).await.map_err(|error| refused(&error))?;
        Ok(Lent { id: name.clone(), username: name, password, life: None, is_renewable: false })
    }

    async fn unmake(&self, order: &ReturnOrder) -> Result<bool, LeaseError> {
        let ReturnOrder { id, heir, grace, place } = order;
        if !is_ours(id) {
            return Err(LeaseError::Foreign(id.clone()));
        }
        let place = place.clone().unwrap_or_else(|| self.here());
        if !place.is_same_server(&self.here()) {
            return Err(LeaseError::Elsewhere(place.to_string()));
        }
        // What it owns is in the database that it was made for, which its connection may not name any more.
        let client = self.client(&place.database).await?;
        let found = client.query_opt(FOUND, &[id]).await.map_err(|error| refused(&error))?;
        let Some(found) = found else { return Ok(false) };
        let grants_apart: bool = found.try_get(0).map_err(|error| refused(&error))?;
        let (who, heir) = (identifier(id), identifier(heir));
        // From PostgreSQL 16 on, who made a role may administer it and nothing else, until they grant it to themselves.
        let powers = if grants_apart { " with inherit true, set true" } else { "" };
        let closed = format!("set lock_timeout = '5s'; alter role {who} nologin; grant {who} to current_user{powers}");
        client.batch_execute(&closed).await.map_err(|error| refused(&error))?;
        end_connections(&client, id, *grace).await?;
        let dropped = format!("begin; reassign owned by {who} to {heir}; drop owned by {who}; drop role {who}; commit");
        client.batch_execute(&dropped).await.map_err(|error| refused(&error))?;
        Ok(true)
    }
}

/// Whether the role is there; then whether memberships have options of their own.
const FOUND: &str = "select pg_catalog.current_setting('server_version_num')::int4 >= 160000 \
     from pg_catalog.pg_roles where rolname = $1::text";
const CONNECTED: &str = "select count(*) from pg_catalog.pg_stat_activity where usename = $1::text";
const TERMINATE: &str =
    "select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where usename = $1::text";

/// Nobody can come any more; who is there gets the grace, then is ended.
async fn end_connections(client: &Client, name: &str, grace: Duration) -> Result<(), LeaseError> {
    let started = Instant::now();
    let mut told = false;
    loop {
        let row = client.query_one(CONNECTED, &[&name]).await.map_err(|error| refused(&error))?;
        let left: i64 = row.try_get(0).map_err(|error| refused(&error))?;
        if left == 0 {
            return Ok(());
        }
        if started.elapsed() >= grace && !told {
            client.query(TERMINATE, &[&name]).await.map_err(|error| refused(&error))?;
            told = true;
        } else if started.elapsed() > grace + TERMINATION {
            return Err(LeaseError::InUse(u64::try_from(left).unwrap_or(0)));
        } else {
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, LeaseError>>) -> Result<T, LeaseError> {
    let late = |_elapsed| LeaseError::Refused(format!("it did not answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, work).await.map_err(late)?
}

impl Lender for RoleLender {
    fn takes_names(&self) -> bool {
        true
    }

    fn place(&self) -> Option<LeasePlace> {
        Some(self.here())
    }

    fn lend(&self, order: Recorded<Own<LendOrder>>) -> Answer<'_, Lent> {
        Box::pin(in_time(self.make(order.into_inner().into_message())))
    }

    fn renew<'lender>(&'lender self, _id: &'lender str) -> Answer<'lender, Option<Duration>> {
        Box::pin(async { Ok(None) })
    }

    fn take_back<'lender>(&'lender self, order: &'lender Recorded<Own<ReturnOrder>>) -> Answer<'lender, bool> {
        Box::pin(in_time(self.unmake(order.get().message())))
    }
}

fn refused(error: &tokio_postgres::Error) -> LeaseError {
    LeaseError::Refused(reason(error))
}

/// A quoted identifier. What cannot stand in one is left out.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('\0', "").replace('"', "\"\""))
}

/// A literal that means the same whatever `standard_conforming_strings` says.
fn literal(text: &str) -> String {
    let text = text.replace('\0', "").replace('\'', "''");
    if text.contains('\\') { format!(" E'{}'", text.replace('\\', "\\\\")) } else { format!("'{text}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_gateways_making_are_taken_for_such() {
        let (one, other) = (fresh_name().unwrap(), fresh_name().unwrap());
        assert_ne!(one, other);
        assert!(is_ours(&one) && one.len() <= 63, "{one}");
        for name in [
            "hoop_app",
            "hoop_",
            "postgres",
            one.get(1..).unwrap(),
            &format!("{one}x"),
            &one.to_uppercase(),
            "hoop_\"; drop",
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }

    #[test]
    fn names_and_texts_cannot_leave_their_quotes() {
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("a'b"), "'a''b'");
        assert_eq!(literal("a\\'b"), " E'a\\\\''b'");
    }
}
