//! People log in at a SAML 2.0 identity provider, and their CLI through the gateway's own device page.
//!
//! ```text
//! CLI ── POST /api/v1/device ──> code         person ── /device ──> confirms code ──> identity provider
//! CLI ── POST /api/v1/device/token ──> token  <── done page <── /saml/acs <── signed assertion ──┘
//! ```
//!
//! `service` holds the protocol's library, which nothing outside this folder names; `screen` looks at what a browser
//! brought before the library parses it, `assertion` makes a principal of it, `routes` and `page` are what people see.
//! Knows no policy. Called by `api` for the CLI's side, and mounted by `gateway`.

mod assertion;
mod page;
mod refusal;
mod replay;
mod routes;
mod screen;
mod service;

use std::{
    collections::BTreeSet,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::Router;

use self::{
    assertion::Reading,
    routes::{Purpose, Round},
    service::Service,
};
pub use super::grants::Unmet;
use super::{
    IdentityError, PublicOrigin, Verified,
    codes::{random_text, spaced_user_code, user_code},
    forms::Forms,
    grants::{Asked, GRANT_SECONDS, Grants, INTERVAL_SECONDS},
};
use crate::{
    api::types::{DeviceAuthorization, IdentityInfo, LoginWay, TokenChoice},
    clock::WallClock,
    config::SamlConfig,
};

/// The one public client that the device page knows.
const CLIENT_ID: &str = "hoop-cli";
/// What a login gives: the person's own rights at this gateway.
const SCOPE: &str = "login";

/// Logins by SAML; cheap to clone.
#[derive(Clone)]
pub struct SamlLogin(Arc<Inner>);

struct Inner {
    origin: PublicOrigin,
    service: Service,
    reading: Reading,
    allow_idp_initiated: bool,
    clock: WallClock,
    started_at: i64,
    desk: Mutex<Desk>,
}

/// What changes: logins under way, forms handed out, people who are at the identity provider.
#[derive(Default)]
struct Desk {
    grants: Grants<Verified>,
    forms: Forms<Purpose>,
    rounds: Forms<Round>,
}

impl fmt::Debug for SamlLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SamlLogin").field("origin", &self.0.origin).finish_non_exhaustive()
    }
}

/// A program's wish to log somebody in.
#[derive(Debug)]
pub struct DeviceWish<'wish> {
    /// The client's id.
    pub client_id: &'wish str,
    /// What it asks for.
    pub scope: &'wish str,
    /// It wants the person to prove themselves now, not to be remembered.
    pub anew: bool,
    /// Where it is.
    pub from: Option<IpAddr>,
}

impl SamlLogin {
    /// Reads the provider's metadata and our key, and checks that they can only be used safely. `claims` are the
    /// attributes that policies may read.
    pub fn open(
        config: &SamlConfig,
        claims: BTreeSet<String>,
        origin: PublicOrigin,
        clock: WallClock,
    ) -> Result<Self, IdentityError> {
        let service = Service::open(config, &origin)?;
        Ok(Self(Arc::new(Inner {
            service,
            reading: Reading::of(config, claims),
            allow_idp_initiated: config.allow_idp_initiated,
            started_at: clock.unix_seconds(),
            origin,
            clock,
            desk: Mutex::default(),
        })))
    }

    /// How to log in, for clients.
    pub fn info(&self) -> IdentityInfo {
        IdentityInfo {
            issuer: self.0.origin.as_str().to_owned(),
            client_id: CLIENT_ID.to_owned(),
            scopes: vec![SCOPE.to_owned()],
            token: TokenChoice::Access,
            way: LoginWay::DevicePage,
            redirect_uri: None,
            via_gateway: false,
            wants_access_token: false,
        }
    }

    /// How long a login lasts at most, in seconds.
    pub fn login_seconds(&self) -> i64 {
        self.0.reading.login_minutes() * 60
    }

    /// The pages, `/device` and below `/saml`. Every answer checks the Host first.
    pub fn router(&self) -> Router {
        routes::router(self.clone())
    }

    /// Starts a login for a program. What it may not have is said in the words of RFC 6749.
    pub fn begin(&self, wish: &DeviceWish<'_>) -> Result<DeviceAuthorization, &'static str> {
        if wish.client_id != CLIENT_ID {
            return Err("invalid_client");
        }
        let mut scopes: Vec<String> = wish.scope.split_whitespace().map(str::to_owned).collect();
        if scopes.is_empty() {
            scopes.push(SCOPE.to_owned());
        }
        if scopes != [SCOPE] {
            return Err("invalid_scope");
        }
        let (Ok(device_code), Ok(user_code)) = (random_text(32), user_code()) else {
            return Err("server_error");
        };
        let asked = Asked { scopes, from: wish.from, anew: wish.anew };
        let now = self.0.clock.unix_seconds();
        if !self.desk().grants.begin(device_code.clone(), user_code.clone(), asked, now) {
            return Err("temporarily_unavailable");
        }
        let page = format!("{}/device", self.0.origin.as_str());
        let user_code = spaced_user_code(&user_code);
        Ok(DeviceAuthorization {
            device_code,
            verification_uri_complete: format!("{page}?user_code={user_code}"),
            verification_uri: page,
            user_code,
            expires_in: GRANT_SECONDS,
            interval: INTERVAL_SECONDS,
        })
    }

    /// Who logged in under a device code: once, when they did.
    pub fn poll(&self, client_id: &str, device_code: &str) -> Result<Verified, Unmet> {
        if client_id != CLIENT_ID {
            return Err(Unmet::Invalid);
        }
        let now = self.0.clock.unix_seconds();
        self.desk().grants.poll(device_code, now).map(|approved| approved.who)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
