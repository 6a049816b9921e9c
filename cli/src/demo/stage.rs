//! The demo's world: its folder, server, gateway, people and tunnel, built step by step and taken down whole.

use std::{
    cell::RefCell,
    fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::process::Command;
use url::Url;

use super::{
    child::{Child, Source},
    lifeline::Lifeline,
    login_page,
    narration::Narration,
    postgres::{self, Postgres},
};
use crate::{
    context::{Directories, GatewayUrl},
    failure::Failure,
    private_file::replace_private_file,
};

/// The connection of the demo.
pub(super) const CONNECTION: &str = "pg-demo";
const POLICIES: &str = include_str!("site/demo.cedar");
const MASKING: &str = include_str!("site/masking.toml");

/// The folder, and everything long-lived that was started in it.
#[derive(Debug)]
pub(super) struct Stage {
    root: PathBuf,
    hoop: PathBuf,
    lifeline: Lifeline,
    gateway: Option<Child>,
    tunnel: Option<Child>,
    postgres: Option<Postgres>,
}

/// What the tour needs of a built stage.
#[derive(Debug)]
pub(super) struct World<'stage> {
    stage: &'stage Stage,
    /// The server behind the gateway.
    pub(super) postgres: &'stage Postgres,
    /// Where the gateway is.
    pub(super) gateway: GatewayUrl,
    /// What the login page wants.
    pub(super) secret: String,
    /// alice's tunnel.
    pub(super) port: u16,
}

impl Stage {
    /// Makes the folder. Nothing runs yet but the shell that would remove it.
    pub(super) fn new() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::failed("a temporary folder could not be made").caused_by(&error);
        let root = tempfile::Builder::new().prefix("hoop-demo-").tempdir().map_err(failed)?.keep();
        // PostgreSQL's user must reach its own folder inside; what is private below is 0700 itself.
        fs::set_permissions(&root, fs::Permissions::from_mode(0o711)).map_err(failed)?;
        let hoop =
            std::env::current_exe().map_err(|error| Failure::failed("hoop does not find itself").caused_by(&error))?;
        let lifeline = Lifeline::start(&root)?;
        Ok(Self { root, hoop, lifeline, gateway: None, tunnel: None, postgres: None })
    }

    /// Builds everything up to alice's open tunnel.
    pub(super) async fn build(&mut self, narration: &Narration) -> Result<World<'_>, Failure> {
        narration.progress("making a private PostgreSQL with a small shop in it");
        let password = random_password()?;
        let folder = self.root.join("postgres");
        let postgres = Box::pin(Postgres::start(&folder, &password, &mut self.lifeline)).await?;
        let site = self.write_site(postgres.port, &password)?;
        self.postgres = Some(postgres);
        narration.progress("starting the gateway");
        let (gateway, secret) = self.start_gateway(&site).await?;
        for person in ["alice", "bob"] {
            narration.progress(&format!("logging {person} in"));
            self.log_in(person, &gateway, &secret).await?;
        }
        narration.progress("opening alice's tunnel");
        let port = self.open_tunnel(&gateway).await?;
        narration.rest();
        let stage: &Self = self;
        let postgres = stage.postgres.as_ref().ok_or_else(|| Failure::internal("the server was lost"))?;
        Ok(World { stage, postgres, gateway, secret, port })
    }

    /// Ends everything and removes the folder.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        self.lifeline.let_go();
        for child in [self.tunnel, self.gateway].into_iter().flatten() {
            child.gone().await;
        }
        if let Some(postgres) = self.postgres {
            postgres.gone().await;
        }
        self.lifeline.ended().await
    }

    fn write_site(&self, port: u16, password: &str) -> Result<PathBuf, Failure> {
        let site = self.private_folder("site/policies")?;
        let site = site.parent().unwrap_or(&site).to_owned();
        let data = self.private_folder("data")?;
        let secret = self.root.join("site").join("upstream.password");
        replace_private_file(&secret, password.as_bytes())?;
        let listen = postgres::free_port()?;
        let gateway = format!(
            "listen = \"127.0.0.1:{listen}\"\npublic_url = \"https://127.0.0.1:{listen}\"\ndata_dir = \"{}\"\n",
            data.display()
        );
        let connections = format!(
            "[[connection]]\nname = \"{CONNECTION}\"\nkind = \"postgres\"\nupstream = \"127.0.0.1:{port}\"\n\
             database = \"{database}\"\nlabels = {{ env = \"demo\" }}\n\n[connection.credential]\n\
             type = \"password\"\nusername = \"{role}\"\nsecret = \"file:{secret}\"\n",
            database = postgres::DATABASE,
            role = postgres::ROLE,
            secret = secret.display()
        );
        for (file, text) in [
            ("gateway.toml", gateway.as_str()),
            ("connections.toml", &connections),
            ("masking.toml", MASKING),
            ("policies/demo.cedar", POLICIES),
        ] {
            replace_private_file(&site.join(file), text.as_bytes())?;
        }
        Ok(site)
    }

    async fn start_gateway(&mut self, site: &Path) -> Result<(GatewayUrl, String), Failure> {
        self.private_folder("gateway")?;
        let mut command = self.command("gateway", None);
        command.args(["gateway", "run", "--dev"]).arg(site);
        let mut gateway = Child::start("the gateway", &mut command)?;
        if let Some(pid) = gateway.pid() {
            self.lifeline.watch(pid).await?;
        }
        // It says both when it is ready, in whichever order.
        let said = (RefCell::new(None), RefCell::new(None));
        let both = |_source: Source, line: &str| {
            if let Some((_before, secret)) = line.split_once("secret:") {
                said.0.replace(Some(secret.trim().to_owned()));
            }
            if let Some(address) = word_with(line, "https://127.0.0.1:") {
                said.1.replace(Some(address));
            }
            said.0.borrow().clone().zip(said.1.borrow().clone())
        };
        let (secret, address) = gateway.wait_for("that it is ready", both).await?;
        self.gateway = Some(gateway);
        Ok((GatewayUrl::parse(&address)?, secret))
    }

    async fn log_in(&self, person: &str, gateway: &GatewayUrl, secret: &str) -> Result<(), Failure> {
        let state = self.private_folder(&format!("{person}/state"))?;
        let trusted = self.root.join("gateway/state/dev");
        symlink(&trusted, state.join("dev"))
            .map_err(|error| Failure::failed("the gateway's authority could not be shared").caused_by(&error))?;
        let mut command = self.command(person, Some(gateway));
        command.args(["login", "--no-browser"]);
        let mut login = Child::start("hoop login", &mut command)?;
        let address = login.wait_for("the login page", |_source, line| {
            word_with(line, "https://").filter(|address| address.contains("user_code="))
        });
        let address = address.await?;
        let address = Url::parse(&address).map_err(|error| Failure::internal("not an address").caused_by(&error))?;
        let directories = Directories::at(&self.root.join("gateway"));
        login_page::confirm(&directories, gateway, &address, person, secret).await?;
        let ended = login.finish().await?;
        if ended.status.success() {
            return Ok(());
        }
        Err(Failure::failed(format!("{person}'s login failed")).because(ended.everything()))
    }

    async fn open_tunnel(&mut self, gateway: &GatewayUrl) -> Result<u16, Failure> {
        let port = postgres::free_port()?;
        let mut command = self.command("alice", Some(gateway));
        command.args(["connect", CONNECTION, "--output", "jsonl", "--port", &port.to_string()]);
        let mut tunnel = Child::start("hoop connect", &mut command)?;
        if let Some(pid) = tunnel.pid() {
            self.lifeline.watch(pid).await?;
        }
        let open = |source, line: &str| (source == Source::Output && line.contains(&port.to_string())).then_some(());
        tunnel.wait_for("that it is open", open).await?;
        self.tunnel = Some(tunnel);
        Ok(port)
    }

    /// A `hoop` command of somebody in this world, who has nothing to do with whoever runs the demo.
    fn command(&self, who: &str, gateway: Option<&GatewayUrl>) -> Command {
        let home = self.root.join(who);
        let mut command = Command::new(&self.hoop);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("LC_ALL", "C.UTF-8").env("TERM", "dumb").env("HOME", &home).current_dir("/");
        command.env("HOOP_CONFIG_HOME", home.join("config")).env("HOOP_STATE_HOME", home.join("state"));
        command.env("HOOP_TOKEN_STORE", "file").env("HOOP_NO_INPUT", "1");
        if let Some(gateway) = gateway {
            command.env("HOOP_GATEWAY", gateway.to_string());
        }
        command
    }

    fn private_folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.root.join(name);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| Failure::failed(format!("{} could not be made", folder.display())).caused_by(&error))?;
        Ok(folder)
    }
}

