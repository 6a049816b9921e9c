//! Arguments of `login`, `logout`, `whoami` and `status`.

use std::path::PathBuf;

use clap::{Args, builder::FalseyValueParser};

use crate::login::{Browser, Named};

/// Log in at a gateway, through your identity provider.
#[derive(Debug, Args)]
#[command(
    long_about = "Log in at a gateway, through your identity provider.\n\n\
                  Opens a browser where there is one and the gateway allows it (redirect_uri); it comes back to this \
                  machine. Otherwise prints an address and a code; open the address in any browser, on any device, and \
                  confirm the code. Tokens go to the operating system's keyring; where there is none, to a file that only you can read.",
    after_help = "Examples:\n  hoop login --gateway https://gateway.example.com\n  \
                  hoop login --no-browser            on a server, with the browser elsewhere\n  \
                  hoop login --max-age 900           prove who you are again, unless that was minutes ago\n  \
                  hoop login --client-id crew --client-secret-file /run/secrets/crew   as a service account\n  \
                  HOOP_TOKEN_FILE=/var/run/secrets/hoop/token hoop ls   a service account, without a login before\n  \
                  HOOP_TOKEN_STORE=file hoop login   keep tokens in a 0600 file even where there is a keyring"
)]
pub(crate) struct LoginArguments {
    /// Print an address and a code for a browser on any machine; do not try to open one here
    #[arg(long, visible_alias = "device", env = "HOOP_LOGIN_NO_BROWSER", value_parser = FalseyValueParser::new())]
    pub(crate) no_browser: bool,
    /// Log in by a browser on this machine, even where none can be opened from here: the address is printed
    #[arg(long, conflicts_with = "no_browser")]
    pub(crate) browser: bool,
    /// Ask the identity provider for a login that is at most so many seconds old
    #[arg(long, env = "HOOP_LOGIN_MAX_AGE", value_name = "SECONDS")]
    pub(crate) max_age: Option<u32>,
    /// Ask it for a login of this kind (`acr`), such as phr for one that cannot be phished
    #[arg(long, env = "HOOP_LOGIN_ACR", value_name = "WORD")]
    pub(crate) acr: Option<String>,
    /// Log in as the service account whose token this file holds; it is read anew each time
    #[arg(long, env = "HOOP_TOKEN_FILE", value_name = "FILE", conflicts_with = "client_id")]
    pub(crate) token_file: Option<PathBuf>,
    /// Log in as this client of the identity provider, a service account
    #[arg(long, env = "HOOP_CLIENT_ID", value_name = "ID", requires = "client_secret_file")]
    pub(crate) client_id: Option<String>,
    /// The file that holds the client's secret
    #[arg(long, env = "HOOP_CLIENT_SECRET_FILE", value_name = "FILE", requires = "client_id")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// The scope to ask for as a client, where the identity provider wants one
    #[arg(long, env = "HOOP_CLIENT_SCOPE", value_name = "SCOPE", requires = "client_id")]
    pub(crate) client_scope: Option<String>,
}

impl LoginArguments {
    /// Whose browser is to log in.
    pub(crate) const fn browser(&self) -> Browser {
        match (self.browser, self.no_browser) {
            (true, _) => Browser::OfThisMachine,
            (false, true) => Browser::Elsewhere,
            (false, false) => Browser::WhereThereIsOne,
        }
    }

    /// The service account that is named, in parts.
    pub(crate) fn workload(&self) -> Named {
        Named {
            token_file: self.token_file.clone(),
            client_id: self.client_id.clone(),
            client_secret_file: self.client_secret_file.clone(),
            client_scope: self.client_scope.clone(),
        }
    }
}

/// End the login and forget its tokens.
#[derive(Debug, Args)]
#[command(
    long_about = "End the login: the gateway ends your tokens, certificates and live sessions, the identity provider \
                  revokes the refresh token where it can, and everything kept here is deleted.\n\n\
                  hoop on another machine where you are logged in renews its own login; its open sessions end too.",
    after_help = "Examples:\n  hoop logout\n  hoop logout --gateway https://gateway.example.com"
)]
pub(crate) struct LogoutArguments {}

/// Say who you are to the gateway.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop whoami\n  hoop whoami --output json")]
pub(crate) struct WhoamiArguments {}

/// Show the gateway, the login and where its tokens are kept.
#[derive(Debug, Args)]
#[command(
    long_about = "Show whether the gateway answers, who is logged in, how long the token lasts and where it is kept.\n\n\
                  Exits with 4 where there is no login and with 5 where the gateway does not answer.",
    after_help = "Examples:\n  hoop status\n  hoop status --output json"
)]
pub(crate) struct StatusArguments {}
