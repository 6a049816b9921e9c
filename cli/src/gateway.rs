//! `hoop gateway`: a site, or the flags of `--dev`, become a running gateway that this terminal watches.
//!
//! Words in, words out: the gateway itself is `hoop_gateway_core::gateway`. SIGTERM and Ctrl-C end it in order, SIGHUP
//! reads the site again.

mod closed;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr as _,
};

use hoop_gateway_core::{
    api::types::SiteOrigin,
    config::{
        Connection, Credential, Durability, Problem, SecretReference, Site, UpstreamAddress, check_development,
        check_production,
    },
    gateway::{Gateway, GatewayError, LiveSite, Options},
    model::{ConnectionKind, ConnectionName},
};
use secrecy::ExposeSecret as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    arguments::{GatewayArguments, GatewayCommand, GatewayRun, RecordingDurability},
    context::{Context, GatewayUrl},
    failure::{ExitStatus, Failure},
    policy::problem_in_words,
    private_file::{create_private_folder, replace_private_file},
    trust::dev_ca_path,
};

/// The name of the connection that `--upstream` makes.
const DEV_CONNECTION: &str = "pg-dev";

/// Runs the gateway until it is told to end.
pub(crate) async fn run(arguments: GatewayArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let GatewayCommand::Run(arguments) = arguments.command;
    closed::close()?;
    let site = site(&arguments, context)?;
    let problems = if arguments.dev { check_development(&site) } else { check_production(&site) };
    if !problems.is_empty() {
        return Err(mistaken(&problems, arguments.site.as_deref(), context));
    }
    create_private_folder(&site.gateway.data_dir)?;
    let options = Options { site, dev: arguments.dev, version: env!("CARGO_PKG_VERSION") };
    let gateway = Gateway::start(options).await.map_err(|error| not_started(&error))?;
    announce(&gateway, &arguments, context)?;
    let shutdown = CancellationToken::new();
    let signals = watch_signals(arguments.site.clone(), &gateway, context, shutdown.clone())?;
    let served = gateway.run(shutdown).await;
    signals.abort();
    served.map_err(|error| Failure::failed("the gateway did not end in order").caused_by(&error))?;
    context.output.say("the gateway has ended");
    Ok(ExitStatus::SUCCESS)
}

fn site(arguments: &GatewayRun, context: &Context) -> Result<Site, Failure> {
    let data_dir = arguments.data_dir.clone().unwrap_or_else(|| context.directories.state().join("gateway"));
    let loaded = match &arguments.site {
        Some(folder) => Site::load(folder),
        None => Site::development(&data_dir, arguments.listen, upstream(arguments)?),
    };
    let mut site = loaded.map_err(|problems| mistaken(&problems, arguments.site.as_deref(), context))?;
    if let (Some(data_dir), Some(_)) = (&arguments.data_dir, &arguments.site) {
        site.gateway.recordings.directory = data_dir.join("recordings");
        site.gateway.store.path = data_dir.join("store.sqlite");
        site.gateway.data_dir.clone_from(data_dir);
    }
    if let (Some(listen), Some(_)) = (arguments.listen, &arguments.site) {
        site.gateway.listen = listen;
        set_public_port(&mut site, listen)?;
    }
    if let Some(durability) = arguments.durability {
        site.gateway.recordings.durability = match durability {
            RecordingDurability::Strict => Durability::Strict,
            RecordingDurability::Relaxed => Durability::Relaxed,
        };
    }
    Ok(site)
}

/// `--listen` moves a loopback `public_url` along; another one is what a load balancer shows and stays.
fn set_public_port(site: &mut Site, listen: SocketAddr) -> Result<(), Failure> {
    if listen.ip().is_loopback() {
        let moved = site.gateway.public_url.set_port(Some(listen.port()));
        moved.map_err(|()| Failure::usage("public_url takes no port"))?;
    }
    Ok(())
}

/// The connection that `--upstream HOST:PORT/DATABASE` names.
fn upstream(arguments: &GatewayRun) -> Result<Vec<Connection>, Failure> {
    let Some(upstream) = &arguments.upstream else { return Ok(Vec::new()) };
    let wrong = |why: &str| {
        Failure::usage(format!("`--upstream {upstream}` names no database"))
            .because(why)
            .next("write it like --upstream 127.0.0.1:5432/shop")
    };
    let (address, database) = upstream.rsplit_once('/').ok_or_else(|| wrong("there is no `/DATABASE`"))?;
    let address = UpstreamAddress::from_str(address).map_err(|error| wrong(&error.to_string()))?;
    let username = arguments.username.clone().ok_or_else(|| {
        Failure::usage("an upstream needs the role that the gateway logs in with").next("add --username ROLE")
    })?;
    let credential = match &arguments.secret {
        Some(reference) => {
            let secret = SecretReference::parse(reference, Path::new(""))
                .map_err(|error| Failure::usage("`--secret` takes env:NAME or file:PATH").because(error.to_string()))?;
            Credential::Password { username, secret }
        }
        None => Credential::Trust { username },
    };
    let name = ConnectionName::new(DEV_CONNECTION).map_err(|error| Failure::internal(error.to_string()))?;
    Ok(vec![Connection::development(name, address, database.to_owned(), credential)])
}

