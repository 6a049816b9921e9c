//! An answer on its way: through the dialect's reader to the client, and, masked for everybody, into the record.

use std::{io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};

use super::{
    conversation::{Conversation, record_sight},
    recording::Open,
};
use crate::{
    model::Refusal,
    policy::PolicyVersion,
    protocol::http::{
        codec,
        dialect::{BodyEnd, Ended, ResponseReader, Sight},
        message::{HttpRequest, ResponseHead},
        reframe,
        refuse::Rejection,
    },
    record::{Event, Status},
};

/// What a client is given.
pub(super) type AnswerBody = UnsyncBoxBody<Bytes, io::Error>;

/// A body that is known whole.
pub(super) fn full(bytes: Bytes) -> AnswerBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// The head of an answer as it goes on, and the body that follows it.
pub(super) fn begin(
    conversation: &Arc<Conversation>,
    answer: Response<Incoming>,
    asked: &HttpRequest,
    sight: &Sight,
    mut open: Open,
) -> Result<Response<AnswerBody>, Rejection> {
    let (parts, body) = answer.into_parts();
    let mut head = ResponseHead { status: parts.status, headers: codec::answer_headers(&parts.headers) };
    let http = conversation.served.connection.http.as_ref();
    if let (Some(location), Some(http)) = (head.headers.get(header::LOCATION), http) {
        let here = local(location, &http.authority, &http.base);
        head.headers.insert(header::LOCATION, here);
    }
    let bodiless = has_no_body(asked, parts.status);
    let reader = match conversation.dialect.reader(asked, &mut head, sight) {
        Ok(reader) => reader,
        // FAIL-CLOSED: what cannot be read is not shown.
        Err(refusal) if !bodiless => {
            open.end(Status::Completed { tag: &tag(parts.status) });
            return Err(Rejection::from(refusal));
        }
        Err(_nothing_to_read) => reframe::nothing(),
    };
    let keeper = conversation.dialect.reader(asked, &mut head.clone(), &record_sight(sight)).ok();
    let mut tally = reframe::Tally::new();
    reframe::headers(&mut head.headers, &sight.detectors, &mut tally);
    open.add_masked(tally);
    let cap = conversation.environment.result_cap_bytes;
    let streaming = Box::new(Streaming {
        upstream: body,
        reader: Some(reader),
        kept: Kept { reader: keeper, text: BytesMut::new(), cap, truncated: false },
        status: parts.status,
        version: conversation.policies.borrow().version().clone(),
        quiet_for: http.map_or(Duration::from_mins(1), |http| http.quiet_for),
        open: Some(open),
        conversation: Arc::clone(conversation),
    });
    let body = if bodiless {
        streaming.close(BodyEnd::Whole);
        full(Bytes::new())
    } else {
        StreamBody::new(stream::unfold(Some(streaming), step)).boxed_unsync()
    };
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    Ok(response)
}

fn tag(status: StatusCode) -> String {
    format!("HTTP {}", status.as_u16())
}

fn has_no_body(asked: &HttpRequest, status: StatusCode) -> bool {
    asked.head.method == http::Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || status.is_informational()
}

/// A redirect to the upstream itself leads through the gateway again.
fn local(location: &HeaderValue, authority: &str, base: &str) -> HeaderValue {
    let text = location.to_str().unwrap_or_default();
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme)?.strip_prefix(authority))
        .filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        .unwrap_or(text);
    let rest = rest.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(rest);
    let rest = if rest.is_empty() { "/" } else { rest };
    HeaderValue::try_from(rest).unwrap_or_else(|_invalid| location.clone())
}

/// What the record keeps of an answer.
struct Kept {
    reader: Option<Box<dyn ResponseReader>>,
    text: BytesMut,
    cap: usize,
    truncated: bool,
}

impl Kept {
    fn chunk(&mut self, bytes: &[u8]) {
        let Some(reader) = &mut self.reader else { return };
        if reader.chunk(bytes, &mut self.text).is_err() || self.text.len() > self.cap {
            self.text.truncate(self.cap);
            self.truncated = true;
            self.reader = None;
        }
    }

    /// The lines of the answer, as a result of one column.
    fn lines(mut self, end: BodyEnd) -> Option<(String, bool)> {
        if let Some(reader) = self.reader.take() {
            let ended = reader.end(end, &mut self.text);
            self.truncated |= ended.is_err() || self.text.len() > self.cap;
            self.text.truncate(self.cap);
        }
        if self.text.is_empty() {
            return None;
        }
        let mut lines = String::from("{\"columns\":[\"body\"]}\n");
        for line in String::from_utf8_lossy(&self.text).lines() {
            lines.push_str(&serde_json::json!([line]).to_string());
            lines.push('\n');
        }
        Some((lines, self.truncated))
    }
}

/// The body of one answer, between the upstream and the client. Dropped, it was cut off.
struct Streaming {
    upstream: Incoming,
    reader: Option<Box<dyn ResponseReader>>,
    kept: Kept,
    status: StatusCode,
    /// The policies that it was let through by.
    version: PolicyVersion,
    quiet_for: Duration,
    open: Option<Open>,
    conversation: Arc<Conversation>,
}

