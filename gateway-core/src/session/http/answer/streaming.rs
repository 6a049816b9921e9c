//! The body of one answer, between the upstream and the client: read, masked, counted and kept, piece by piece. What was
//! let through by policies that are no longer in force, or has used up its budget, is cut.

use std::{io, pin::pin, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};

use super::{
    super::{
        budget::{Allowance, EVERY},
        conversation::Conversation,
        intake::Turn,
    },
    AnswerBody,
    kept::Kept,
    tag,
};
use crate::{
    model::Refusal,
    policy::PolicyVersion,
    protocol::http::{
        codec,
        dialect::{BodyEnd, Ended, ResponseReader},
    },
    record::{Event, Status},
    session::outcome::Open,
    upstream::Cover,
};

/// The body of one answer. Dropped, it was cut off.
pub(super) struct Streaming {
    pub(super) upstream: Incoming,
    /// Covers the gateway's own credential, before anybody reads the answer.
    pub(super) cover: Cover,
    pub(super) reader: Option<Box<dyn ResponseReader>>,
    pub(super) kept: Kept,
    pub(super) status: StatusCode,
    /// The policies that it was let through by.
    pub(super) version: PolicyVersion,
    pub(super) quiet_for: Duration,
    pub(super) open: Option<Open>,
    pub(super) allowance: Allowance,
    /// The exchange lasts as long as its answer does.
    pub(super) _turn: Turn,
    pub(super) keeps_trailers: bool,
    pub(super) trailers: HeaderMap,
    pub(super) conversation: Arc<Conversation>,
}

type Piece = Result<Frame<Bytes>, io::Error>;

/// What is left to be written.
enum Rest {
    Body(Box<Streaming>),
    Trailers(HeaderMap),
}

/// What a frame came to.
enum Came {
    /// Something, of which some may go on.
    More,
    /// All of it was there.
    End,
    /// It is refused from here on, which its format has words for.
    Said,
}

