//! An answer on its way: through the dialect's reader to the client, and, masked for everybody, into the record.

mod kept;
mod streaming;

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body as _, Incoming};

use self::{kept::Kept, streaming::Streaming};
use super::{
    budget::Allowance,
    conversation::{Conversation, record_sight},
    intake::Turn,
};
use crate::{
    config::Streams,
    policy::PolicyVersion,
    protocol::http::{
        codec::{self, Cookies},
        dialect::{BodyEnd, Sight},
        message::{HttpRequest, ResponseHead},
        reframe,
        refuse::Rejection,
    },
    record::Status,
    session::outcome::Open,
    upstream::{Cover, Injected},
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
    (sight, version): (&Sight, PolicyVersion),
    mut open: Open,
    (allowance, turn): (Allowance, Turn),
) -> Result<Response<AnswerBody>, Rejection> {
    let (parts, body) = answer.into_parts();
    let http = conversation.served.connection.http.as_ref();
    let cookies = http.map_or(Cookies::Strip, |http| http.cookies);
    let mut head = ResponseHead { status: parts.status, headers: codec::answer_headers(&parts.headers, cookies) };
    if let (Some(location), Some(http)) = (head.headers.get(header::LOCATION), http) {
        let here = local(location, &http.authority, &http.base);
        head.headers.insert(header::LOCATION, here);
    }
    let injected = Injected::of(&parts.extensions);
    injected.cover_headers(&mut head.headers);
    if !sight.is_clear() {
        reframe::strip_sums(&mut head.headers);
    }
    let bodiless = has_no_body(asked, parts.status) || body.is_end_stream();
    let is_as_sent = sight.is_clear() && conversation.dialect.relays_websockets();
    if is_as_sent {
        keep_length(&mut head.headers, &parts.headers);
    }
    let is_strict = http.is_some_and(|http| http.streams == Streams::Refuse) && !sight.is_clear();
    if is_strict && reframe::is_stream(&head.media_type()) && !bodiless {
        open.end(Status::Completed { tag: &tag(parts.status) });
        return Err(Rejection::from(reframe::spread()));
    }
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
    let streaming = Box::new(Streaming {
        upstream: body,
        cover: Cover::new(injected),
        reader: Some(reader),
        kept: Kept::new(keeper, conversation.environment.result_cap_bytes),
        status: parts.status,
        version,
        quiet_for: http.map_or(Duration::from_mins(1), |http| http.quiet_for),
        open: Some(open),
        allowance,
        _turn: turn,
        // What follows a body may be made of it: a sum of what is masked tells of it.
        keeps_trailers: is_as_sent,
        trailers: HeaderMap::new(),
        conversation: Arc::clone(conversation),
    });
    let body = if bodiless {
        streaming.close(BodyEnd::Whole);
        full(Bytes::new())
    } else {
        streaming.body()
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
    if rest.starts_with("//") {
        // Without its host it would name another one.
        return location.clone();
    }
    let rest = rest.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(rest);
    let rest = match rest {
        "" => "/",
        other if other.starts_with("//") => return location.clone(),
        other => other,
    };
    HeaderValue::try_from(rest).unwrap_or_else(|_invalid| location.clone())
}

/// Where the bytes go on as they came, so does what is said of them: their length, and what follows them.
fn keep_length(headers: &mut HeaderMap, said: &HeaderMap) {
    for name in [header::CONTENT_LENGTH, header::TRAILER] {
        if let (Some(value), false) = (said.get(&name), said.get_all(&name).iter().count() > 1) {
            headers.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_to_the_upstream_leads_here_and_no_other() {
        let led = |location: &'static str| {
            let location = local(&HeaderValue::from_static(location), "api.example.com", "/v1");
            location.to_str().unwrap().to_owned()
        };
        assert_eq!(led("https://api.example.com/v1/a?b"), "/a?b");
        assert_eq!(led("https://api.example.com"), "/");
        assert_eq!(led("/v1/a"), "/a");
        for elsewhere in [
            "https://evil.example/v1/a",
            "https://api.example.com@evil.example/",
            "https://api.example.com.evil.example/",
            "https://api.example.com//evil.example/",
            "https://api.example.com/v1//evil.example/",
            "//evil.example/",
        ] {
            assert_eq!(led(elsewhere), elsewhere);
        }
    }
}
