//! `hoop exec`: a command with tunnels and a run of its own; everything ends with the command.
//!
//! Puts the parts together: the run at the gateway, the keeper (or the jail) that the command lives in, the tunnels, the
//! environment. The bytes are `hoop_tunnel`'s business, what is decided is the gateway's.

mod environment;
mod frame;
mod hygiene;
mod jail;
mod keeper;
mod plan;
mod program;
mod sockets;
mod tokens;
mod warden;

pub(crate) use keeper::Stage;

use std::{collections::BTreeSet, ffi::OsString, io::IsTerminal as _, path::PathBuf, sync::Arc, time::Duration};

use hoop_gateway_core::{
    api::types::{ConnectionItem, MayConnect, NewRun, RunEnding, RunOpened},
    model::{ConnectionName, PrincipalKind, PrincipalName},
};
use hoop_tunnel::{
    listener::{Bound, LocalListener},
    peer::{self, Descent, PeerCheck},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    api_client::Api,
    arguments::ExecArguments,
    connect::{self, Asked, Door, Guard, Live, Tunnel, Way, random},
    context::Context,
    failure::{ExitStatus, Failure, FailureKind},
    login::{Login, Renewal},
    output::printable_line,
};
use environment::{Identity, Place};
use plan::{Ending, Plan, Text};
use tokens::Run;
use warden::{Told, Warden};

/// Connections that one run may have: as many listeners cross a socket at once.
const MOST_CONNECTIONS: usize = 16;

/// Runs the command to its end and leaves with its status.
pub(crate) async fn run(arguments: ExecArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let mut signals = Signals::new()?;
    warden::protect_ourselves()?;
    let prepared = Box::pin(prepare(arguments, context)).await?;
    Box::pin(admitted(&prepared, context, &mut signals)).await?;
    let (run, opened) = Run::open(context, &prepared.wanted).await?;
    let run = Arc::new(run);
    let outcome = Box::pin(with_run(prepared, &run, &opened, context, &mut signals)).await;
    let ending = outcome.as_ref().ok().copied();
    let (status, signal) = ending.map_or((None, None), Ending::parts);
    run.end(&RunEnding { status, signal }).await;
    outcome.map(|_| ExitStatus::of_ending(status, signal))
}

/// Everything that can be known to fail before a run begins.
struct Prepared {
    wanted: NewRun,
    command: Vec<OsString>,
    folder: PathBuf,
    variables: Vec<(OsString, OsString)>,
    jail: Option<plan::JailPlan>,
    /// Whether databases are reached by sockets.
    by_socket: bool,
    /// What reviewers are told where connecting needs them.
    asked: Asked,
}

async fn prepare(arguments: ExecArguments, context: &Context) -> Result<Prepared, Failure> {
    let connections = distinct(&arguments.connections)?;
    let folder =
        std::env::current_dir().map_err(|error| Failure::failed("there is no working folder").caused_by(&error))?;
    let agent = arguments.as_agent.map(PrincipalName::try_from).transpose();
    let agent = agent.map_err(|error| Failure::usage("the agent's name cannot be one").caused_by(&error))?;
    let login = Login::load(context, &context.gateway()?).await?;
    let is_agent = agent.is_some() || login.stored().principal.kind == PrincipalKind::Agent;
    let jailed = arguments.jail || (is_agent && !arguments.no_jail);
    if jailed && arguments.socket {
        let failure = Failure::usage("in a jail the tunnels are ports");
        return Err(failure
            .because("a socket in a folder would be there outside of it too")
            .next("leave `--socket` out"));
    }
    let sorted = hygiene::sort(std::env::vars_os(), &arguments.keep);
    let jail = jailed
        .then(|| {
            let wanted = jail::Wanted {
                command: &arguments.command,
                folder: &folder,
                read: &arguments.allow_read,
                write: &arguments.allow_write,
                listeners: connections.len(),
            };
            jail::plan(&wanted, &sorted.kept, &context.directories)
        })
        .transpose()?;
    if !sorted.withheld.is_empty() {
        let names = printable_line(&sorted.withheld.join(" "));
        context
            .output
            .say(&format!("Withheld, as they look like credentials: {names} (`--keep NAME` lets one through)."));
    }
    if !jailed && (is_agent || arguments.no_jail) {
        context.output.warn(OPEN_WITHOUT_JAIL);
    }
    let asked = Asked { reason: arguments.request, lasting: arguments.lasting, as_agent: agent.clone() };
    let wanted = NewRun {
        connections,
        labels: arguments.labels.into_iter().collect(),
        command: arguments.command.first().map(|program| program.to_string_lossy().into_owned()),
        agent,
        jailed,
    };
    Ok(Prepared {
        wanted,
        command: arguments.command,
        folder,
        variables: sorted.kept,
        jail,
        by_socket: arguments.socket,
        asked,
    })
}

