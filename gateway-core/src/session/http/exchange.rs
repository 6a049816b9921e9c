//! One request, from its head to the first byte of its answer: read → inspect → decide → hold → record → forward.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use super::{
    answer::{self, AnswerBody},
    budget::Allowance,
    conversation::Conversation,
    intake::Turn,
    websocket,
};
use crate::{
    config::Streams,
    model::{ApprovalId, OperationNumber, Refusal, RefusalKind},
    policy::{Permitted, PolicyVersion},
    protocol::http::{
        codec::{self, Cookies},
        dialect::Sight,
        inspect::{self, Understood},
        message::{Carriage, HttpRequest, RequestHead},
        reframe,
        refuse::Rejection,
    },
    record::{Asked, OwnPurpose, Recorded, Status, Step},
    session::{books::unrecorded, held::Turned, outcome::Open},
    upstream::{Answered, SendError, Unauthorized},
};

/// How long a client may say nothing inside of a body.
const BODY_PATIENCE: Duration = Duration::from_mins(1);

/// A request as the client sent it.
type Sent = (RequestHead, Bytes);

/// What was decided: on record, as it goes out, and what it may use up.
type Decided = (Recorded<Permitted<HttpRequest>>, HttpRequest, Open, Allowance, PolicyVersion);

/// Why a request was turned away, with what the client's format of refusals may need.
struct Rejected {
    rejection: Rejection,
    approval: Option<ApprovalId>,
    asked: Option<Sent>,
}

impl From<Rejection> for Box<Rejected> {
    fn from(rejection: Rejection) -> Self {
        Self::new(Rejected { rejection, approval: None, asked: None })
    }
}

/// The same, of a request that was read.
fn of(asked: &Sent, rejection: impl Into<Rejection>) -> Box<Rejected> {
    Box::new(Rejected { rejection: rejection.into(), approval: None, asked: Some(asked.clone()) })
}

/// A request that may go, with what its answer is read by.
pub(super) struct Passed {
    pub(super) recorded: Recorded<Permitted<HttpRequest>>,
    pub(super) asked: HttpRequest,
    pub(super) sight: Sight,
    /// The policies that `sight` is of.
    pub(super) version: PolicyVersion,
    pub(super) open: Open,
    pub(super) allowance: Allowance,
}

