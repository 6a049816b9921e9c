//! Connecting that needs an approval: the one answer to "may they connect now", and the wait for it.
//!
//! The client is authenticated, so it is told so, and then, by NOTICE, whom it waits for: libpq shows notices only
//! after `AuthenticationOk`. Nothing is dialled before the window is open. Whoever leaves takes the request along.

use std::time::Duration;

use aws_lc_rs::digest;
use bytes::BytesMut;
use hoop_tunnel::acceptor::LinkIdentity;
use tokio::{io::AsyncReadExt as _, sync::watch};

use super::{
    client::ClientStream,
    hold::so_far,
    login::Failure,
    open::{Arrival, NoRandomness, negotiate, random},
    registry::{self, End, logged_out},
    relay::{Ending, Session},
};
use crate::{
    approval::{Asks, Facts, Leases, MAX_REASON_BYTES, Request, State, Ticket},
    clock::WallClock,
    model::{ApprovalId, ApprovalNeed, ConnectionFacts, Effect, Principal, Refusal, RefusalKind, RunId, Verdict},
    policy::{Circumstances, PolicySet},
    protocol::postgres::{
        codec,
        message::Start,
        refuse::{self, Report},
    },
};

/// A window through which somebody may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The approval that opened it.
    pub approval: ApprovalId,
    /// When it closes, milliseconds since 1970.
    pub ends_at_millis: i64,
}

/// Whether somebody may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Yes; where it took an approval, while the window is open.
    Open(Option<Window>),
    /// After an approval.
    Needs(ApprovalNeed),
    /// No.
    Refused(Refusal),
}

/// May they connect now? The policies decide, once more for each open window, on what they are now.
pub fn admission(
    policies: &PolicySet,
    leases: &Leases,
    who: &Principal,
    to: &ConnectionFacts,
    at: &Circumstances,
    now_millis: i64,
) -> Admission {
    let need = match policies.connect(who, to, at) {
        Verdict::Permit { .. } => return Admission::Open(None),
        Verdict::Refuse(refusal) => return Admission::Refused(refusal),
        Verdict::NeedsApproval(need) => need,
    };
    for window in leases.windows(who, &to.name, now_millis) {
        if let Verdict::Permit { .. } = policies.connect_approved(who, to, at, window, now_millis) {
            let (approval, ends_at_millis) = (window.approval.clone(), window.ends_at_millis);
            return Admission::Open(Some(Window { approval, ends_at_millis }));
        }
    }
    Admission::Needs(need)
}

/// The longest window where no policy says.
const LONGEST_MILLIS: i64 = 8 * 3_600_000;
/// How long a window is where nobody says.
const USUAL_MILLIS: i64 = 3_600_000;

/// The longest window that a need allows.
pub fn longest_window_millis(need: &ApprovalNeed) -> i64 {
    let said = need.window.and_then(|longest| i64::try_from(longest.as_millis()).ok());
    said.unwrap_or(LONGEST_MILLIS)
}

/// Who asks for access to what, and in which words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'wish> {
    /// Who asks.
    pub(crate) who: &'wish Principal,
    /// For which connection.
    pub(crate) to: &'wish ConnectionFacts,
    /// As which upstream role they would work.
    pub(crate) role: &'wish str,
    /// Why.
    pub(crate) reason: Option<&'wish str>,
    /// In which run.
    pub(crate) run: Option<&'wish RunId>,
    /// For how long; without it the usual time.
    pub(crate) for_millis: Option<i64>,
}

/// A request for access, bound to who asks, for what, why and for how long.
pub(crate) fn access_request(wish: Wish<'_>, need: &ApprovalNeed, now_millis: i64) -> Result<Request, NoRandomness> {
    let Wish { who, to, role, reason, run, for_millis } = wish;
    let for_millis = for_millis.unwrap_or(USUAL_MILLIS).clamp(1_000, longest_window_millis(need).max(1_000));
    let reason = reason.map(|reason| reason.chars().take(MAX_REASON_BYTES / 4).collect::<String>());
    let parts = [
        "hoop access 2",
        who.name.as_str(),
        who.lent_by.as_ref().map_or("", |lender| lender.name.as_str()),
        to.name.as_str(),
        &for_millis.to_string(),
        if reason.is_some() { "because" } else { "" },
        reason.as_deref().unwrap_or_default(),
    ];
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut same = [0; 32];
    same.copy_from_slice(context.finish().as_ref());
    let drawn: [u8; 5] = random()?;
    let life = i64::try_from(need.expires_after.as_millis()).unwrap_or(i64::MAX);
    Ok(Request {
        id: ApprovalId::new(u64::try_from(now_millis).unwrap_or(0), drawn),
        requester: who.clone(),
        session: None,
        run: run.cloned(),
        asks: Asks::Access { reason, for_millis },
        connection: to.clone(),
        database: to.database.clone(),
        role: role.to_owned(),
        search_path: Vec::new(),
        objects: std::collections::BTreeSet::new(),
        text: String::new(),
        parameters: Vec::new(),
        kind: "connect".to_owned(),
        effect: Effect::Session,
        risk: 0,
        risk_reasons: Vec::new(),
        facts: Facts::default(),
        digest: same,
        same,
        retries: 0,
        shape: None,
        shape_is_open: false,
        proposed_by: None,
        need: need.clone(),
        created_at_millis: now_millis,
        expires_at_millis: now_millis.saturating_add(life),
    })
}

