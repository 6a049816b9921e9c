//! What Cedar sees: a principal, a connection, objects and circumstances turned into entities and context.
//!
//! Identities are unambiguous: parts that could be mistaken for a separator are quoted, so that no table name that a
//! client invents is another table's identity.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use cedar_policy::{Context, Entities, Entity, EntityTypeName, EntityUid, RestrictedExpression};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Circumstances,
    schema::{self, Vocabulary, uid},
};
use crate::model::{Access, ConnectionFacts, ObjectKind, ObjectName, Operation, Principal, PrincipalKind, Usage, Verb};

/// A request could not be put to Cedar. Whoever sees it refuses.
#[derive(Debug, thiserror::Error)]
#[error("the request does not fit the schema: {0}")]
pub(super) struct WorldError(Arc<str>);

impl WorldError {
    #[expect(clippy::needless_pass_by_value, reason = "it stands where `map_err` wants a function of the error")]
    pub(super) fn new(error: impl ToString) -> Self {
        Self(Arc::from(error.to_string()))
    }
}

/// Builds the entities of one request.
pub(super) struct World<'vocabulary> {
    vocabulary: &'vocabulary Vocabulary,
    entities: Vec<Entity>,
}

impl<'vocabulary> World<'vocabulary> {
    pub(super) fn new(vocabulary: &'vocabulary Vocabulary) -> Self {
        Self { vocabulary, entities: Vec::with_capacity(8) }
    }

    /// Adds the principal, in its groups, with its claims as tags.
    pub(super) fn principal(&mut self, who: &Principal) -> Result<EntityUid, WorldError> {
        let identity = principal_uid(self.vocabulary, who);
        let mut attributes = vec![("name".to_owned(), string(who.name.as_str()))];
        if let (PrincipalKind::Agent, Some(owner)) = (who.kind, &who.owner) {
            let owner = uid(&self.vocabulary.user, owner.as_str());
            attributes.push(("owner".to_owned(), RestrictedExpression::new_entity_uid(owner)));
        }
        if let (PrincipalKind::Agent, Some(lender)) = (who.kind, &who.lent_by) {
            let lender = uid(&self.vocabulary.user, lender.name.as_str());
            attributes.push(("lent_by".to_owned(), RestrictedExpression::new_entity_uid(lender)));
        }
        let groups = who.groups.iter().map(|group| uid(&self.vocabulary.group, group.as_str()));
        let claims = who.claims.iter().map(|(name, value)| (name.clone(), string(value)));
        self.add(identity, attributes, groups.collect::<Vec<_>>(), claims)
    }

    /// Adds the connection, in its labels, with the labels as tags too.
    pub(super) fn connection(&mut self, to: &ConnectionFacts) -> Result<EntityUid, WorldError> {
        let identity = connection_uid(self.vocabulary, to);
        let attributes = [
            ("name".to_owned(), string(to.name.as_str())),
            ("kind".to_owned(), string(to.kind.as_str())),
            ("database".to_owned(), string(&to.database)),
        ];
        let label = |(key, value): (&String, &String)| uid(&self.vocabulary.label, &format!("{key}={value}"));
        let parents: Vec<_> = to.labels.iter().map(label).collect();
        let labels = to.labels.iter().map(|(key, value)| (key.clone(), string(value)));
        self.add(identity, attributes, parents, labels)
    }

    /// Adds the objects of an operation, and what they are in. The connection must be there.
    pub(super) fn objects(&mut self, to: &ConnectionFacts, accesses: &BTreeSet<Access>) -> Result<(), WorldError> {
        let mut seen = BTreeSet::new();
        for access in accesses {
            let Some(object) = &access.object else { continue };
            let holder = match access.verb.object() {
                ObjectKind::Table | ObjectKind::Routine => self.schema_of(to, object, &mut seen)?,
                ObjectKind::Route => self.host_of(to, object, &mut seen)?,
                ObjectKind::Model | ObjectKind::Tool | ObjectKind::SystemObject => connection_uid(self.vocabulary, to),
            };
            let identity = object_uid(self.vocabulary, to, access.verb, object);
            if seen.insert(identity.clone()) {
                let attributes = object_attributes(self.vocabulary, to, access.verb.object(), object);
                self.add(identity, attributes, [holder], [])?;
            }
        }
        Ok(())
    }

