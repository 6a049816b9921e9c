//! What a statement calls, whether it names it or not, as accesses that a policy is asked for.
//!
//! The rules:
//! - A function of the server on the shipped list of safe ones adds nothing; one with a verb of its own adds that verb;
//!   any other is `call_function`.
//! - A routine of users or of an extension is `call_function` on it, by its own schema and name, whatever it promises:
//!   IMMUTABLE and STABLE are promises that nothing checks, and the planner itself runs such functions. Where a name
//!   may mean the server's or a user's, both are asked.
//! - An operator, a cast or a type of users is the function behind it. A cast between two of the server's own types
//!   that needs no word is called by every statement that reads or writes; one of a type of users by statements that
//!   touch a relation with such a column, or name the type.
//! - A relation calls what its triggers, checks, defaults, indexes, policies and views call at that event. A rule on
//!   a table adds statements that were not read: the operation is `unknown`.
//! - An event trigger is called by every definition.

use std::collections::BTreeSet;

use super::{Sight, UNRESOLVED};
use crate::{
    model::{Access, Effect, ObjectName, Verb},
    sql::{RawName, Statement, functions, risk},
    upstream::{Cast, Catalogue, Conversion, Events, Runs},
};

/// The server's own types have object ids below this.
const FIRST_USER_OID: u32 = 16384;

/// Every call, as an access.
pub(super) fn of(statement: &Statement, accesses: &BTreeSet<Access>, sight: &Sight) -> BTreeSet<Access> {
    let mut calls = BTreeSet::new();
    for name in &statement.functions {
        named(name, sight, &mut calls);
    }
    for name in &statement.attributes {
        calls.extend(routines(None, name, sight));
        unseen(name, sight, &mut calls);
    }
    for name in &statement.types {
        typed(name, sight, &mut calls);
    }
    for cast in sight.catalogue.casts().iter().filter(|cast| uses(cast, statement, accesses, sight)) {
        calls.insert(call(&cast.function.0, &cast.function.1));
    }
    for access in accesses {
        touched(access, sight, &mut calls);
    }
    if accesses.iter().any(|access| matches!(access.verb.effect(), Effect::Schema | Effect::Grant)) {
        calls.extend(sight.catalogue.event_triggers().iter().map(|(schema, name)| call(schema, name)));
    }
    calls
}

/// The entry of the risk table that a call is.
pub(super) fn risk(access: &Access, sight: &Sight) -> (u8, &'static str) {
    let object = access.object.as_ref();
    let routine = object.and_then(|object| sight.catalogue.routine(&object.schema, &object.name));
    if routine.is_some_and(|routine| routine.is_definer) { risk::DEFINER_CALL } else { risk::UNKNOWN_CALL }
}

fn call(schema: &str, name: &str) -> Access {
    let object = ObjectName { schema: schema.to_owned(), name: name.to_owned() };
    Access { verb: Verb::CallFunction, object: Some(object) }
}

/// The routines of users that a name may mean.
fn routines<'sight>(
    schema: Option<&'sight str>,
    name: &'sight str,
    sight: &'sight Sight,
) -> impl Iterator<Item = Access> {
    sight.catalogue.routines(schema, name, &sight.search_path).map(|routine| call(&routine.schema, &routine.name))
}

fn named(name: &RawName, sight: &Sight, calls: &mut BTreeSet<Access>) {
    let schema = name.schema.as_deref();
    calls.extend(routines(schema, &name.name, sight));
    if schema.is_none() {
        unseen(&name.name, sight, calls);
    }
    match schema {
        None | Some("pg_catalog") => calls.extend(own(name)),
        // The functions behind the standard's views, which drivers call.
        Some("information_schema") if name.name.starts_with("_pg_") => {}
        Some(schema) => drop(calls.insert(call(schema, &name.name))),
    }
}

/// A function that the session's open transaction made under this name.
fn unseen(name: &str, sight: &Sight, calls: &mut BTreeSet<Access>) {
    if sight.catalogue.is_user_function(name) {
        calls.insert(call(UNRESOLVED, name));
    }
}

/// The verb of one of the server's own functions; `None` for one known to be harmless.
fn own(name: &RawName) -> Option<Access> {
    let verb = match functions::classify(&name.name) {
        Some(verb) => verb,
        None if functions::is_known_safe(name) || functions::is_known_operator(name) => return None,
        None => Verb::CallFunction,
    };
    let schema = name.schema.clone().unwrap_or_else(|| UNRESOLVED.to_owned());
    Some(Access { verb, object: Some(ObjectName { schema, name: name.name.clone() }) })
}

