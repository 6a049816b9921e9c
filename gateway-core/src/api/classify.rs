//! `POST /connections/NAME/classify`: proposes tags for columns from a sample of their values. Only counts are answered.
//!
//! Only who may `administer` the gateway may ask. What samples is behind a trait, so that the API knows no protocol.

use std::{collections::BTreeMap, future::Future, pin::Pin};

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;

use super::{
    ApiState,
    caller::Caller,
    problem::ApiError,
    types::{ClassifyAnswer, ProposedTag},
};
use crate::{
    mask::DetectedClass,
    model::{ConnectionName, Principal},
    policy::{ApiAction, ApiResource},
    upstream::{ColumnSample, Survey},
};

/// Why a connection could not be sampled: a sentence without any value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SamplerError(pub String);

/// What a sample is, when it comes.
pub type Sampling<'sampler> = Pin<Box<dyn Future<Output = Result<Survey, SamplerError>> + Send + 'sampler>>;

/// Samples the tables of a connection.
pub trait Sampler: Send + Sync + 'static {
    /// Reads a sample for `who`, recorded before anything is sent. Columns that carry a tag already are left out.
    fn sample<'sampler>(
        &'sampler self,
        who: &'sampler Principal,
        connection: &'sampler ConnectionName,
    ) -> Sampling<'sampler>;
}

/// The smallest share of values, in percent, in which a class must be found.
const LEAST_PERCENT: u32 = 5;
/// Fewer values say nothing without a telling name.
const LEAST_FOUND: u32 = 2;

pub(super) async fn propose(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ClassifyAnswer>, ApiError> {
    let found = state.0.connections.borrow().iter().find(|one| one.facts.name.as_str() == name).cloned();
    let connection = found.ok_or_else(|| ApiError::not_found("no such connection"))?.facts.name;
    let who = caller.principal();
    if let Err(refusal) = state.authorize(who, &ApiAction::Administer, &ApiResource::Gateway) {
        return Err(state.refuse(who, format!("classify {connection}"), refusal).await);
    }
    let survey = state.0.sampler.sample(who, &connection).await.map_err(|error| {
        ApiError::new(StatusCode::BAD_GATEWAY, "the connection cannot be sampled").detail(error.to_string())
    })?;
    let proposals = survey.columns.iter().filter_map(proposed).collect();
    Ok(Json(ClassifyAnswer { connection, tables: survey.tables, skipped: survey.skipped, proposals }))
}

/// The tag for a column: what most of its values show, or what its name says.
fn proposed(sample: &ColumnSample) -> Option<ProposedTag> {
    let named = hint(&sample.column);
    let most = sample.found.iter().max_by_key(|(_, count)| **count);
    let is_usual = |count: u32| count >= LEAST_FOUND && count * 100 >= sample.values * LEAST_PERCENT;
    let (tag, found) = match (most, named) {
        (Some((class, count)), _) if is_usual(*count) => (class.as_str(), *count),
        (_, Some(tag)) => (tag, sample.found.iter().find(|(class, _)| class.as_str() == tag).map_or(0, |(_, n)| *n)),
        _ => return None,
    };
    Some(ProposedTag {
        schema: sample.schema.clone(),
        table: sample.table.clone(),
        column: sample.column.clone(),
        tag: tag.to_owned(),
        found,
        sampled: sample.values,
        by_name: named == Some(tag),
    })
}

/// What a column's name says of its values. Words are parted by underscores and capitals.
fn hint(column: &str) -> Option<&'static str> {
    let mut words = String::new();
    for letter in column.chars() {
        if letter.is_uppercase() && !words.ends_with('_') {
            words.push('_');
        }
        words.extend(letter.to_lowercase());
    }
    let has = |word: &str| words.split(['_', '-', ' ', '.']).any(|part| part == word);
    let names: BTreeMap<&'static str, bool> = BTreeMap::from([
        (DetectedClass::Email.as_str(), has("email") || has("mail")),
        (DetectedClass::UsSsn.as_str(), has("ssn")),
        (DetectedClass::Phone.as_str(), has("phone") || has("mobile") || has("fax") || has("telephone")),
        (DetectedClass::Iban.as_str(), has("iban")),
        (
            DetectedClass::CreditCard.as_str(),
            has("pan") || (has("card") && (has("number") || has("no") || has("credit"))),
        ),
        ("secret", has("password") || has("passwd") || has("secret") || (has("api") && has("key"))),
    ]);
    names.into_iter().find(|(_, says)| *says).map(|(tag, _)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(column: &str, values: u32, found: &[(DetectedClass, u32)]) -> Option<(String, bool)> {
        let found = found.iter().copied().collect();
        let (schema, table, column) = ("public".to_owned(), "t".to_owned(), column.to_owned());
        proposed(&ColumnSample { schema, table, column, values, found }).map(|one| (one.tag, one.by_name))
    }

    #[test]
    fn a_tag_is_proposed_from_values_or_from_a_telling_name() {
        let email = DetectedClass::Email;
        assert_eq!(tag("note", 200, &[(email, 12)]), Some(("email".to_owned(), false)));
        assert_eq!(tag("note", 200, &[(email, 9)]), None);
        assert_eq!(tag("note", 1, &[(email, 1)]), None);
        assert_eq!(tag("contactEmail", 0, &[]), Some(("email".to_owned(), true)));
        assert_eq!(tag("card_number", 50, &[]), Some(("credit_card".to_owned(), true)));
        assert_eq!(tag("api_key", 50, &[(DetectedClass::CloudKey, 50)]), Some(("cloud_key".to_owned(), false)));
        assert_eq!(tag("company", 50, &[]), None);
        assert_eq!(tag("note", 100, &[(email, 20), (DetectedClass::Phone, 30)]), Some(("phone".to_owned(), false)));
    }
}