impl Conversation {
    /// Answers one request. Whatever happens, the client gets an answer and may go on.
    pub(super) async fn exchange(self: Arc<Self>, mut request: Request<Incoming>) -> Response<AnswerBody> {
        let turn = self.turns.exchange();
        let upgrade = request.headers().contains_key(header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
        let key = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned();
        let answered = match Box::pin(self.pass(request)).await {
            Ok(passed) if passed.asked.head.upgrades => {
                Box::pin(websocket::relay(&self, passed, upgrade, key, turn)).await.map_err(Into::into)
            }
            Ok(passed) => Box::pin(self.forward(passed, turn)).await.map_err(Into::into),
            Err(turned) => Err(turned),
        };
        answered.unwrap_or_else(|turned| self.turn_away(*turned))
    }

    /// Everything before the request leaves.
    async fn pass(self: &Arc<Self>, request: Request<Incoming>) -> Result<Passed, Box<Rejected>> {
        if self.ended.is_cancelled() {
            return Err(Rejection::from(unrecorded()).into());
        }
        let (parts, body) = request.into_parts();
        let unread = |path: &str, rejection| self.unread(&parts.method, path, rejection);
        let http = self.served.connection.http.as_ref();
        let (authority, cookies) = http.map_or(("", Cookies::Strip), |http| (http.authority.as_str(), http.cookies));
        let mut head = codec::request_head(&parts.method, &parts.uri, &parts.headers, authority, cookies)
            .map_err(|rejection| unread(parts.uri.path(), rejection))?;
        let policies = self.policies.borrow().clone();
        let (sight, version) = (self.sight(&policies), policies.version().clone());
        if !sight.is_clear() {
            codec::ask_for_the_whole(&mut head);
        }
        let is_strict = http.is_some_and(|http| http.streams == Streams::Refuse);
        if head.upgrades && is_strict && !sight.is_clear() {
            return Err(unread(&head.path, Rejection::from(reframe::spread())).into());
        }
        if head.upgrades && !self.dialect.relays_websockets() {
            let rejection = Rejection::malformed("no WebSocket is relayed on this connection", "Leave Upgrade out.");
            return Err(unread(&head.path, rejection).into());
        }
        let (body, trailers) = self.whole(body).await.map_err(|rejection| unread(&head.path, rejection))?;
        if self.dialect.relays_websockets() {
            head.carriage.trailers = trailers;
        } else {
            // Where bodies are written anew they are carried anew.
            head.carriage = Carriage::default();
        }
        let asked = (head.clone(), body.clone());
        let understood = inspect::inspect(&*self.dialect, head, body, &sight, Arc::clone(&self.circumstance))
            .map_err(|rejection| of(&asked, unread(&asked.0.path, rejection)))?;
        let number = self.number().map_err(|refusal| of(&asked, refusal))?;
        let passed = self.decided(number, understood, &asked, (&sight, version)).await?;
        let (recorded, message, open, allowance, version) = passed;
        Ok(Passed { recorded, asked: message, sight, version, open, allowance })
    }

    /// Which policies an answer is masked by, where they mask what those did that the request was read by.
    fn still_seen(&self, sight: &Sight, version: PolicyVersion) -> Option<PolicyVersion> {
        let policies = self.policies.borrow().clone();
        if *policies.version() == version {
            return Some(version);
        }
        self.sight(&policies).masks_like(sight).then(|| policies.version().clone())
    }

    /// Decides, holds, and records what may go.
    async fn decided(
        self: &Arc<Self>,
        number: OperationNumber,
        understood: Understood,
        asked: &Sent,
        (sight, version): (&Sight, PolicyVersion),
    ) -> Result<Decided, Box<Rejected>> {
        let Understood { inspected, seals, notes, proposals } = understood;
        let proposed_by = self.proposed_by(&proposals);
        let text = inspected.operations().first().map(|one| Arc::clone(&one.text)).unwrap_or_default();
        let text = self.environment.sealed(&text, &seals);
        let (step, proposed_by) = (Step::Execute, proposed_by.as_ref());
        let asking = Asked { number, step, text: &text, parameters: &[], proposed_by };
        let (at, operations) = (self.circumstances(), inspected.operations().to_vec());
        let turned = |refusal| of(asked, self.refused(number, &operations, &text, refusal));
        let permitted = tokio::select! {
            biased;
            permitted = self.permitted(inspected, &asking, None) => permitted,
            () = self.turns.left.cancelled() => {
                return Err(turned(expired("the client went away while this waited")));
            }
        };
        let permitted = permitted.map_err(|Turned { refusal, approval }| {
            Box::new(Rejected { rejection: refusal.into(), approval, asked: Some(asked.clone()) })
        })?;
        let (message, was_approved) = (permitted.message().clone(), permitted.approval().is_some());
        let Some(version) = self.still_seen(sight, version) else {
            // FAIL-CLOSED: what it holds, and what it brings, would be masked as it no longer is.
            return Err(turned(expired("what is masked for you changed while this waited")));
        };
        let recording = async {
            let (admitted, open) = self.session.admit(permitted, &asking)?;
            self.note(number, &notes)?;
            Ok::<_, Refusal>((self.durable(self.environment.recorder.settle(admitted)).await?, open))
        };
        let (recorded, open) = recording.await.map_err(|refusal| of(asked, refusal))?;
        Ok((recorded, message, open, Allowance::new(operations, was_approved, at), version))
    }

    /// Sends it and begins the answer.
    async fn forward(self: &Arc<Self>, passed: Passed, turn: Turn) -> Result<Response<AnswerBody>, Rejection> {
        let Passed { recorded, asked, sight, version, mut open, allowance } = passed;
        match self.send(recorded, &mut open).await {
            Ok(answer) => answer::begin(self, answer, &asked, (&sight, version), open, (allowance, turn)),
            Err(rejection) => {
                open.end(Status::Failed { sqlstate: "no answer" });
                Err(rejection)
            }
        }
    }

    /// Sends what is on record, with a credential that is good.
    pub(super) async fn send(
        &self,
        recorded: Recorded<Permitted<HttpRequest>>,
        open: &mut Open,
    ) -> Result<Response<Incoming>, Rejection> {
        if let Some(order) = self.outlet.needs_credential().await {
            let order = self.record(|recorder| recorder.own(OwnPurpose::Authenticate, order))?;
            self.outlet.authenticate(order).await.map_err(|error| bad_gateway(&error.to_string()))?;
        }
        open.sent();
        let sent = tokio::select! {
            biased;
            () = self.ended.cancelled() => return Err(unrecorded().into()),
            sent = self.sent(recorded) => sent?,
        };
        sent.map_err(|error| {
            tracing::info!(session = %self.id, error = %chain(&error), "an upstream did not answer");
            match error {
                SendError::Slow(_) => {
                    let hint = "Ask for less, or ask for a higher limits.answer_seconds of this connection.";
                    Rejection::unreadable(StatusCode::GATEWAY_TIMEOUT, error.to_string(), hint)
                }
                SendError::Dial(_) | SendError::Broken(_) | SendError::Credential(_) | SendError::Unwritable => {
                    bad_gateway(&error.to_string())
                }
            }
        })
    }

    /// Sends it; once more with another token, where the upstream does not take the one that there was.
    async fn sent(
        &self,
        recorded: Recorded<Permitted<HttpRequest>>,
    ) -> Result<Result<Response<Incoming>, SendError>, Rejection> {
        let refused = match self.outlet.send(recorded, &self.marks).await {
            Ok(Answered::Answer(answer)) => return Ok(Ok(answer)),
            Ok(Answered::Unauthorized(refused)) => refused,
            Err(error) => return Ok(Err(error)),
        };
        let renewal = Unauthorized::renewal();
        let order = self.record(|recorder| recorder.own(OwnPurpose::Authenticate, renewal))?;
        Ok(self.outlet.send_anew(refused, order, &self.marks).await)
    }

    /// The whole body, as far as it is inspected, and what follows it.
    async fn whole(&self, mut body: Incoming) -> Result<(Bytes, HeaderMap), Rejection> {
        let http = self.served.connection.http.as_ref();
        let most = http.map_or(0, |http| http.body_bytes);
        let patience = http.map_or(BODY_PATIENCE, |http| http.client_within.min(BODY_PATIENCE));
        let mut trailers = HeaderMap::new();
        if body.size_hint().lower() > u64::try_from(most).unwrap_or(u64::MAX) {
            return Err(Rejection::too_large(most));
        }
        let mut whole = BytesMut::new();
        loop {
            let frame = match tokio::time::timeout(patience, body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(None) => return Ok((whole.freeze(), codec::request_trailers(&trailers)?)),
                Ok(Some(Err(_broken))) => {
                    return Err(Rejection::malformed("the body is not framed as HTTP frames one", "Send it again."));
                }
                Err(_elapsed) => {
                    let (status, why) = (StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
                    return Err(Rejection::unreadable(status, why, "Send it again."));
                }
            };
            let bytes = match frame.into_data() {
                Ok(bytes) => bytes,
                Err(frame) => {
                    trailers.extend(frame.into_trailers().unwrap_or_default());
                    continue;
                }
            };
            if whole.len() + bytes.len() > most {
                return Err(Rejection::too_large(most));
            }
            whole.extend_from_slice(&bytes);
        }
    }

    /// Records the refusal of what could not be read.
    fn unread(&self, method: &http::Method, path: &str, rejection: Rejection) -> Rejection {
        let said: String = format!("{method} {path}").chars().take(2_048).collect();
        let plain = codec::decoded(&said).unwrap_or_default();
        let detectors = &self.environment.detectors;
        let hidden = plain != said && detectors.class_of(plain.as_bytes()).is_some();
        let said = if hidden { format!("{method} (a path that holds what is masked)") } else { said };
        let text = self.environment.sealed(&said, &[]);
        let Rejection { status, refusal } = rejection;
        match self.number().map(|number| self.refused(number, &[], &text, refusal)) {
            Ok(refusal) if refusal.kind != RefusalKind::Unrecorded => Rejection { status, refusal },
            Ok(unrecorded) | Err(unrecorded) => unrecorded.into(),
        }
    }

    /// Says why, in the words of the dialect.
    fn turn_away(&self, rejected: Rejected) -> Response<AnswerBody> {
        let Rejected { rejection, approval, asked } = rejected;
        let asked = asked.as_ref().map(|(head, body)| (head, body));
        let approval = approval.as_ref().map(ApprovalId::as_str);
        let said = self.dialect.refusal(asked, &rejection, approval, &self.id);
        let mut response = Response::new(answer::full(said.body));
        *response.status_mut() = said.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(said.media_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if said.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

fn expired(message: &str) -> Refusal {
    let (message, hint) = (message.to_owned(), Some("Send it again.".to_owned()));
    Refusal { kind: RefusalKind::Expired, rule: None, message, hint }
}

fn bad_gateway(message: &str) -> Rejection {
    let refusal = Refusal {
        kind: RefusalKind::Unsupported,
        rule: None,
        message: message.to_owned(),
        hint: Some("Try again; tell the gateway's operator if it stays.".to_owned()),
    };
    Rejection { status: StatusCode::BAD_GATEWAY, refusal }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.extend([": ", &cause.to_string()]);
        source = cause.source();
    }
    text
}