fn typed(name: &RawName, sight: &Sight, calls: &mut BTreeSet<Access>) {
    let schema = name.schema.as_deref();
    let conversion = sight.catalogue.conversion(schema, &name.name, &sight.search_path);
    let is_relation = || sight.catalogue.resolve(schema, &name.name, &sight.search_path).is_some();
    let is_plain = match conversion {
        Conversion::Plain => true,
        Conversion::RunsCode => false,
        Conversion::Unknown => functions::is_known_type(name) || is_relation(),
    };
    if !is_plain {
        calls.insert(call(schema.unwrap_or(UNRESOLVED), &name.name));
    }
}

/// Whether a statement may use a cast of users.
fn uses(cast: &Cast, statement: &Statement, accesses: &BTreeSet<Access>, sight: &Sight) -> bool {
    let [_, target] = &cast.names;
    if statement.types.iter().any(|name| *name.name == **target) {
        return true;
    }
    if !cast.is_implicit {
        return false;
    }
    let of_users: Vec<u32> = [cast.source, cast.target].into_iter().filter(|oid| *oid >= FIRST_USER_OID).collect();
    if of_users.is_empty() {
        return statement.effect != Effect::Session;
    }
    statement.types.iter().any(|name| cast.names.iter().any(|cast| **cast == *name.name))
        || accesses
            .iter()
            .filter_map(|access| relation(access, &sight.catalogue))
            .any(|oid| sight.catalogue.columns_of(oid).iter().any(|column| of_users.contains(&column.type_oid)))
}

/// The object id of the relation that an access names, once resolved.
pub(super) fn relation(access: &Access, catalogue: &Catalogue) -> Option<u32> {
    let object = access.object.as_ref()?;
    if matches!(access.verb, Verb::Call | Verb::CallFunction) {
        return None;
    }
    catalogue.resolve(Some(&object.schema), &object.name, &[]).map(|relation| relation.oid)
}

/// What happens to a relation by a verb.
const fn events(verb: Verb) -> Events {
    match verb {
        // MERGE asks for each of its actions besides.
        Verb::Select | Verb::Explain | Verb::CopyOut | Verb::Declare | Verb::Fetch | Verb::Merge => Events::READ,
        Verb::Insert | Verb::CopyIn => Events::INSERT,
        Verb::Update => Events::UPDATE,
        Verb::Delete => Events::DELETE,
        Verb::Truncate => Events::TRUNCATE,
        Verb::Maintain => Events::MAINTAIN,
        Verb::Transaction
        | Verb::Set
        | Verb::Show
        | Verb::Listen
        | Verb::Discard
        | Verb::Lock
        | Verb::Notify
        | Verb::Create
        | Verb::Alter
        | Verb::Drop
        | Verb::Comment
        | Verb::Grant
        | Verb::Role
        | Verb::SetRole
        | Verb::Do
        | Verb::Call
        | Verb::CallFunction
        | Verb::CopyProgram
        | Verb::Load
        | Verb::CopyFile
        | Verb::AlterSystem
        | Verb::Replicate
        | Verb::HttpGet
        | Verb::HttpHead
        | Verb::HttpOptions
        | Verb::HttpPost
        | Verb::HttpPut
        | Verb::HttpPatch
        | Verb::HttpDelete
        | Verb::HttpOther
        | Verb::WebSocket
        | Verb::AwsRead
        | Verb::AwsWrite
        | Verb::LlmComplete
        | Verb::LlmEmbed
        | Verb::LlmModels
        | Verb::LlmOther
        | Verb::McpSession
        | Verb::McpList
        | Verb::McpRead
        | Verb::McpCall
        | Verb::McpOther
        | Verb::SshSession
        | Verb::SshRead
        | Verb::SshWrite
        | Verb::SshDelete
        | Verb::SshReach
        | Verb::SshPermission
        | Verb::SshExec
        | Verb::SshShell
        | Verb::SshAdmin
        | Verb::SshForward
        | Verb::SshUnknown
        | Verb::SshForwardUninspected
        | Verb::Unknown => Events::NONE,
    }
}

fn touched(access: &Access, sight: &Sight, calls: &mut BTreeSet<Access>) {
    // FAIL-CLOSED: the transaction made functions, and a trigger that it made with one is not in any snapshot yet.
    if access.verb.effect() == Effect::Write && access.object.is_some() && sight.catalogue.has_unseen_functions() {
        calls.insert(call(UNRESOLVED, UNRESOLVED));
    }
    let Some(oid) = relation(access, &sight.catalogue) else { return };
    for runs in sight.catalogue.hooks(oid, events(access.verb)) {
        match runs {
            Runs::Routine(schema, name) if &**schema == "pg_catalog" => {
                calls.extend(own(&RawName::qualified(&**schema, &**name)));
            }
            Runs::Routine(schema, name) => drop(calls.insert(call(schema, name))),
            // FAIL-CLOSED: the statements of a rule are not read.
            Runs::Rule => drop(calls.insert(Access { verb: Verb::Unknown, object: None })),
            Runs::Foreign => {}
        }
    }
}