/// Asks for access where connecting needs an approval, and waits for it, before the run and its budget begin.
async fn admitted(prepared: &Prepared, context: &Context, signals: &mut Signals) -> Result<(), Failure> {
    let mut api = Api::new(context).await?;
    let agent = prepared.asked.as_agent.as_ref().map(|agent| ("as_agent", agent.as_str()));
    let path = "/api/v1/connections";
    let known: Vec<ConnectionItem> = api.get_with(path, agent.as_slice()).await?;
    let wanted = known.iter().filter(|one| prepared.wanted.connections.contains(&one.name));
    for connection in wanted.filter(|one| one.may_connect == MayConnect::Approval) {
        connect::obtain_access(&prepared.asked, connection, context, signals.ending()).await?;
    }
    Ok(())
}

fn distinct(names: &[ConnectionName]) -> Result<Vec<ConnectionName>, Failure> {
    let distinct: BTreeSet<_> = names.iter().collect();
    if distinct.len() < names.len() {
        return Err(Failure::usage("a connection is named twice").next("name each once"));
    }
    if names.len() > MOST_CONNECTIONS {
        return Err(Failure::usage(format!("a run has at most {MOST_CONNECTIONS} connections")));
    }
    Ok(names.to_vec())
}

async fn with_run(
    prepared: Prepared,
    run: &Arc<Run>,
    opened: &RunOpened,
    context: &Context,
    signals: &mut Signals,
) -> Result<Ending, Failure> {
    reachable(&opened.connections)?;
    let tokens: Arc<dyn Renewal> = Arc::<Run>::clone(run);
    let link = connect::link(context, &context.gateway()?, Arc::clone(&tokens)).await?;
    let jailed = prepared.jail.is_some();
    let folder = prepared.by_socket.then(|| sockets::folder(context)).transpose()?;
    let mut warden = Warden::start(if jailed { Stage::Jailer } else { Stage::Keeper })?;
    let folder = folder.as_ref().map(tempfile::TempDir::path);
    let inside = match &prepared.jail {
        Some(jail) => Some(warden.jail(&jail.clone().showing(folder)).await?),
        None => None,
    };
    let listeners = sockets::listen(&opened.connections, folder, inside).await?;
    let guard = guard(jailed, warden.keeper()).await;
    let (doors, places) = doors(listeners, opened, guard, warden.keeper())?;
    let identity = Identity {
        run: &opened.id.to_string(),
        user: opened.principal.name.as_str(),
        traceparent: environment::traceparent(std::env::var("TRACEPARENT").ok().as_deref(), random()?),
    };
    let plan = planned(&prepared, environment::variables(&identity, &places)?);
    let tunnel = Tunnel::new(link, doors, tokens, Live::silent(&context.output)).start();
    let ending = attend(&mut warden, &plan, signals).await;
    tunnel.stop_accepting();
    tunnel.drained(AFTER_COMMAND).await;
    tunnel.close().await;
    warden.finish().await;
    ending
}

fn reachable(connections: &[ConnectionItem]) -> Result<(), Failure> {
    match connections.iter().find(|connection| connection.may_connect == MayConnect::Approval) {
        None => Ok(()),
        Some(waiting) => {
            Err(Failure::new(FailureKind::Pending, format!("connecting to {} needs an approval", waiting.name))
                .because("its window closed before the run began")
                .next("run this again, and ask for longer with `--for`"))
        }
    }
}

async fn guard(jailed: bool, keeper: u32) -> Guard {
    if jailed {
        return Guard::Namespace;
    }
    match peer::available().await {
        PeerCheck::SameUser => Guard::Descent(Descent::Run(keeper)),
        PeerCheck::Password => Guard::Password,
    }
}