fn mistaken(problems: &[Problem], site: Option<&Path>, context: &Context) -> Failure {
    for problem in problems {
        context.output.say(&problem_in_words(problem, site));
    }
    Failure::failed("the gateway does not start: its site has mistakes")
        .next("correct what is listed, then start again")
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others say themselves what to correct")]
fn not_started(error: &GatewayError) -> Failure {
    let next = match error {
        GatewayError::Listen { .. } => "end what listens there, or choose another address with --listen",
        GatewayError::Credential { .. } => "give the gateway the secret that connections.toml refers to",
        GatewayError::Record(_) => "look at recordings.directory: is another gateway running, is the disk full?",
        _ => "correct it, then start again",
    };
    Failure::failed("the gateway does not start").caused_by(error).next(next)
}

/// Says where the gateway is and, once everything is in place, writes the ready file.
fn announce(gateway: &Gateway, arguments: &GatewayRun, context: &Context) -> Result<(), Failure> {
    let url = gateway.public_url().as_str().trim_end_matches('/').to_owned();
    if let Some(standing) = gateway.standing().filter(|one| one.origin != SiteOrigin::Folder) {
        context.output.say(&format!("{}; the start folder did not change since", crate::site::in_force(standing)));
    }
    if let Some(development) = gateway.development() {
        if !development.authority.is_empty() {
            let parsed = GatewayUrl::parse(&url)?;
            if let Some(path) = dev_ca_path(&context.directories, &parsed) {
                if let Some(folder) = path.parent() {
                    create_private_folder(folder)?;
                }
                replace_private_file(&path, development.authority.as_bytes())?;
            }
        }
        context.output.say(match &development.secret {
            Some(_) => "development gateway: this machine only, built-in users alice, bob, carol and the agent crew",
            None => "development gateway: this machine only, people log in at the site's identity provider",
        });
        if let Some(secret) = &development.secret {
            context.output.say(&format!("the login page asks for this secret: {}", secret.expose_secret()));
        }
    }
    context.output.say(&format!("listening on {url}"));
    for (address, kind, connections) in gateway.native_addresses() {
        let names: Vec<String> = connections.iter().map(ToString::to_string).collect();
        let (clients, names) = (if kind == ConnectionKind::Ssh { "SSH" } else { "PostgreSQL" }, names.join(", "));
        context.output.say(&format!("{clients} clients reach {names} on {address}; `hoop token` gives the password"));
    }
    context.output.say(&format!("log in with: hoop login --gateway {url}"));
    if let Some(path) = &arguments.ready_file {
        replace_private_file(path, format!("{url}\n").as_bytes())?;
    }
    Ok(())
}

fn watch_signals(
    site: Option<PathBuf>,
    gateway: &Gateway,
    context: &Context,
    shutdown: CancellationToken,
) -> Result<tokio::task::JoinHandle<()>, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::internal("signals cannot be watched").caused_by(&error));
    let (mut terminate, mut interrupt, mut reload) =
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?, listen(SignalKind::hangup())?);
    let (live, context) = (gateway.live_site(), context.clone());
    Ok(tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = reload.recv() => reread(site.as_deref(), &live, &context).await,
            }
        }
        shutdown.cancel();
    }))
}

/// SIGHUP: the whole folder, if it is valid and its cases hold; live sessions decide again. A mistake changes nothing.
async fn reread(site: Option<&Path>, live: &LiveSite, context: &Context) {
    if site.is_none() {
        return context.output.warn("there is no site to read again");
    }
    match live.reread().await {
        Ok(applied) => {
            let policies: String = applied.standing.policies.chars().take(12).collect();
            let version = applied.standing.version;
            context.output.say(&format!("version {version} of the site, policies {policies}: they are in force"));
        }
        Err(problems) => {
            for one in &problems {
                context.output.say(&crate::site::problem(one));
            }
            context.output.warn("the site and its policies stay as they were");
        }
    }
}
