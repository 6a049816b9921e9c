//! The variables that lead a command's libraries to its tunnels, and what tells it which run it is.
//!
//! Pure. Where two connections want one name, the first has it; each also has a name of its own.

use std::{collections::BTreeMap, ffi::OsString};

use hoop_gateway_core::{
    api::types::ConnectionItem,
    model::{
        ConnectionKind,
        environment::{check_name, render},
    },
};

use crate::{
    connect::{percent_encoded, url_variable},
    failure::Failure,
};

/// Where a connection is reached inside the run.
#[derive(Debug)]
pub(super) struct Place<'run> {
    /// The connection.
    pub(super) item: &'run ConnectionItem,
    /// The address, or the folder of the socket, as PostgreSQL's clients take either.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
    /// What the gateway asks for where the system does not tell whose a connection is; a placeholder where it does.
    pub(super) password: String,
}

/// Who runs.
#[derive(Debug)]
pub(super) struct Identity<'run> {
    /// The run.
    pub(super) run: &'run str,
    /// The user name to say.
    pub(super) user: &'run str,
    /// Where the trace of this run belongs.
    pub(super) traceparent: String,
}

/// What is said where a library insists on a password and nobody reads it.
pub(super) const PLACEHOLDER: &str = "hoop";

/// The variables of a run.
pub(super) fn variables(identity: &Identity<'_>, places: &[Place<'_>]) -> Result<BTreeMap<String, String>, Failure> {
    let mut all = BTreeMap::new();
    all.insert("HOOP_RUN_ID".to_owned(), identity.run.to_owned());
    all.insert("TRACEPARENT".to_owned(), identity.traceparent.clone());
    for place in places {
        let own = url_variable(place.item.name.as_str());
        if all.insert(own.clone(), url(place, identity.user)).is_some() {
            return Err(Failure::usage(format!("two connections would both be {own}"))
                .because(format!("one of them is `{}`", place.item.name))
                .next("use them in two runs, or name one of them differently"));
        }
        for (name, value) in usual(place, identity.user) {
            all.entry(name.to_owned()).or_insert(value);
        }
    }
    for place in places {
        templates(place, identity, &mut all)?;
    }
    Ok(all)
}

/// The names that libraries look for by themselves.
fn usual(place: &Place<'_>, user: &str) -> Vec<(&'static str, String)> {
    let port = place.port.to_string();
    match place.item.kind {
        ConnectionKind::Postgres => vec![
            ("PGHOST", place.host.clone()),
            ("PGPORT", port),
            ("PGUSER", user.to_owned()),
            ("PGPASSWORD", place.password.clone()),
            ("PGDATABASE", place.item.database.clone()),
            // The way to the tunnel does not leave this machine; what leaves it has TLS of its own.
            ("PGSSLMODE", "disable".to_owned()),
            ("PGGSSENCMODE", "disable".to_owned()),
            ("DATABASE_URL", url(place, user)),
        ],
        ConnectionKind::Llm => vec![
            ("OPENAI_BASE_URL", format!("{}/v1", base(place))),
            ("OPENAI_API_BASE", format!("{}/v1", base(place))),
            ("OPENAI_API_KEY", PLACEHOLDER.to_owned()),
            ("ANTHROPIC_BASE_URL", base(place)),
            ("ANTHROPIC_API_KEY", PLACEHOLDER.to_owned()),
        ],
        ConnectionKind::Http | ConnectionKind::Mcp | ConnectionKind::Ssh => Vec::new(),
    }
}

/// The address as one text.
fn url(place: &Place<'_>, user: &str) -> String {
    match place.item.kind {
        ConnectionKind::Postgres => {
            let (user, password) = (percent_encoded(user), percent_encoded(&place.password));
            let (host, port, database) = (&place.host, place.port, percent_encoded(&place.item.database));
            if host.starts_with('/') {
                return format!(
                    "postgresql://{user}:{password}@/{database}?host={}&port={port}",
                    percent_encoded(host)
                );
            }
            format!("postgresql://{user}:{password}@{host}:{port}/{database}")
        }
        ConnectionKind::Ssh => format!("ssh://{}@{}:{}", percent_encoded(user), place.host, place.port),
        ConnectionKind::Http | ConnectionKind::Llm | ConnectionKind::Mcp => base(place),
    }
}