/// What a waiting client did, or what happened meanwhile.
enum Wake {
    Told(State),
    Changed,
    Retired(End),
    Client(std::io::Result<usize>),
}

/// The wait is over without a session; the client was told why, or is gone.
pub(super) struct NotAdmitted;

/// More than this from a client that may not speak yet is too much.
const MOST_AHEAD_BYTES: usize = 64 * 1024;

impl Arrival {
    /// Lets the client in, at once or when reviewers open a window; says whether it was welcomed on the way.
    pub(super) async fn admit(
        &mut self,
        client: &mut ClientStream,
        buffer: &mut BytesMut,
        start: &Start,
    ) -> Result<bool, NotAdmitted> {
        let (mut policies, mut leases) = (self.served.policies.clone(), self.environment.desk.leases());
        let (mut retired, mut logouts) = (self.served.retired(), self.environment.registry.logouts());
        let mut waits: Option<(ApprovalNeed, Ticket)> = None;
        let mut out = BytesMut::new();
        let mut welcomed = false;
        loop {
            let in_force = policies.borrow_and_update().clone();
            let open = leases.borrow_and_update().clone();
            let (now, at) = (self.environment.clock.unix_millis(), self.circumstances());
            match admission(&in_force, &open, &self.principal, &self.served.facts, &at, now) {
                Admission::Open(window) => {
                    (self.policies, self.window) = (in_force, window);
                    if let (true, Some(window)) = (welcomed, &self.window) {
                        refuse::window_notice(&window.approval, &clock_time(window.ends_at_millis), &mut out);
                        client.say(&out).await.map_err(|_gone| NotAdmitted)?;
                    }
                    return Ok(welcomed);
                }
                Admission::Refused(refusal) => return Err(turn_away(client, &refusal).await),
                Admission::Needs(need) if waits.as_ref().is_some_and(|(asked, _)| asked.asks_like(&need)) => {}
                Admission::Needs(need) => {
                    if let Some((_, ticket)) = waits.take() {
                        let superseded = self.environment.desk.supersede(ticket.id()).await;
                        refuse::change_notice(ticket.id(), "superseded by a policy change", &mut out);
                        tracing::debug!(?superseded, "a request for access is made anew");
                    }
                    if !std::mem::replace(&mut welcomed, true) {
                        if self.negotiates() {
                            negotiate(start, &mut out);
                        }
                        codec::authentication_ok(&mut out);
                    }
                    let ticket = self.ask(client, &need, now).await?;
                    let expires = clock_time(ticket.expires_at_millis());
                    refuse::access_notice(ticket.id(), &need, &expires, &mut out);
                    waits = Some((need, ticket));
                }
            }
            if !out.is_empty() {
                client.say(&out.split()).await.map_err(|_gone| NotAdmitted)?;
            }
            let Some((_, ticket)) = &mut waits else { return Err(NotAdmitted) };
            let wake = tokio::select! {
                biased;
                () = logged_out(&mut logouts, &self.principal, self.proved_at) => Wake::Retired(End::LoggedOut),
                changed = self.identity.changed() => {
                    // Nobody vouches for it any more.
                    changed.map_err(|_gone| NotAdmitted)?;
                    Wake::Changed
                }
                Ok(()) = policies.changed() => Wake::Changed,
                end = registry::told(&mut retired) => Wake::Retired(end),
                state = ticket.changed() => Wake::Told(state),
                Ok(()) = leases.changed() => Wake::Changed,
                read = client.read_buf(buffer) => Wake::Client(read),
            };
            self.still_logged_in(client).await?;
            match wake {
                Wake::Changed => {}
                Wake::Retired(end) => {
                    Report::fatal("57P01", &Failure::ended(&end).message).hint("Connect again.").write(&mut out);
                    last_word(client, &out).await;
                    return Err(NotAdmitted);
                }
                Wake::Told(state) => match ended(ticket.id(), state) {
                    Ok(Some(change)) => refuse::change_notice(ticket.id(), &change, &mut out),
                    // Approved: the window is open before this is told.
                    Ok(None) => waits = None,
                    Err(refusal) => return Err(turn_away(client, &refusal).await),
                },
                Wake::Client(Ok(read)) if read > 0 && buffer.len() <= MOST_AHEAD_BYTES => {}
                // Gone, or too much: the ticket is dropped, and with it the request.
                Wake::Client(_) => return Err(NotAdmitted),
            }
        }
    }

