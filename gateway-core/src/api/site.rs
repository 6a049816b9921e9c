//! The site as code: what is in force, what a site would change, and putting one in force, by whom policy lets administer.
//!
//! What checks and publishes is behind a trait, so that the API knows no listener. It records who and why before
//! anything changes.

use std::{collections::BTreeMap, pin::Pin};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
};
use http::StatusCode;

use super::{
    ApiState,
    caller::Caller,
    guard::json,
    notifications::administers,
    problem::ApiError,
    types::{
        ApplySite, CompareSite, RollBackSite, SiteApplied, SiteDifference, SiteProblem, SiteStanding, SiteVersion,
    },
};
use crate::{config::MAX_SITE_BYTES, model::Principal};

/// The largest body that holds a site: its text, escaped.
pub(super) const MAX_SITE_BODY_BYTES: usize = 2 * MAX_SITE_BYTES;
/// As many versions are listed.
const MAX_LISTED: usize = 500;
/// The longest reason, in characters.
const MAX_MESSAGE: usize = 1_000;

/// Why a site is not put in force.
#[derive(Debug, thiserror::Error)]
pub enum SiteRefusal {
    /// These stand in the way.
    #[error("the site cannot be applied")]
    Problems(Vec<SiteProblem>),
    /// Another version is in force than was thought.
    #[error("version {} is in force by now", .0.version)]
    Superseded(Box<SiteStanding>),
    /// There is no such version.
    #[error("there is no such version")]
    Unknown,
    /// Something below does not work.
    #[error("{0}")]
    Failed(String),
}

/// What is done about a site, when it is done.
pub type SiteWork<'work, T> = Pin<Box<dyn Future<Output = Result<T, SiteRefusal>> + Send + 'work>>;

/// The site in force and its versions.
pub trait Sites: Send + Sync + 'static {
    /// Which version is in force.
    fn standing(&self) -> SiteWork<'_, SiteStanding>;

    /// The newest versions, at most `limit`.
    fn versions(&self, limit: usize) -> SiteWork<'_, Vec<SiteStanding>>;

    /// One version with its files.
    fn version(&self, version: u64) -> SiteWork<'_, SiteVersion>;

    /// What these files would change. Changes nothing.
    fn compare(&self, files: BTreeMap<String, String>) -> SiteWork<'_, SiteDifference>;

    /// Puts these files in force, where `base` still is.
    fn apply<'site>(
        &'site self,
        by: &'site Principal,
        base: u64,
        message: Option<String>,
        files: BTreeMap<String, String>,
    ) -> SiteWork<'site, SiteApplied>;

    /// Puts an earlier version in force again, where `base` still is; without `version`, the one before.
    fn roll_back<'site>(
        &'site self,
        by: &'site Principal,
        base: u64,
        version: Option<u64>,
        message: Option<String>,
    ) -> SiteWork<'site, SiteApplied>;
}

impl From<SiteRefusal> for ApiError {
    fn from(refusal: SiteRefusal) -> Self {
        match refusal {
            SiteRefusal::Problems(problems) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "the site cannot be applied").problems(problems)
            }
            SiteRefusal::Superseded(now) => {
                Self::new(StatusCode::CONFLICT, "another version of the site is in force by now")
                    .detail(format!("version {}, which {} put in force", now.version, now.by))
                    .hint("look at the difference again with `hoop diff`, then apply")
            }
            SiteRefusal::Unknown => Self::not_found("no such version of the site"),
            SiteRefusal::Failed(why) => Self::unavailable("the site cannot be changed now", &why),
        }
    }
}

pub(super) async fn standing(State(state): State<ApiState>, caller: Caller) -> Result<Json<SiteStanding>, ApiError> {
    administers(&state, &caller, "look at the site").await?;
    Ok(Json(state.0.site.standing().await?))
}

pub(super) async fn versions(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Json<Vec<SiteStanding>>, ApiError> {
    administers(&state, &caller, "list the versions of the site").await?;
    Ok(Json(state.0.site.versions(MAX_LISTED).await?))
}

pub(super) async fn version(
    State(state): State<ApiState>,
    caller: Caller,
    Path(version): Path<String>,
) -> Result<Json<SiteVersion>, ApiError> {
    administers(&state, &caller, "look at a version of the site").await?;
    let version = version.parse().map_err(|_not_a_number| ApiError::from(SiteRefusal::Unknown))?;
    Ok(Json(state.0.site.version(version).await?))
}

pub(super) async fn compare(
    State(state): State<ApiState>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SiteDifference>, ApiError> {
    administers(&state, &caller, "compare a site").await?;
    let asked: CompareSite = json(body)?;
    Ok(Json(state.0.site.compare(asked.files).await?))
}

pub(super) async fn apply(
    State(state): State<ApiState>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SiteApplied>, ApiError> {
    administers(&state, &caller, "apply a site").await?;
    let ApplySite { base, message, files } = json(body)?;
    Ok(Json(state.0.site.apply(caller.principal(), base, sane(message)?, files).await?))
}

pub(super) async fn roll_back(
    State(state): State<ApiState>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SiteApplied>, ApiError> {
    administers(&state, &caller, "roll the site back").await?;
    let RollBackSite { base, version, message } = json(body)?;
    Ok(Json(state.0.site.roll_back(caller.principal(), base, version, sane(message)?).await?))
}

fn sane(message: Option<String>) -> Result<Option<String>, ApiError> {
    if message.as_ref().is_some_and(|message| message.chars().count() > MAX_MESSAGE) {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "the reason does not do")
            .detail(format!("it has more than {MAX_MESSAGE} characters")));
    }
    Ok(message.filter(|message| !message.trim().is_empty()))
}