    /// The schema of a relation or routine, in its database.
    fn schema_of(
        &mut self,
        to: &ConnectionFacts,
        object: &ObjectName,
        seen: &mut BTreeSet<EntityUid>,
    ) -> Result<EntityUid, WorldError> {
        let named = |name: &str| vec![("name".to_owned(), string(name))];
        let database = uid(&self.vocabulary.database, &database_id(to));
        if seen.insert(database.clone()) {
            self.add(database.clone(), named(&to.database), [connection_uid(self.vocabulary, to)], [])?;
        }
        let schema = uid(&self.vocabulary.namespace, &schema_id(to, object));
        if seen.insert(schema.clone()) {
            self.add(schema.clone(), named(&object.schema), [database], [])?;
        }
        Ok(schema)
    }

    /// The host of a route.
    fn host_of(
        &mut self,
        to: &ConnectionFacts,
        object: &ObjectName,
        seen: &mut BTreeSet<EntityUid>,
    ) -> Result<EntityUid, WorldError> {
        let host = uid(&self.vocabulary.host, &host_id(to, &object.schema));
        if seen.insert(host.clone()) {
            let attributes = [("name".to_owned(), string(&object.schema))];
            self.add(host.clone(), attributes, [connection_uid(self.vocabulary, to)], [])?;
        }
        Ok(host)
    }

    /// Adds the request that carries an operation, where HTTP does, with its parts as tags.
    pub(super) fn request(&mut self, operation: &Operation) -> Result<(), WorldError> {
        let Some(request) = &operation.request else { return Ok(()) };
        let attributes = [
            ("method".to_owned(), string(&request.method)),
            ("host".to_owned(), string(&request.host)),
            ("path".to_owned(), string(&request.path)),
            ("template".to_owned(), string(&request.template)),
        ];
        let tags = request.attributes.iter().map(|(name, value)| (name.clone(), string(value)));
        self.add(request_uid(self.vocabulary), attributes, [], tags)?;
        Ok(())
    }

    /// Adds a tag or data class, with the classes above it.
    pub(super) fn tag(&mut self, tag: &str) -> Result<EntityUid, WorldError> {
        let class = |name: &str| uid(&self.vocabulary.data_class, name);
        let Some((name, parent)) = schema::DATA_CLASSES.iter().find(|(name, _)| *name == tag) else {
            let identity = uid(&self.vocabulary.tag, tag);
            return self.add(identity, [], [], []);
        };
        let (identity, parents) = (class(name), parent.map(class));
        self.add(identity, [], parents, [])
    }

    /// Adds the gateway itself.
    pub(super) fn gateway(&mut self) -> Result<EntityUid, WorldError> {
        self.add(uid(&self.vocabulary.gateway, "gateway"), [], [], [])
    }

    /// Adds a session or a request, which is in its connection. `attribute` holds whose it is.
    pub(super) fn of_connection(
        &mut self,
        kind: &EntityTypeName,
        attribute: &str,
        whose: &Principal,
        connection: EntityUid,
    ) -> Result<EntityUid, WorldError> {
        let attributes = [
            (attribute.to_owned(), string(whose.name.as_str())),
            ("connection".to_owned(), RestrictedExpression::new_entity_uid(connection.clone())),
        ];
        self.add(uid(kind, "this"), attributes, [connection], [])
    }

    /// Everything added, checked against the schema.
    pub(super) fn entities(self) -> Result<Entities, WorldError> {
        Entities::from_entities(self.entities, Some(&self.vocabulary.schema)).map_err(WorldError::new)
    }

    fn add(
        &mut self,
        identity: EntityUid,
        attributes: impl IntoIterator<Item = (String, RestrictedExpression)>,
        parents: impl IntoIterator<Item = EntityUid>,
        tags: impl IntoIterator<Item = (String, RestrictedExpression)>,
    ) -> Result<EntityUid, WorldError> {
        let entity = Entity::new_with_tags(identity.clone(), attributes, parents, tags).map_err(WorldError::new)?;
        self.entities.push(entity);
        Ok(identity)
    }
}