    async fn ask(&self, client: &mut ClientStream, need: &ApprovalNeed, now: i64) -> Result<Ticket, NotAdmitted> {
        let role = self.served.connection.credential.username();
        let wish = Wish {
            who: &self.principal,
            to: &self.served.facts,
            role,
            reason: None,
            run: self.run.as_ref(),
            for_millis: None,
        };
        let asked = match access_request(wish, need, now) {
            Ok(request) => self.environment.desk.submit(request).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match asked {
            Ok(ticket) => Ok(ticket),
            // FAIL-CLOSED: what cannot be put before a reviewer is refused.
            Err(error) => {
                let message = format!("connecting here needs an approval, and it cannot be asked for: {error}");
                let (kind, hint) = (RefusalKind::Unsupported, Some("Try again later.".to_owned()));
                let refusal = Refusal { kind, rule: need.rules.first().cloned(), message, hint };
                Err(turn_away(client, &refusal).await)
            }
        }
    }

    /// Law 9: a login that ended while its client waits lets nobody in.
    async fn still_logged_in(&mut self, client: &mut ClientStream) -> Result<(), NotAdmitted> {
        let valid = match &*self.identity.borrow_and_update() {
            LinkIdentity::Valid { principal: presence, .. } => presence.is_of(&self.principal, self.run.as_ref()),
            LinkIdentity::Expired => false,
        };
        if valid {
            return Ok(());
        }
        let mut out = BytesMut::new();
        let report = Report::fatal("57P01", "the login behind this connection expired or changed");
        report.hint("Run `hoop login`, then connect again.").write(&mut out);
        last_word(client, &out).await;
        Err(NotAdmitted)
    }

    pub(super) fn circumstances(&self) -> Circumstances {
        self.environment.circumstances(self.source, self.run.as_ref())
    }
}

impl Session {
    /// Whether it may stay, by these policies and by what is open now; a longer window takes the place of one that ends.
    pub(super) fn check_window(&mut self, policies: &PolicySet) -> Result<(), Ending> {
        let open = self.environment.desk.leases().borrow().clone();
        let now = self.environment.clock.unix_millis();
        match admission(policies, &open, &self.principal, &self.facts, &self.circumstances(), now) {
            Admission::Open(window) => {
                self.window = window;
                Ok(())
            }
            Admission::Refused(refusal) => Err(Ending::Policy(refusal)),
            Admission::Needs(_) => match &self.window {
                Some(window) if now >= window.ends_at_millis => Err(Ending::Window(window.approval.clone())),
                _ => {
                    let message = "a policy change made this connection need an approval".to_owned();
                    Err(Ending::Policy(Refusal { kind: RefusalKind::Policy, rule: None, message, hint: None }))
                }
            },
        }
    }
}

/// Waits until a window's time is over, or until something was opened or closed. Cancel-safe. Without a window for ever.
pub(super) async fn moves(window: Option<Window>, clock: WallClock, leases: &mut watch::Receiver<Leases>) {
    let Some(window) = window else { return std::future::pending().await };
    let over = async {
        loop {
            let left = window.ends_at_millis.saturating_sub(clock.unix_millis());
            match u64::try_from(left) {
                Ok(left) if left > 0 => tokio::time::sleep(Duration::from_millis(left).min(LONGEST_NAP)).await,
                _ => return,
            }
        }
    };
    tokio::select! {
        () = over => {}
        Ok(()) = leases.changed() => {}
    }
}

/// How late the end of a window may be noticed when the wall clock jumps.
const LONGEST_NAP: Duration = Duration::from_secs(1);

/// What a change of the request means for who waits: news, admission (`None`), or the end.
fn ended(id: &ApprovalId, state: State) -> Result<Option<String>, Refusal> {
    let refusal =
        |kind, message: String, hint: &str| Refusal { kind, rule: None, message, hint: Some(hint.to_owned()) };
    let again = "Connect again to ask again.";
    match state {
        State::Pending { approvals } => Ok(Some(so_far(&approvals))),
        State::Approved { .. } => Ok(None),
        State::Denied { by, reason } => {
            let said = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            Err(refusal(RefusalKind::Denied, format!("{by} denied approval {id}{said}"), "Talk to the reviewer."))
        }
        State::Expired => {
            let message = format!("approval {id} expired before enough reviewers decided");
            Err(refusal(RefusalKind::Expired, message, again))
        }
        State::Withdrawn | State::Superseded => {
            Err(refusal(RefusalKind::Expired, format!("approval {id} was withdrawn"), again))
        }
    }
}

/// Tells the client why it is not let in.
async fn turn_away(client: &mut ClientStream, refusal: &Refusal) -> NotAdmitted {
    let mut out = BytesMut::new();
    refuse::unopened(refusal, &mut out);
    last_word(client, &out).await;
    NotAdmitted
}

async fn last_word(client: &mut ClientStream, out: &[u8]) {
    if client.say(out).await.is_err() {
        tracing::debug!("the client left before it could be told");
    }
}

pub(super) fn clock_time(unix_millis: i64) -> String {
    use time::{OffsetDateTime, format_description::well_known::Rfc3339};
    OffsetDateTime::from_unix_timestamp(unix_millis.div_euclid(1_000))
        .ok()
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .map_or_else(|| "soon".to_owned(), |moment| format!("at {moment}"))
}
