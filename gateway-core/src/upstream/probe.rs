//! Proofs that a connection works, for `hoop connections test`: what TLS agreed on, and what the upstream role may do.
//!
//! Reads catalogues only. Says facts; what of them is a danger is the caller's word.

use tokio_postgres::{Client, NoTls};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{Wire, catalogue::reason};
use crate::record::{Own, Recorded};

/// The proof-carrying order to log in and look.
#[derive(Debug)]
pub struct ProbeOrder {
    /// The dialled stream.
    pub wire: Wire,
    /// The login, database and password.
    pub login: tokio_postgres::Config,
}

/// What TLS agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// The protocol's version: `TLSv1_3`.
    pub protocol: String,
    /// When the server's certificate ends, seconds since 1970.
    pub not_after: Option<i64>,
}

/// What the upstream role may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Privileges {
    /// As what the login works.
    pub role: String,
    /// The server's version.
    pub version: String,
    /// Attributes that no policy can bound: `SUPERUSER`, `BYPASSRLS`, …
    pub attributes: Vec<&'static str>,
    /// Predefined roles that reach around tables: `pg_read_server_files`, …
    pub powers: Vec<String>,
    /// Tables and views that it owns, by itself or through a role.
    pub owned: i64,
    /// Whether it may make schemas in the database.
    pub makes_schemas: bool,
}

/// Why nothing could be found out.
#[derive(Debug, thiserror::Error)]
#[error("{}", reason(.0))]
pub struct ProbeError(#[from] tokio_postgres::Error);

impl Wire {
    /// What TLS agreed on; `None` where there is none.
    pub fn tls_facts(&self) -> Option<TlsFacts> {
        let Self::Tls(stream) = self else { return None };
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.and_then(|der| X509Certificate::from_der(der).ok());
        let not_after = certificate.map(|(_, certificate)| certificate.validity().not_after.timestamp());
        let protocol = session.protocol_version().map_or_else(String::new, |version| format!("{version:?}"));
        Some(TlsFacts { protocol, not_after })
    }
}

impl Privileges {
    /// Logs in and looks.
    pub async fn read(order: Recorded<Own<ProbeOrder>>) -> Result<Self, ProbeError> {
        let ProbeOrder { wire, login } = order.into_inner().into_message();
        let (client, connection) = login.connect_raw(wire, NoTls).await?;
        let driver = tokio::spawn(connection);
        let privileges = Self::of(&client).await;
        drop(client);
        driver.abort();
        privileges
    }

    async fn of(client: &Client) -> Result<Self, ProbeError> {
        let row = client.query_one(QUERY, &[]).await?;
        let names = ["SUPERUSER", "BYPASSRLS", "CREATEROLE", "CREATEDB", "REPLICATION"];
        let mut attributes = Vec::new();
        for (place, name) in names.into_iter().enumerate() {
            if row.try_get(place)? {
                attributes.push(name);
            }
        }
        Ok(Self {
            attributes,
            role: row.try_get(5)?,
            version: row.try_get(6)?,
            powers: row.try_get(7)?,
            owned: row.try_get(8)?,
            makes_schemas: row.try_get(9)?,
        })
    }
}

/// An attribute counts that the role can take on with `SET ROLE`.
const QUERY: &str = "with reach as (select * from pg_catalog.pg_roles where pg_catalog.pg_has_role(current_user, oid, 'member')) \
     select bool_or(rolsuper), bool_or(rolbypassrls), bool_or(rolcreaterole), bool_or(rolcreatedb), bool_or(rolreplication), \
     current_user::text, pg_catalog.current_setting('server_version'), \
     coalesce(array_agg(rolname::text order by rolname) filter (where rolname in ('pg_read_server_files', \
       'pg_write_server_files', 'pg_execute_server_program', 'pg_read_all_data', 'pg_write_all_data', 'pg_monitor', \
       'pg_read_all_stats', 'pg_read_all_settings', 'pg_signal_backend', 'pg_maintain', 'pg_create_subscription')), \
       array[]::text[]), \
     (select count(*) from pg_catalog.pg_class c where c.relkind in ('r', 'p', 'v', 'm', 'f') \
       and c.relowner in (select oid from reach)), \
     pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create') \
     from reach";