fn base(place: &Place<'_>) -> String {
    format!("http://{}:{}", place.host, place.port)
}

fn templates(place: &Place<'_>, identity: &Identity<'_>, all: &mut BTreeMap<String, String>) -> Result<(), Failure> {
    let value = |name: &str| match name {
        "name" => place.item.name.to_string(),
        "user" => identity.user.to_owned(),
        "password" => place.password.clone(),
        "host" => place.host.clone(),
        "port" => place.port.to_string(),
        "database" => place.item.database.clone(),
        "url" => url(place, identity.user),
        "run" => identity.run.to_owned(),
        _ => String::new(),
    };
    for (name, template) in &place.item.environment {
        let filled = check_name(name).and_then(|()| render(template, value)).map_err(|error| {
            Failure::failed(format!("the site's variable `{name}` for {} cannot be set", place.item.name))
                .caused_by(&error)
                .next("whoever keeps the site can correct `env` of the connection")
        })?;
        // What a site says about a connection goes before what is usual, but never between two connections.
        all.insert(name.clone(), filled);
    }
    Ok(())
}

/// Where the surroundings have a proxy: the tunnels are reached beside it, whatever else is.
pub(super) fn beside_proxies(surroundings: &[(OsString, OsString)]) -> Vec<(String, String)> {
    let value = |name: &str| surroundings.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let has_proxy = surroundings.iter().any(|(name, _)| {
        let name = name.to_string_lossy().to_ascii_lowercase();
        ["http_proxy", "https_proxy", "all_proxy"].contains(&name.as_str())
    });
    if !has_proxy {
        return Vec::new();
    }
    let kept = value("no_proxy").or_else(|| value("NO_PROXY")).map(|value| value.to_string_lossy().into_owned());
    let all = [kept.as_deref().unwrap_or_default(), HOST, "localhost", "::1"];
    let all = all.into_iter().filter(|one| !one.is_empty()).collect::<Vec<_>>().join(",");
    ["no_proxy", "NO_PROXY"].map(|name| (name.to_owned(), all.clone())).into()
}

/// A trace that goes on where the surroundings have one; else a new one of these random bytes.
pub(super) fn traceparent(surrounding: Option<&str>, random: [u8; 24]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let (trace, span) = random.split_at(16);
    let going_on = surrounding.and_then(|text| {
        // SPEC: W3C Trace Context, version 00: `version-trace-parent-flags`.
        let parts: Vec<&str> = text.split('-').collect();
        let &["00", trace, parent, flags] = parts.as_slice() else { return None };
        let is_hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let some = |text: &str| text.bytes().any(|byte| byte != b'0');
        let good = is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2) && some(trace) && some(parent);
        good.then(|| format!("00-{trace}-{}-{flags}", hex(span)))
    });
    going_on.unwrap_or_else(|| format!("00-{}-{}-01", hex(trace), hex(span)))
}

