//! The schema that ships with the crate, and the names in it that the code speaks.
//!
//! Every action of [`Verb::ALL`] is in it, in the group of its effect; a test generates that part again.

use std::{collections::BTreeMap, str::FromStr};

use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema};

use crate::model::Verb;

/// The schema, human syntax.
pub(super) const TEXT: &str = include_str!("hoop.cedarschema");

/// Built-in data classes and the class that each is in.
pub(super) const DATA_CLASSES: &[(&str, Option<&str>)] = &[
    ("pii", None),
    ("email", Some("pii")),
    ("credit_card", Some("pii")),
    ("us_ssn", Some("pii")),
    ("phone", Some("pii")),
    ("iban", Some("pii")),
    ("ip", Some("pii")),
    ("secret", None),
    ("jwt", Some("secret")),
    ("cloud_key", Some("secret")),
    ("private_key", Some("secret")),
    ("generic_secret", Some("secret")),
];

/// Whether a tag of `masking.toml` is a data class rather than a name of the site's own.
pub(super) fn is_data_class(tag: &str) -> bool {
    DATA_CLASSES.iter().any(|(class, _)| *class == tag)
}

/// The shipped schema does not parse: our fault, never the site's.
#[derive(Debug, thiserror::Error)]
#[error("the shipped schema is broken: {0}")]
pub(super) struct SchemaError(String);

/// The parsed schema with the type names in use, so that no request parses a name again.
#[derive(Debug)]
pub(super) struct Vocabulary {
    pub(super) schema: Schema,
    pub(super) group: EntityTypeName,
    pub(super) user: EntityTypeName,
    pub(super) agent: EntityTypeName,
    pub(super) label: EntityTypeName,
    pub(super) connection: EntityTypeName,
    pub(super) database: EntityTypeName,
    pub(super) namespace: EntityTypeName,
    pub(super) table: EntityTypeName,
    pub(super) routine: EntityTypeName,
    pub(super) host: EntityTypeName,
    pub(super) route: EntityTypeName,
    pub(super) model: EntityTypeName,
    pub(super) tool: EntityTypeName,
    pub(super) system_object: EntityTypeName,
    pub(super) http_request: EntityTypeName,
    pub(super) data_class: EntityTypeName,
    pub(super) tag: EntityTypeName,
    pub(super) gateway: EntityTypeName,
    pub(super) session: EntityTypeName,
    pub(super) request: EntityTypeName,
    action: EntityTypeName,
    verbs: BTreeMap<Verb, EntityUid>,
}

impl Vocabulary {
    /// Parses the shipped schema.
    pub(super) fn parse() -> Result<Self, SchemaError> {
        let (schema, warnings) = Schema::from_cedarschema_str(TEXT).map_err(|error| SchemaError(error.to_string()))?;
        if let Some(warning) = warnings.into_iter().next() {
            return Err(SchemaError(warning.to_string()));
        }
        let name = |text| EntityTypeName::from_str(text).map_err(|error| SchemaError(error.to_string()));
        let action = name("Action")?;
        let verbs = Verb::ALL.iter().map(|verb| (*verb, uid(&action, verb.as_str()))).collect();
        Ok(Self {
            schema,
            group: name("Group")?,
            user: name("User")?,
            agent: name("Agent")?,
            label: name("Label")?,
            connection: name("Connection")?,
            database: name("Database")?,
            namespace: name("Schema")?,
            table: name("Table")?,
            routine: name("Routine")?,
            host: name("Host")?,
            route: name("Route")?,
            model: name("Model")?,
            tool: name("Tool")?,
            system_object: name("SystemObject")?,
            http_request: name("HttpRequest")?,
            data_class: name("DataClass")?,
            tag: name("Tag")?,
            gateway: name("Gateway")?,
            session: name("Session")?,
            request: name("Request")?,
            action,
            verbs,
        })
    }

    /// The action of a verb.
    pub(super) fn verb(&self, verb: Verb) -> EntityUid {
        self.verbs.get(&verb).cloned().unwrap_or_else(|| uid(&self.action, verb.as_str()))
    }

    /// An action by name.
    pub(super) fn action(&self, name: &str) -> EntityUid {
        uid(&self.action, name)
    }
}

/// An entity's identity.
pub(super) fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::model::Effect;

    const RULER: &str = "// ---------------------------------------------------------------------------------------------------------------\n";

    fn generated() -> String {
        let mut text = String::from("\n");
        for effect in Effect::ALL {
            writeln!(text, "action \"{effect}\";").unwrap();
            for verb in Verb::ALL.iter().filter(|verb| verb.effect() == effect) {
                let object = format!("{:?}", verb.object());
                writeln!(
                    text,
                    "action \"{verb}\" in [\"{effect}\"] appliesTo {{ principal: [User, Agent], resource: [Connection, \
                     {object}], context: Operation }};"
                )
                .unwrap();
            }
            text.push('\n');
        }
        text.push_str(
            "// `context.risk`: every verb on every object is an entry, and so is each circumstance that holds;\n",
        );
        text.push_str(
            "// the worst entry is the risk, never a sum; every entry that reaches 30 is told as a reason.\n",
        );
        for line in crate::sql::risk::table().lines() {
            writeln!(text, "//   {line}").unwrap();
        }
        text
    }

    #[test]
    fn every_verb_is_an_action_in_the_group_of_its_effect() {
        let (by_hand, committed) = TEXT.split_once(RULER).unwrap();
        if committed != generated() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/policy/hoop.cedarschema");
            std::fs::write(path, format!("{by_hand}{RULER}{}", generated())).unwrap();
            panic!("the schema's actions were stale and are written anew; look at the change and run again");
        }
        let vocabulary = Vocabulary::parse().unwrap();
        let actions: Vec<_> = vocabulary.schema.actions().cloned().collect();
        for verb in Verb::ALL {
            assert!(actions.contains(&vocabulary.verb(*verb)), "{verb}");
        }
    }

    #[test]
    fn every_data_class_is_in_pii_or_secret() {
        for (class, parent) in DATA_CLASSES {
            assert!(
                parent.is_some_and(|parent| ["pii", "secret"].contains(&parent)) || ["pii", "secret"].contains(class)
            );
        }
    }
}