/// The context of an operation.
pub(super) fn operation_context(
    vocabulary: &Vocabulary,
    who: &Principal,
    operation: &Operation,
    circumstances: &Circumstances,
) -> Result<Context, WorldError> {
    let objects: BTreeSet<String> = operation.accesses.iter().filter_map(object_name).collect();
    let mut pairs = arrival(who, circumstances)?;
    pairs.extend([
        ("kind".to_owned(), string(&operation.kind)),
        ("effect".to_owned(), string(operation.effect.as_str())),
        ("objects".to_owned(), RestrictedExpression::new_set(objects.iter().map(|name| string(name)))),
        ("has_where".to_owned(), RestrictedExpression::new_bool(operation.has_where)),
        ("risk".to_owned(), RestrictedExpression::new_long(i64::from(operation.risk))),
        ("statements".to_owned(), RestrictedExpression::new_long(i64::from(operation.statements))),
        ("export".to_owned(), RestrictedExpression::new_bool(operation.export)),
        (
            "filters_on".to_owned(),
            RestrictedExpression::new_set(operation.filters_on.iter().map(|class| string(class))),
        ),
        ("facts".to_owned(), RestrictedExpression::new_set(operation.facts.iter().map(|fact| string(fact)))),
    ]);
    if let Some(rows) = operation.estimated_rows {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        pairs.push(("estimated_rows".to_owned(), RestrictedExpression::new_long(rows)));
    }
    if operation.request.is_some() {
        let request = RestrictedExpression::new_entity_uid(request_uid(vocabulary));
        pairs.push(("request".to_owned(), request));
    }
    context(pairs)
}

/// The context of a connect.
pub(super) fn arrival_context(who: &Principal, circumstances: &Circumstances) -> Result<Context, WorldError> {
    context(arrival(who, circumstances)?)
}

/// A context of these pairs.
pub(super) fn context(pairs: Vec<(String, RestrictedExpression)>) -> Result<Context, WorldError> {
    Context::from_pairs(pairs).map_err(WorldError::new)
}

/// Whether the principal is an agent, as every context says it.
pub(super) fn agent(who: &Principal) -> (String, RestrictedExpression) {
    ("agent".to_owned(), RestrictedExpression::new_bool(who.kind == PrincipalKind::Agent))
}

fn arrival(who: &Principal, circumstances: &Circumstances) -> Result<Vec<(String, RestrictedExpression)>, WorldError> {
    let time = OffsetDateTime::from_unix_timestamp(circumstances.unix_seconds)
        .map_err(WorldError::new)?
        .format(&Rfc3339)
        .map_err(WorldError::new)?;
    let mut pairs = vec![
        agent(who),
        ("source".to_owned(), string(circumstances.source.as_str())),
        ("time".to_owned(), RestrictedExpression::new_datetime(time)),
    ];
    if let Some(run) = &circumstances.run {
        pairs.push(("run".to_owned(), string(run.as_str())));
    }
    if let Some(usage) = &circumstances.usage {
        pairs.push(("usage".to_owned(), used(usage)?));
    }
    Ok(pairs)
}

fn used(usage: &Usage) -> Result<RestrictedExpression, WorldError> {
    let Usage { statements, rows_read, rows_changed, tables, bytes, tokens, spend_microdollars, wall_seconds } = *usage;
    let counts = [
        ("statements", statements),
        ("rows_read", rows_read),
        ("rows_changed", rows_changed),
        ("tables", tables),
        ("bytes", bytes),
        ("tokens", tokens),
        ("spend_microdollars", spend_microdollars),
        ("wall_seconds", wall_seconds),
    ];
    let long = |count: u64| RestrictedExpression::new_long(i64::try_from(count).unwrap_or(i64::MAX));
    let fields = counts.into_iter().map(|(name, count)| (name.to_owned(), long(count)));
    RestrictedExpression::new_record(fields).map_err(WorldError::new)
}

pub(super) fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

pub(super) fn principal_uid(vocabulary: &Vocabulary, who: &Principal) -> EntityUid {
    let kind = match who.kind {
        PrincipalKind::User => &vocabulary.user,
        PrincipalKind::Agent => &vocabulary.agent,
    };
    uid(kind, who.name.as_str())
}

pub(super) fn connection_uid(vocabulary: &Vocabulary, to: &ConnectionFacts) -> EntityUid {
    uid(&vocabulary.connection, to.name.as_str())
}

/// What an access asks about: its object, or the connection where it has none.
pub(super) fn access_uid(vocabulary: &Vocabulary, to: &ConnectionFacts, access: &Access) -> EntityUid {
    match &access.object {
        Some(object) => object_uid(vocabulary, to, access.verb, object),
        None => connection_uid(vocabulary, to),
    }
}