fn doors(
    listeners: Vec<LocalListener>,
    opened: &RunOpened,
    guard: Guard,
    keeper: u32,
) -> Result<(Vec<Door>, Vec<Place<'_>>), Failure> {
    let mut doors = Vec::new();
    let mut places = Vec::new();
    for (item, listener) in opened.connections.iter().zip(listeners) {
        // A socket in a folder is there outside of the jail too: who comes from the run is told by their descent.
        let guard = match (guard, listener.bound()) {
            (Guard::Namespace, Bound::Unix(_)) => Guard::Descent(Descent::Run(keeper)),
            (guard, _) => guard,
        };
        let (host, port) = sockets::place(listener.bound());
        if guard == Guard::Password && item.kind.is_http() {
            // FAIL-CLOSED: nothing would keep other users of this machine out.
            let failure = Failure::failed(format!("{} cannot be guarded here", item.name));
            return Err(failure.because("this system does not tell whose a local connection is").next("use `--jail`"));
        }
        let password = (guard == Guard::Password).then(connect::random_password).transpose()?;
        let said = password.as_ref().map_or(environment::PLACEHOLDER, secrecy::ExposeSecret::expose_secret).to_owned();
        places.push(Place { item, host, port, password: said });
        doors.push(Door { listener, way: Way { connection: item.name.to_string(), guard, password } });
    }
    if doors.len() != opened.connections.len() {
        return Err(Failure::internal("there are fewer listeners than connections"));
    }
    Ok((doors, places))
}

fn planned(prepared: &Prepared, mut variables: std::collections::BTreeMap<String, String>) -> Plan {
    variables.extend(environment::beside_proxies(&prepared.variables));
    let inherited =
        prepared.variables.iter().filter(|(name, _)| name.to_str().is_none_or(|name| !variables.contains_key(name)));
    let inherited = inherited.map(|(name, value)| (Text::from(name.clone()), Text::from(value.clone())));
    let inherited: Vec<(Text, Text)> = inherited.collect();
    let ours = variables.into_iter().map(|(name, value)| (Text::from(name.as_str()), Text::from(value.as_str())));
    Plan {
        command: prepared.command.iter().cloned().map(Text::from).collect(),
        environment: inherited.into_iter().chain(ours).collect(),
        folder: prepared.folder.clone(),
    }
}

/// Starts the command and passes signals on until it ended.
async fn attend(warden: &mut Warden, plan: &Plan, signals: &mut Signals) -> Result<Ending, Failure> {
    warden.begin(plan)?;
    loop {
        tokio::select! {
            told = warden.next() => if let Told::Ended(ending) = told? { return Ok(ending) },
            number = signals.next() => warden.pass_on(number),
        }
    }
}

/// The signals that ask something to end, or mean whatever the command makes of them. None is lost between two waits.
struct Signals {
    heard: Vec<(Signal, i32)>,
    /// A terminal sends its own to the command as well as to us; a second one would be too many.
    from_terminal: bool,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
        let listen = |number: nix::sys::signal::Signal| {
            let heard = signal(SignalKind::from_raw(number as i32));
            heard
                .map(|heard| (heard, number as i32))
                .map_err(|error| Failure::internal("signals are not heard").caused_by(&error))
        };
        let heard = [SIGINT, SIGQUIT, SIGHUP, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH].into_iter().map(listen);
        Ok(Self { heard: heard.collect::<Result<_, _>>()?, from_terminal: std::io::stdin().is_terminal() })
    }

    /// Waits for one that asks to end, while there is no command yet to pass it to.
    async fn ending(&mut self) {
        use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
        while ![SIGINT, SIGQUIT, SIGHUP, SIGTERM].map(|signal| signal as i32).contains(&self.any().await) {}
    }

    /// The next one to pass on.
    async fn next(&mut self) -> i32 {
        use nix::sys::signal::Signal::{SIGINT, SIGQUIT, SIGWINCH};
        loop {
            let number = self.any().await;
            let is_the_terminals = [SIGINT, SIGQUIT, SIGWINCH].iter().any(|signal| *signal as i32 == number);
            if !(self.from_terminal && is_the_terminals) {
                return number;
            }
        }
    }

    async fn any(&mut self) -> i32 {
        let waits = self.heard.iter_mut().map(|(heard, number)| {
            let number = *number;
            Box::pin(async move {
                heard.recv().await;
                number
            })
        });
        futures_util::future::select_all(waits).await.0
    }
}

/// How long the last bytes may take after the command ended.
const AFTER_COMMAND: Duration = Duration::from_secs(1);

const OPEN_WITHOUT_JAIL: &str = "without a jail the command can do what you can: reach the network beside its tunnels, read your \
    files (credentials and hoop's own login among them) and write them, look into and signal your processes, and leave some behind \
    by asking others to start them";
