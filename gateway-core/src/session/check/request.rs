//! What would become of a request over HTTP: read, inspected and decided as on the wire, and not sent.
//!
//! A request is written as its first line, with headers, an empty line and a body where it has them:
//! `DELETE /orders/7`.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use super::Question;
use crate::{
    api::types::{CheckAnswer, CheckDecision, CheckRequest},
    model::Refusal,
    protocol::http::{
        codec,
        inspect::{self, Understood},
        message::RequestHead,
        refuse::Rejection,
    },
    session::http::sight as sight_of,
};

impl Question<'_> {
    /// The answer for a request.
    pub(super) fn request(&self, request: &CheckRequest) -> CheckAnswer {
        let mut answer = self.blank();
        let at = self.circumstances.clone();
        let sight = sight_of(self.environment, self.served, self.who, &self.policies, at);
        let understood = self.read(&request.text).and_then(|(head, body)| {
            let side = self.served.http.as_ref();
            let side = side.ok_or_else(|| malformed("this kind is not served by this version of the gateway"))?;
            inspect::inspect(&*side.dialect, head, body, &sight, std::sync::Arc::default())
        });
        let Understood { inspected, .. } = match understood {
            Ok(understood) => understood,
            Err(Rejection { refusal: Refusal { rule, message, hint, .. }, .. }) => {
                answer.rules = rule.into_iter().collect();
                (answer.message, answer.hint) = (Some(message), hint);
                return answer;
            }
        };
        let operations = inspected.operations();
        self.put_verdict(&mut answer, self.verdict(operations));
        answer.operations = operations.iter().map(|operation| self.operation(operation)).collect();
        if answer.decision != CheckDecision::Refuse {
            answer.detected = sight.detectors.classes().map(|class| class.as_str().to_owned()).collect();
        }
        answer
    }

    /// The request that a text is, in canonical form.
    fn read(&self, text: &str) -> Result<(RequestHead, Bytes), Rejection> {
        let settings = self.served.connection.http.as_ref();
        let settings = settings.ok_or_else(|| malformed("this connection is not one over HTTP"))?;
        let text = text.replace("\r\n", "\n");
        let (head, body) = text.split_once("\n\n").unwrap_or((text.as_str(), ""));
        let mut lines = head.trim_start().lines();
        let mut words = lines.next().unwrap_or_default().split_ascii_whitespace();
        let line = words.next().zip(words.next()).filter(|_| words.next().is_none_or(|last| last == "HTTP/1.1"));
        let (method, target) = line.ok_or_else(|| malformed("the first line is no method and path"))?;
        let method = Method::from_bytes(method.as_bytes()).map_err(|_invalid| malformed("this is no method"))?;
        let uri = target.parse::<Uri>().map_err(|_invalid| malformed("this is no path"))?;
        let mut headers = HeaderMap::new();
        for line in lines {
            let field = line.split_once(':').and_then(|(name, value)| {
                Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value.trim()).ok()?))
            });
            let (name, value) = field.ok_or_else(|| malformed("a line of the head is no header"))?;
            headers.append(name, value);
        }
        if !headers.contains_key(header::HOST) {
            headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        }
        if body.trim_start().starts_with(['{', '[']) && !headers.contains_key(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let head = codec::request_head(&method, &uri, &headers, &settings.authority, settings.cookies)?;
        Ok((head, Bytes::from(body.to_owned())))
    }
}

fn malformed(why: &str) -> Rejection {
    Rejection::malformed(
        why,
        "Write a request: DELETE /orders/7, then headers, an empty line and a body if it has any.",
    )
}