fn object_uid(vocabulary: &Vocabulary, to: &ConnectionFacts, verb: Verb, object: &ObjectName) -> EntityUid {
    let of_database = || format!("{}/{}", database_id(to), qualified(object));
    let of_connection = || format!("{}/{}", quoted(to.name.as_str()), object.name);
    match verb.object() {
        ObjectKind::Table => uid(&vocabulary.table, &of_database()),
        ObjectKind::Routine => uid(&vocabulary.routine, &of_database()),
        // A host holds neither `/` nor a space, and a path begins with `/`, so that no two routes look alike.
        ObjectKind::Route => {
            let separator = if object.name.starts_with('/') { "" } else { " " };
            uid(&vocabulary.route, &format!("{}{separator}{}", host_id(to, &object.schema), object.name))
        }
        ObjectKind::Model => uid(&vocabulary.model, &of_connection()),
        ObjectKind::Tool => uid(&vocabulary.tool, &of_connection()),
        // The first word is one of a few without a space, so that no two objects look alike.
        ObjectKind::SystemObject => {
            uid(&vocabulary.system_object, &format!("{}/{} {}", quoted(to.name.as_str()), object.schema, object.name))
        }
    }
}

fn object_attributes(
    vocabulary: &Vocabulary,
    to: &ConnectionFacts,
    kind: ObjectKind,
    object: &ObjectName,
) -> Vec<(String, RestrictedExpression)> {
    let connection = RestrictedExpression::new_entity_uid(connection_uid(vocabulary, to));
    let mut attributes = vec![("connection".to_owned(), connection)];
    let text = |name: &str, value: &str| (name.to_owned(), string(value));
    match kind {
        ObjectKind::Table | ObjectKind::Routine => attributes.extend([
            text("database", &to.database),
            text("schema", &object.schema),
            text("name", &object.name),
        ]),
        ObjectKind::Route => attributes.extend([text("host", &object.schema), text("template", &object.name)]),
        ObjectKind::Model | ObjectKind::Tool => attributes.push(text("name", &object.name)),
        ObjectKind::SystemObject => attributes.extend([text("kind", &object.schema), text("name", &object.name)]),
    }
    attributes
}

fn host_id(to: &ConnectionFacts, host: &str) -> String {
    format!("{}/{host}", quoted(to.name.as_str()))
}

/// There is one request in a question.
fn request_uid(vocabulary: &Vocabulary) -> EntityUid {
    uid(&vocabulary.http_request, "this")
}

fn database_id(to: &ConnectionFacts) -> String {
    format!("{}/{}", quoted(to.name.as_str()), quoted(&to.database))
}

fn schema_id(to: &ConnectionFacts, object: &ObjectName) -> String {
    format!("{}/{}", database_id(to), quoted(&object.schema))
}

/// What an access is about, as policies and people read it: `public.orders`, `api.example.com/users/{id}`, `gpt-4o`.
pub(super) fn object_name(access: &Access) -> Option<String> {
    let object = access.object.as_ref()?;
    Some(match access.verb.object() {
        ObjectKind::Table | ObjectKind::Routine => qualified(object),
        ObjectKind::Route if object.name.starts_with('/') => format!("{}{}", object.schema, object.name),
        ObjectKind::SystemObject => object.to_string(),
        ObjectKind::Route | ObjectKind::Model | ObjectKind::Tool => object.name.clone(),
    })
}

/// `public.orders`, with parts quoted where they could be read otherwise.
fn qualified(object: &ObjectName) -> String {
    format!("{}.{}", quoted(&object.schema), quoted(&object.name))
}

fn quoted(part: &str) -> Cow<'_, str> {
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$' | '-');
    if !part.is_empty() && part.chars().all(plain) {
        Cow::Borrowed(part)
    } else {
        Cow::Owned(format!("\"{}\"", part.replace('"', "\"\"")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_in_a_name_does_not_make_it_another_object() {
        let name = |schema: &str, name: &str| qualified(&ObjectName { schema: schema.into(), name: name.into() });
        assert_eq!(name("public", "orders"), "public.orders");
        assert_ne!(name("a.b", "c"), name("a", "b.c"));
        assert_ne!(name("a\".\"b", "c"), name("a", "b\".\"c"));
        assert_eq!(name("a\"b", ""), "\"a\"\"b\".\"\"");
    }
}
