//! Keeps a login's tokens between commands: in the operating system's keyring, else in a file only its owner can read.
//!
//! Knows no protocol: what is kept was obtained by `login`. Which place was chosen is remembered per gateway, so that a
//! keyring that is locked today is an error and not a silent second login. `HOOP_TOKEN_STORE` forces a place.

mod keyring;
mod stored;

pub(crate) use stored::{IssuerSide, StoredLogin};

use std::{
    fmt,
    fs::{self, File},
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use self::keyring::Keyring;
use crate::{
    context::{Context, Directories, GatewayUrl},
    failure::Failure,
    private_file::{self, Readers, create_private_folder, remove_file, replace_private_file},
};

/// Where tokens are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoreKind {
    /// The operating system's keyring.
    Keyring,
    /// A file with mode 0600.
    File,
    /// The kernel's keyring of this session, which ends with it. Only where `HOOP_TOKEN_STORE` says so.
    Keyutils,
}

impl fmt::Display for StoreKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Keyring => "keyring",
            Self::File => "file",
            Self::Keyutils => "keyutils",
        })
    }
}

/// The tokens of one gateway.
#[derive(Debug, Clone)]
pub(crate) struct TokenStore {
    gateway: GatewayUrl,
    folder: PathBuf,
    forced: Option<StoreKind>,
}

/// Held while tokens are refreshed: one process at a time uses a refresh token.
#[derive(Debug)]
pub(crate) struct StoreLock {
    _file: File,
}

/// What is remembered in the open: only which place holds the tokens.
#[derive(Serialize, Deserialize)]
struct Place {
    version: u32,
    gateway: String,
    store: StoreKind,
}

impl TokenStore {
    /// The store for `gateway`. Opens nothing yet.
    pub(crate) fn new(context: &Context, gateway: &GatewayUrl) -> Result<Self, Failure> {
        Ok(Self::at(&context.directories, gateway, forced_kind()?))
    }

    fn at(directories: &Directories, gateway: &GatewayUrl, forced: Option<StoreKind>) -> Self {
        Self { gateway: gateway.clone(), folder: directories.state().join("logins"), forced }
    }

    /// Which place holds this gateway's tokens; `None` without a login.
    pub(crate) fn kind(&self) -> Result<Option<StoreKind>, Failure> {
        let path = self.path("json");
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice::<Place>(&text).map(|place| Some(place.store)).map_err(|error| {
                Failure::failed(format!("{} is damaged", path.display()))
                    .caused_by(&error)
                    .next("run `hoop login` again")
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::failed(format!("{} could not be read", path.display())).caused_by(&error)),
        }
    }

    /// The login kept for this gateway, if any. A keyring that does not answer and a file that others can read are errors.
    pub(crate) async fn load(&self) -> Result<Option<StoredLogin>, Failure> {
        let Some(kind) = self.kind()? else { return Ok(None) };
        let text = match self.forced.unwrap_or(kind) {
            StoreKind::Keyring => keyring::read(Keyring::System, self.gateway.to_string()).await?,
            StoreKind::Keyutils => keyring::read(Keyring::Kernel, self.gateway.to_string()).await?,
            StoreKind::File => private_file::read(&self.path("token"), Readers::OwnerOnly)?,
        };
        text.map(|text| StoredLogin::decode(&text)).transpose()
    }

    /// Keeps a fresh login: in the keyring where it answers, else in a file. Says which, and why not the keyring.
    pub(crate) async fn keep(&self, context: &Context, login: &StoredLogin) -> Result<StoreKind, Failure> {
        create_private_folder(&self.folder)?;
        let text = login.encode()?;
        // What is damaged does not say where an older login is.
        let before = self.kind().ok().flatten();
        let kind = match self.forced {
            Some(StoreKind::File) => self.keep_in_file(&text)?,
            Some(StoreKind::Keyring) => self.keep_in_keyring(Keyring::System, text).await?,
            Some(StoreKind::Keyutils) => self.keep_in_keyring(Keyring::Kernel, text).await?,
            None => match self.keep_in_keyring(Keyring::System, text.clone()).await {
                Ok(kind) => kind,
                Err(failure) => {
                    let why = failure.why().last().map_or(failure.what(), String::as_str);
                    context.output.warn(&format!("there is no usable keyring here: {}", crate::output::printable(why)));
                    self.keep_in_file(&text)?
                }
            },
        };
        self.remember(kind)?;
        if let Some(before) = before.filter(|before| *before != kind)
            && let Err(failure) = self.clear(before).await
        {
            let warning = format!("an older login may still be in the {before}: {}", failure.what());
            context.output.warn(&crate::output::printable(&warning));
        }
        context.output.say(&match kind {
            StoreKind::Keyring => "Tokens are kept in the operating system's keyring.".to_owned(),
            StoreKind::Keyutils => {
                "Tokens are kept in the kernel's keyring: in memory only, and gone at the machine's next start."
                    .to_owned()
            }
            StoreKind::File => {
                format!("Tokens are kept in {}, which only you can read.", self.path("token").display())
            }
        });
        Ok(kind)
    }

