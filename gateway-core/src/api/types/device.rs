//! A login through the gateway's own device page, in the shapes of RFC 8628.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which way a CLI logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginWay {
    /// At the OIDC issuer; the gateway exchanges the issuer's token.
    #[default]
    Issuer,
    /// At the gateway's own device page, which gives the gateway's token: people log in by SAML.
    DevicePage,
}

/// `POST /api/v1/device`: a code for the program, and one for the person.
#[derive(Clone, Serialize, Deserialize)]
pub struct DeviceAuthorization {
    /// What the program polls with.
    pub device_code: String,
    /// What the person compares.
    pub user_code: String,
    /// Where the person goes.
    pub verification_uri: String,
    /// The same, with the code.
    pub verification_uri_complete: String,
    /// How long the code stands, in seconds.
    pub expires_in: i64,
    /// How long to wait between polls, in seconds.
    pub interval: i64,
}

impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DeviceAuthorization").field("user_code", &self.user_code).finish_non_exhaustive()
    }
}

/// `POST /api/v1/device/token`: the gateway's own token, which lasts as long as the login and is not renewed.
#[derive(Clone, Serialize, Deserialize)]
pub struct DeviceToken {
    /// The bearer.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// How long it lasts, in seconds.
    pub expires_in: i64,
}

impl fmt::Debug for DeviceToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DeviceToken").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}