impl World<'_> {
    /// A `hoop` command of this person.
    pub(super) fn hoop(&self, person: &str, arguments: &[&str]) -> Command {
        let mut command = self.stage.command(person, Some(&self.gateway));
        command.args(arguments);
        command
    }

    /// psql through alice's tunnel.
    pub(super) fn psql(&self, statement: &str) -> Command {
        let mut command = Command::new(self.postgres.psql());
        command.env_clear().env("LC_ALL", "C.UTF-8").env("HOME", &self.stage.root).env("PGCONNECT_TIMEOUT", "20");
        command.args(["-X", "-d", &self.address(), "-c", statement]);
        command
    }

    /// The tunnel's address, as psql takes it.
    pub(super) fn address(&self) -> String {
        format!("postgresql://alice@127.0.0.1:{}/{}", self.port, postgres::DATABASE)
    }

    /// The folder of somebody's files.
    pub(super) fn home(&self, person: &str) -> PathBuf {
        self.stage.root.join(person)
    }

    /// Where the gateway keeps its recordings and keys.
    pub(super) fn gateway_data(&self) -> PathBuf {
        self.stage.root.join("data")
    }
}

/// The word of a line that begins so.
fn word_with(line: &str, beginning: &str) -> Option<String> {
    let words = line.split_whitespace().map(|word| word.trim_matches(['`', '\'', '"', ',', '.', '(', ')']));
    words.filter(|word| word.starts_with(beginning)).map(str::to_owned).next()
}

/// Letters, digits, `-` and `_`, from the system's randomness.
fn random_password() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    let read = fs::File::open("/dev/urandom").and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes));
    read.map_err(|error| Failure::failed("the system gives no randomness").caused_by(&error))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_an_address_in_a_sentence() {
        let line = "listening on https://127.0.0.1:8443, for this machine only";
        assert_eq!(word_with(line, "https://127.0.0.1:").as_deref(), Some("https://127.0.0.1:8443"));
        assert_eq!(word_with("nothing here", "https://"), None);
    }
}