    /// Replaces the kept tokens where they are, after a refresh. Says nothing.
    pub(crate) async fn replace(&self, login: &StoredLogin) -> Result<(), Failure> {
        let before = self.kind()?;
        let text = login.encode()?;
        let kind = self.forced.or(before).unwrap_or(StoreKind::File);
        match kind {
            StoreKind::Keyring => keyring::write(Keyring::System, self.gateway.to_string(), text).await?,
            StoreKind::Keyutils => keyring::write(Keyring::Kernel, self.gateway.to_string(), text).await?,
            StoreKind::File => replace_private_file(&self.path("token"), text.as_bytes())?,
        }
        match before.filter(|before| *before != kind) {
            // Its refresh token is spent, and must not be found there.
            Some(before) => {
                self.remember(kind)?;
                self.clear(before).await
            }
            None => Ok(()),
        }
    }

    /// Forgets this gateway's tokens. Their absence is fine.
    pub(crate) async fn forget(&self) -> Result<(), Failure> {
        for kind in self.kind()?.into_iter().chain(self.forced) {
            self.clear(kind).await?;
        }
        remove_file(&self.path("token"))?;
        remove_file(&self.path("json"))
    }

    /// Forgets what is in one place.
    async fn clear(&self, kind: StoreKind) -> Result<(), Failure> {
        match kind {
            StoreKind::Keyring => keyring::delete(Keyring::System, self.gateway.to_string()).await,
            StoreKind::Keyutils => keyring::delete(Keyring::Kernel, self.gateway.to_string()).await,
            StoreKind::File => remove_file(&self.path("token")),
        }
    }

    /// Waits until no other process refreshes this gateway's tokens.
    pub(crate) async fn lock(&self) -> Result<StoreLock, Failure> {
        create_private_folder(&self.folder)?;
        let path = self.path("lock");
        let failed = |error: &dyn std::error::Error| {
            Failure::failed(format!("{} could not be locked", path.display())).caused_by(error)
        };
        let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|error| failed(&error))?;
        let locking = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
        let locked = tokio::time::timeout(LOCK_PATIENCE, locking).await;
        let locked = locked.map_err(|_elapsed| {
            Failure::failed("another hoop process has been refreshing the login for a minute")
                .next("end the hoop process that hangs, then try again")
        })?;
        let file = locked.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        Ok(StoreLock { _file: file })
    }

    fn keep_in_file(&self, text: &str) -> Result<StoreKind, Failure> {
        replace_private_file(&self.path("token"), text.as_bytes())?;
        Ok(StoreKind::File)
    }

    async fn keep_in_keyring(&self, which: Keyring, text: String) -> Result<StoreKind, Failure> {
        keyring::write(which, self.gateway.to_string(), text).await?;
        // An older login may have used the file, and not be remembered.
        remove_file(&self.path("token"))?;
        Ok(match which {
            Keyring::System => StoreKind::Keyring,
            Keyring::Kernel => StoreKind::Keyutils,
        })
    }

    fn remember(&self, store: StoreKind) -> Result<(), Failure> {
        let place = Place { version: 1, gateway: self.gateway.to_string(), store };
        let text = serde_json::to_vec(&place)
            .map_err(|error| Failure::internal("the token store's name does not serialise").caused_by(&error))?;
        replace_private_file(&self.path("json"), &text)
    }

    fn path(&self, extension: &str) -> PathBuf {
        let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-');
        let name = self.gateway.authority().replace(|character| !plain(character), "_");
        self.folder.join(format!("{name}.{extension}"))
    }
}

const LOCK_PATIENCE: Duration = Duration::from_mins(1);

fn forced_kind() -> Result<Option<StoreKind>, Failure> {
    match std::env::var("HOOP_TOKEN_STORE").as_deref() {
        Err(_) | Ok("") => Ok(None),
        Ok("keyring") => Ok(Some(StoreKind::Keyring)),
        Ok("file") => Ok(Some(StoreKind::File)),
        Ok("keyutils") => Ok(Some(StoreKind::Keyutils)),
        Ok(other) => Err(Failure::usage(format!("HOOP_TOKEN_STORE is `{other}`"))
            .next("set it to `keyring`, `file`, or `keyutils` for this session only")),
    }
}

#[cfg(test)]
mod tests;