type Piece = Result<Frame<Bytes>, io::Error>;

/// Waits for the next bytes that may go on.
async fn step(state: Option<Box<Streaming>>) -> Option<(Piece, Option<Box<Streaming>>)> {
    let mut streaming = state?;
    let mut out = BytesMut::new();
    loop {
        match streaming.next(&mut out).await {
            Ok(true) if out.is_empty() => {}
            Ok(true) => {
                streaming.sent(out.len());
                return Some((Ok(Frame::data(out.freeze())), Some(streaming)));
            }
            Ok(false) => {
                return match streaming.end(BodyEnd::Whole, &mut out) {
                    Err(refusal) => Some((Err(io::Error::other(refusal.message)), None)),
                    Ok(()) if out.is_empty() => None,
                    Ok(()) => Some((Ok(Frame::data(out.freeze())), None)),
                };
            }
            Err(error) => {
                tracing::info!(session = %streaming.conversation.id, %error, "an answer is cut off");
                streaming.close(BodyEnd::Cut);
                return Some((Err(error), None));
            }
        }
    }
}

impl Streaming {
    /// Takes one frame; false at the end of the body.
    async fn next(&mut self, out: &mut BytesMut) -> io::Result<bool> {
        let mut policies = self.conversation.policies.clone();
        let changed = async {
            // Masks and permits follow a change of the policies at once: what was let through by others is cut off.
            let other = policies.wait_for(|policies| *policies.version() != self.version).await.is_ok();
            if !other {
                std::future::pending::<()>().await;
            }
        };
        let frame = tokio::select! {
            biased;
            () = self.conversation.ended.cancelled() => return Err(io::Error::other("the session ended")),
            () = changed => return Err(io::Error::other("the policies changed")),
            frame = tokio::time::timeout(self.quiet_for, self.upstream.frame()) => frame,
        };
        let frame = match frame {
            Ok(Some(frame)) => frame.map_err(io::Error::other)?,
            Ok(None) => return Ok(false),
            Err(_elapsed) => return Err(io::Error::other("the upstream said nothing for too long")),
        };
        // Trailers end here.
        let Ok(bytes) = frame.into_data() else { return Ok(true) };
        self.kept.chunk(&bytes);
        if let Some(reader) = &mut self.reader {
            reader.chunk(&bytes, out).map_err(|refusal| io::Error::other(refusal.message))?;
        }
        Ok(true)
    }

    fn sent(&mut self, bytes: usize) {
        self.conversation.meter.bytes(u64::try_from(bytes).unwrap_or(u64::MAX));
        if let Some(open) = &mut self.open {
            open.bytes = open.bytes.saturating_add(u64::try_from(bytes).unwrap_or(0));
        }
    }

    /// Ends the body: the rest of it, and the record.
    fn end(mut self: Box<Self>, end: BodyEnd, out: &mut BytesMut) -> Result<(), Refusal> {
        let before = out.len();
        let read = self.reader.take().map_or_else(|| Ok(Ended::default()), |reader| reader.end(end, out));
        self.sent(out.len() - before);
        match read {
            Ok(ended) => {
                self.settle(ended, end);
                Ok(())
            }
            Err(refusal) => {
                self.settle(Ended::default(), BodyEnd::Cut);
                Err(refusal)
            }
        }
    }

    /// Ends it where nothing more is written.
    fn close(self: Box<Self>, end: BodyEnd) {
        if self.end(end, &mut BytesMut::new()).is_err() {
            tracing::debug!("an answer ended with what cannot be shown");
        }
    }

    fn settle(&mut self, ended: Ended, end: BodyEnd) {
        let Some(mut open) = self.open.take() else { return };
        open.add_masked(ended.masked);
        let (conversation, number) = (&self.conversation, open.number);
        if let Some(answer) = &ended.answer {
            conversation.learn(number, answer);
        }
        if conversation.note(number, &ended.notes).is_err() {
            tracing::warn!(session = %conversation.id, "what was said could not be recorded");
        }
        let nothing = Kept { reader: None, text: BytesMut::new(), cap: 0, truncated: false };
        if let Some((text, truncated)) = std::mem::replace(&mut self.kept, nothing).lines(end) {
            let result = Event::Result { number, part: 0, text: &text, truncated };
            if conversation.append(&result).is_err() {
                tracing::warn!(session = %conversation.id, "a result could not be recorded");
            }
        }
        match end {
            BodyEnd::Whole => open.end(Status::Completed { tag: &tag(self.status) }),
            BodyEnd::Cut => open.end(Status::Failed { sqlstate: "cut off" }),
        }
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        if self.open.is_some() {
            let ended = self.reader.take().and_then(|reader| reader.end(BodyEnd::Cut, &mut BytesMut::new()).ok());
            self.settle(ended.unwrap_or_default(), BodyEnd::Cut);
        }
    }
}
