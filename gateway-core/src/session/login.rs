//! The gateway's own login to an upstream: catalogue, superuser check, dial, authentication, search path.
//!
//! Moves the bytes of `protocol::postgres::handshake`. The client's credentials are never here.

use std::{error::Error, io, sync::Arc, time::Duration};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};

use super::{
    access::Window,
    environment::{Environment, Served},
    leases::HeldLease,
    names::{Backend, read_backend, read_catalogue},
    registry::End,
};
use crate::{
    credential::lease::LeaseError,
    model::{ConnectionName, Principal, SessionId},
    protocol::postgres::{
        codec::{self, FrameDecoder, Piece},
        handshake::{Login, LoginStep, Replication, StartPlan},
        message::{CancelKey, Frame},
    },
    record::{OwnPurpose, RecordError, SessionRecorder},
    upstream::{self, Catalogue, DialError, Outlet, Wire},
};

/// How long an upstream may take to answer during the login.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// A backend that is logged in and idle.
pub(super) struct Opened {
    pub(super) read: ReadHalf<Wire>,
    pub(super) outlet: Outlet<WriteHalf<Wire>>,
    /// ParameterStatus messages for the client.
    pub(super) greeting: BytesMut,
    pub(super) backend_key: Option<(u32, CancelKey)>,
    pub(super) search_path: Vec<String>,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) upstream_in: BytesMut,
    /// What it logged in with, where that was made for it.
    pub(super) lease: Option<HeldLease>,
}

/// Whose session logs in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comer<'who> {
    pub(super) who: &'who Principal,
    pub(super) session: &'who SessionId,
    pub(super) window: Option<&'who Window>,
}

/// Dials, logs in with the gateway's credential or one made for this session, and reads what statements will mean.
pub(super) async fn log_in(
    environment: &Environment,
    served: &Served,
    recorder: &mut SessionRecorder,
    plan: &StartPlan,
    comer: Comer<'_>,
) -> Result<Opened, Failure> {
    let catalogue = read_catalogue(environment, served, recorder, false).await?;
    if catalogue.is_superuser() && !served.connection.allow_superuser {
        return Err(Failure {
            sqlstate: "28000",
            message: format!(
                "the site's login `{}` is a superuser of this server, which no policy can bound",
                served.connection.credential.username()
            ),
            hint: "Give the connection a plain role, or set `allow_superuser = true` in connections.toml.".to_owned(),
        });
    }
    let Comer { who, session, window } = comer;
    let borrowed = served.session_login(who, session, window).await.map_err(|error| uncredentialed(&error))?;
    let login = if let Some(one) = &borrowed {
        Login::new(one.username.clone(), Some(one.password.clone()))
    } else {
        let password = served.password().await.map_err(|error| uncredentialed(&error.into()))?;
        Login::new(served.connection.credential.username().to_owned(), password)
    };
    let renamed = borrowed.as_ref().and_then(|one| plan.log_in_as(&one.username));
    let plan = renamed.as_ref().unwrap_or(plan);
    let wire = upstream::dial(&served.target).await.map_err(|error| unreachable(&error))?;
    let (mut read, mut write) = tokio::io::split(wire);
    drop(recorder.own(OwnPurpose::Authenticate, ()).map_err(|error| unrecorded(&error))?);
    let mut upstream_in = BytesMut::with_capacity(8 * 1024);
    let mut decoder = FrameDecoder::backend();
    let Greeting { parameters, backend_key } =
        authenticate(login, plan, &mut read, &mut write, &mut decoder, &mut upstream_in).await?;
    let mut outlet = Outlet::new(write);
    let announced = backend_key.as_ref().map(|(process_id, _)| *process_id);
    let Backend { search_path, process_id } = match plan.replication {
        // It takes no SQL, so there is nothing to look up.
        Replication::Physical => Backend { search_path: Vec::new(), process_id: announced },
        Replication::No | Replication::Database => {
            read_backend(recorder, &mut outlet, &mut read, &mut decoder, &mut upstream_in).await?
        }
    };
    if served.connection.pool.is_none() && announced != process_id {
        return Err(pooled(&served.connection.name));
    }
    let lease = borrowed.map(|one| one.lease);
    Ok(Opened { read, outlet, greeting: parameters, backend_key, search_path, catalogue, upstream_in, lease })
}

/// FAIL-CLOSED: who announces another process than the one that answers is a pool. In transaction mode it would give each
/// statement to any server session, with the settings that others left there: what a statement means could not be known.
fn pooled(connection: &ConnectionName) -> Failure {
    Failure {
        sqlstate: "08001",
        message: format!(
            "the upstream of {connection} is a connection pool, and its site does not say that it gives whole sessions"
        ),
        hint: "Reach the server itself, or set the pool to session mode and `pool = \"session\"` in connections.toml."
            .to_owned(),
    }
}

/// What the upstream said while it let the gateway in.
#[derive(Default)]
struct Greeting {
    parameters: BytesMut,
    backend_key: Option<(u32, CancelKey)>,
}