/// Where tunnels with a port are.
pub(super) const HOST: &str = "127.0.0.1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_not_asked_for_the_tunnels() {
        let with = |variables: &[(&str, &str)]| {
            let variables: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
            beside_proxies(&variables).into_iter().map(|(_, value)| value).next()
        };
        assert_eq!(with(&[("PATH", "/bin")]), None);
        assert_eq!(with(&[("HTTPS_PROXY", "http://p:1")]).as_deref(), Some("127.0.0.1,localhost,::1"));
        let kept = with(&[("http_proxy", "http://p:1"), ("NO_PROXY", ".corp")]);
        assert_eq!(kept.as_deref(), Some(".corp,127.0.0.1,localhost,::1"));
    }

    fn item(name: &str, environment: &[(&str, &str)]) -> ConnectionItem {
        of_kind("postgres", name, environment)
    }

    fn of_kind(kind: &str, name: &str, environment: &[(&str, &str)]) -> ConnectionItem {
        let templates: BTreeMap<&str, &str> = environment.iter().copied().collect();
        let item = serde_json::json!({
            "name": name, "kind": kind, "database": "shop", "labels": {}, "may_connect": "yes",
            "masked": [], "held_by": [], "environment": templates,
        });
        serde_json::from_value(item).unwrap()
    }

    fn of(items: &[ConnectionItem]) -> Result<BTreeMap<String, String>, Failure> {
        let identity = Identity { run: "run_1", user: "alice@example.com", traceparent: "00-a-b-01".into() };
        let place = |(port, item)| Place { item, host: HOST.into(), port, password: PLACEHOLDER.into() };
        variables(&identity, &(5001..).zip(items).map(place).collect::<Vec<_>>())
    }

    #[test]
    fn the_first_database_has_the_plain_names_and_each_its_own() {
        let all = of(&[item("pg-prod", &[]), item("pg-stage", &[])]).unwrap();
        assert_eq!(all["PGPORT"], "5001");
        assert_eq!(all["DATABASE_URL"], "postgresql://alice%40example.com:hoop@127.0.0.1:5001/shop");
        assert_eq!(all["HOOP_PG_PROD_URL"], all["DATABASE_URL"]);
        assert_eq!(all["HOOP_PG_STAGE_URL"], "postgresql://alice%40example.com:hoop@127.0.0.1:5002/shop");
        assert_eq!((all["HOOP_RUN_ID"].as_str(), all["TRACEPARENT"].as_str()), ("run_1", "00-a-b-01"));
    }

    #[test]
    fn a_site_adds_variables_but_none_that_runs_code() {
        let all = of(&[item("pg-prod", &[("MY_DSN", "pg://{host}:{port}/{database}?run={run}")])]).unwrap();
        assert_eq!(all["MY_DSN"], "pg://127.0.0.1:5001/shop?run=run_1");
        assert!(of(&[item("pg-prod", &[("LD_PRELOAD", "/tmp/evil.so")])]).is_err());
        assert!(of(&[item("pg-prod", &[("MY_DSN", "{secret}")])]).is_err());
    }

    #[test]
    fn models_and_apis_are_found_where_their_libraries_look() {
        let of_kinds = [("llm", "openai"), ("http", "billing"), ("mcp", "tools"), ("llm", "second")];
        let all = of(&of_kinds.map(|(kind, name)| of_kind(kind, name, &[]))).unwrap();
        assert_eq!(all["OPENAI_BASE_URL"], "http://127.0.0.1:5001/v1");
        assert_eq!((&all["OPENAI_API_BASE"], all["OPENAI_API_KEY"].as_str()), (&all["OPENAI_BASE_URL"], PLACEHOLDER));
        assert_eq!(all["ANTHROPIC_BASE_URL"], "http://127.0.0.1:5001");
        assert_eq!(all["ANTHROPIC_API_KEY"], PLACEHOLDER);
        assert_eq!(all["HOOP_BILLING_URL"], "http://127.0.0.1:5002");
        assert_eq!(all["HOOP_TOOLS_URL"], "http://127.0.0.1:5003");
        assert_eq!(all["HOOP_SECOND_URL"], "http://127.0.0.1:5004");
        assert!(!all.contains_key("PGHOST") && !all.contains_key("DATABASE_URL"));
    }

    #[test]
    fn two_connections_of_one_name_are_not_mixed_up() {
        assert!(of(&[item("pg-prod", &[]), item("pg.prod", &[])]).is_err());
    }

    #[test]
    fn a_trace_goes_on_and_a_damaged_one_does_not() {
        let random: [u8; 24] = std::array::from_fn(|index| u8::try_from(index).unwrap());
        let new = "00-000102030405060708090a0b0c0d0e0f-1011121314151617-01";
        assert_eq!(traceparent(None, random), new);
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert_eq!(traceparent(Some(given), random), "00-4bf92f3577b34da6a3ce929d0e0e4736-1011121314151617-00");
        for wrong in ["", "00-x-y-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            assert_eq!(traceparent(Some(wrong), random), new);
        }
    }
}