/// Waits for the next bytes that may go on.
async fn step(rest: Option<Rest>) -> Option<(Piece, Option<Rest>)> {
    let mut streaming = match rest? {
        Rest::Body(streaming) => streaming,
        Rest::Trailers(trailers) => return Some((Ok(Frame::trailers(trailers)), None)),
    };
    let mut out = BytesMut::new();
    loop {
        match streaming.next(&mut out).await {
            Ok(Came::More) if out.is_empty() => {}
            Ok(Came::More) => {
                streaming.sent(out.len());
                return Some((Ok(Frame::data(out.freeze())), Some(Rest::Body(streaming))));
            }
            Ok(Came::Said) => {
                streaming.sent(out.len());
                streaming.close(BodyEnd::Cut);
                return Some((Ok(Frame::data(out.freeze())), None));
            }
            Ok(Came::End) => {
                let trailers = std::mem::take(&mut streaming.trailers);
                let trailers = (!trailers.is_empty()).then_some(Rest::Trailers(trailers));
                return match (streaming.end(BodyEnd::Whole, &mut out), trailers) {
                    (Err(refusal), _) => Some((Err(io::Error::other(refusal.message)), None)),
                    (Ok(()), Some(Rest::Trailers(trailers))) if out.is_empty() => {
                        Some((Ok(Frame::trailers(trailers)), None))
                    }
                    (Ok(()), None) if out.is_empty() => None,
                    (Ok(()), rest) => Some((Ok(Frame::data(out.freeze())), rest)),
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
    /// The body that the client is given.
    pub(super) fn body(self: Box<Self>) -> AnswerBody {
        StreamBody::new(stream::unfold(Some(Rest::Body(self)), step)).boxed_unsync()
    }

    /// Takes one frame.
    async fn next(&mut self, out: &mut BytesMut) -> io::Result<Came> {
        let mut policies = self.conversation.policies.clone();
        let changed = async {
            // Masks and permits follow a change of the policies at once: what was let through by others is cut off.
            let other = policies.wait_for(|policies| *policies.version() != self.version).await.is_ok();
            if !other {
                std::future::pending::<()>().await;
            }
        };
        let (mut changed, mut quiet) = (pin!(changed), pin!(tokio::time::sleep(self.quiet_for)));
        let has_budget = self.conversation.has_budget();
        let frame = loop {
            tokio::select! {
                biased;
                () = self.conversation.ended.cancelled() => return Err(io::Error::other("the session ended")),
                () = &mut changed => return Err(io::Error::other("the policies changed")),
                frame = self.upstream.frame() => break frame,
                () = &mut quiet => return Err(io::Error::other("the upstream said nothing for too long")),
                () = tokio::time::sleep(EVERY), if has_budget => {
                    let used = self.reader.as_ref().map(|reader| reader.used()).unwrap_or_default();
                    if let Some(refusal) = self.conversation.still_within(&mut self.allowance, used) {
                        return over_budget(&self.conversation, self.reader.as_deref(), &refusal, out);
                    }
                }
            }
        };
        let Some(frame) = frame else { return Ok(Came::End) };
        let frame = frame.map_err(io::Error::other)?;
        let bytes = match frame.into_data() {
            Ok(bytes) => bytes,
            Err(frame) => {
                if let (true, Ok(trailers)) = (self.keeps_trailers, frame.into_trailers()) {
                    let mut trailers = codec::answer_trailers(&trailers);
                    self.cover.headers(&mut trailers);
                    self.trailers.extend(trailers);
                }
                return Ok(Came::More);
            }
        };
        let bytes = self.cover.chunk(bytes);
        self.kept.chunk(&bytes);
        let Some(reader) = &mut self.reader else { return Ok(Came::More) };
        reader.chunk(&bytes, out).map_err(|refusal| io::Error::other(refusal.message))?;
        for reply in reader.replies() {
            self.conversation.decline(reply);
        }
        let used = reader.used();
        match self.conversation.still_within(&mut self.allowance, used) {
            None => Ok(Came::More),
            Some(refusal) => over_budget(&self.conversation, self.reader.as_deref(), &refusal, out),
        }
    }

    fn sent(&mut self, bytes: usize) {
        if let Some(open) = &mut self.open {
            open.add_bytes(bytes);
        }
    }

    /// Ends the body: the rest of it, and the record.
    fn end(mut self: Box<Self>, end: BodyEnd, out: &mut BytesMut) -> Result<(), Refusal> {
        let before = out.len();
        let rest = if end == BodyEnd::Whole { self.cover.rest() } else { Bytes::new() };
        self.kept.chunk(&rest);
        let read = self.reader.take().map_or_else(
            || Ok(Ended::default()),
            |mut reader| {
                if !rest.is_empty() {
                    reader.chunk(&rest, out)?;
                }
                reader.end(end, out)
            },
        );
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
    pub(super) fn close(self: Box<Self>, end: BodyEnd) {
        if self.end(end, &mut BytesMut::new()).is_err() {
            tracing::debug!("an answer ended with what cannot be shown");
        }
    }

    fn settle(&mut self, ended: Ended, end: BodyEnd) {
        let Some(mut open) = self.open.take() else { return };
        open.add_masked(ended.masked);
        let (conversation, number) = (&self.conversation, open.number);
        for reply in ended.replies {
            conversation.decline(reply);
        }
        if let Some(answer) = &ended.answer {
            conversation.learn(number, answer, &self.allowance);
        }
        let mut is_noted = ended.notes.iter().any(|note| note.kind == "answer");
        if conversation.note(number, &ended.notes).is_err() {
            tracing::warn!(session = %conversation.id, "what was said could not be recorded");
            is_noted = false;
        }
        // What a model said stands in its note: a second time it would only have to be kept.
        let kept = std::mem::replace(&mut self.kept, Kept::nothing());
        if let Some((text, truncated)) = kept.lines(end).filter(|_| !is_noted) {
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

/// The budget is used up: says so in the answer's own format, or breaks it off.
fn over_budget(
    conversation: &Conversation,
    reader: Option<&dyn ResponseReader>,
    refusal: &Refusal,
    out: &mut BytesMut,
) -> io::Result<Came> {
    tracing::info!(session = %conversation.id, "a budget is used up while an answer streams");
    let words = reader.and_then(|reader| reader.last_words(refusal));
    let words = words.ok_or_else(|| io::Error::other(refusal.message.clone()))?;
    out.extend_from_slice(&words);
    Ok(Came::Said)
}

impl Drop for Streaming {
    fn drop(&mut self) {
        if self.open.is_some() {
            let ended = self.reader.take().and_then(|reader| reader.end(BodyEnd::Cut, &mut BytesMut::new()).ok());
            self.settle(ended.unwrap_or_default(), BodyEnd::Cut);
        }
    }
}