async fn authenticate(
    mut login: Login,
    plan: &StartPlan,
    read: &mut (impl AsyncRead + Unpin),
    write: &mut (impl AsyncWrite + Unpin),
    decoder: &mut FrameDecoder,
    buffer: &mut BytesMut,
) -> Result<Greeting, Failure> {
    let mut greeting = Greeting::default();
    let mut out = BytesMut::new();
    codec::encode_startup(&plan.parameters, &mut out);
    write.write_all(&out).await.map_err(|error| lost(&error))?;
    loop {
        let frame = next_frame(read, decoder, buffer).await?;
        let step = login.step(&frame).map_err(|error| Failure {
            sqlstate: "08001",
            message: error.to_string(),
            hint: "The gateway's operator must mend the connection's credential.".to_owned(),
        })?;
        match step {
            LoginStep::Send(bytes) => write.write_all(&bytes).await.map_err(|error| lost(&error))?,
            LoginStep::Wait => {}
            LoginStep::Parameter(frame) => {
                codec::write_frame(frame.tag, &mut greeting.parameters, |out| out.extend_from_slice(&frame.body));
            }
            LoginStep::Key(process_id, key) => greeting.backend_key = Some((process_id, key)),
            LoginStep::Ready => return Ok(greeting),
        }
    }
}

/// Why a session was not opened, as the client hears it.
pub(super) struct Failure {
    pub(super) sqlstate: &'static str,
    pub(super) message: String,
    pub(super) hint: String,
}

impl Failure {
    /// It was ended before it was open.
    pub(super) fn ended(end: &End) -> Self {
        let (message, hint) = match end {
            End::Killed { by, reason: Some(reason) } => {
                (format!("{by} ended this session: {reason}"), "Connect again.")
            }
            End::Killed { by, reason: None } => (format!("{by} ended this session"), "Connect again."),
            End::RunEnded => ("the run of this connection has ended".to_owned(), "Start it again with `hoop exec`."),
            End::LoggedOut => ("the login behind this connection was ended".to_owned(), "Run `hoop login`."),
            End::SiteChanged { why } => (format!("the gateway's site changed: {why}"), "Connect again."),
            End::Outer { why } => (why.clone(), "Connect again."),
            End::Stopped => ("the gateway is shutting down".to_owned(), "Connect again in a moment."),
        };
        Self { sqlstate: "57P01", message, hint: hint.to_owned() }
    }
}

pub(super) fn unreachable(error: &DialError) -> Failure {
    Failure {
        sqlstate: "08001",
        message: chain(error),
        hint: "Is the database up? The gateway's operator can tell.".to_owned(),
    }
}

/// The operator reads what is missing in the gateway's log; the client is told that it is not their fault.
pub(super) fn uncredentialed(error: &LeaseError) -> Failure {
    if matches!(error, LeaseError::NeedsApproval) {
        return Failure {
            sqlstate: "42501",
            message: error.to_string(),
            hint: "Ask for it: hoop connect NAME --request 'why' --for 1h".to_owned(),
        };
    }
    tracing::error!(why = chain(error), "a connection has no credential");
    Failure {
        sqlstate: "08001",
        message: "the gateway's own credential for this connection cannot be had".to_owned(),
        hint: "Tell the gateway's operator; `hoop connections test` says why.".to_owned(),
    }
}

pub(super) fn unrecorded(error: &RecordError) -> Failure {
    tracing::error!(%error, "the gateway cannot record");
    Failure {
        sqlstate: "58030",
        message: "the gateway cannot record this session, so it is not opened".to_owned(),
        hint: "Tell the gateway's operator.".to_owned(),
    }
}

pub(super) fn lost(error: &io::Error) -> Failure {
    Failure {
        sqlstate: "08006",
        message: format!("the upstream was lost during login: {error}"),
        hint: "Connect again.".to_owned(),
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

pub(super) async fn next_frame(
    read: &mut (impl AsyncRead + Unpin),
    decoder: &mut FrameDecoder,
    buffer: &mut BytesMut,
) -> Result<Frame, Failure> {
    let strange = || Failure {
        sqlstate: "08P01",
        message: "the upstream does not speak PostgreSQL's protocol as expected".to_owned(),
        hint: "The gateway's operator must check what listens there.".to_owned(),
    };
    loop {
        match decoder.next(buffer) {
            Ok(Some(Piece::Frame(frame))) => return Ok(frame),
            Ok(Some(_)) | Err(_) => return Err(strange()),
            Ok(None) => {}
        }
        let read = tokio::time::timeout(ANSWER_TIMEOUT, read.read_buf(buffer));
        match read.await {
            Ok(Ok(0)) => return Err(lost(&io::ErrorKind::UnexpectedEof.into())),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(lost(&error)),
            Err(_elapsed) => return Err(lost(&io::ErrorKind::TimedOut.into())),
        }
    }
}
