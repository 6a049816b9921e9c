//! A denial as the SDKs of AWS read one: XML of the query protocols and of S3, JSON of the others. The same facts as in a
//! problem. Pure.

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::super::{dialect::Answer, message::RequestHead, refuse::Rejection};
use crate::model::{RefusalKind, SessionId};

/// What SDKs call each kind; none of these is tried again by itself.
fn code(rejection: &Rejection) -> &'static str {
    match rejection.refusal.kind {
        RefusalKind::Policy | RefusalKind::Denied | RefusalKind::Expired | RefusalKind::Unmaskable => "AccessDenied",
        RefusalKind::Unsupported if rejection.status.is_server_error() => "InternalFailure",
        RefusalKind::Unsupported => "ValidationError",
        RefusalKind::Unrecorded => "ServiceUnavailable",
    }
}

/// The denial of a request to this service.
pub fn answer(service: &str, head: Option<&RequestHead>, rejection: &Rejection, session: &SessionId) -> Answer {
    let refusal = &rejection.refusal;
    let rule = refusal.rule.as_ref().map(|rule| format!(" (rule {rule})")).unwrap_or_default();
    let next = refusal.hint.as_ref().map(|hint| format!(" {hint}")).unwrap_or_default();
    let message = format!("{}{rule}.{next} Session {}.", refusal.message, session.as_str());
    let code = code(rejection);
    let says_target = head.is_some_and(|head| head.headers.contains_key("x-amz-target"));
    let is_query =
        matches!(service, "ec2" | "s3" | "iam" | "sts" | "rds" | "elasticache" | "autoscaling" | "cloudformation");
    if says_target || !is_query {
        let body = json!({ "__type": code, "message": message, "Message": message }).to_string();
        return said(rejection.status, "application/json", body);
    }
    let error = format!("<Code>{code}</Code><Message>{}</Message>", escaped(&message));
    let (request, session) = ("RequestId", session.as_str());
    let body = match service {
        "ec2" => {
            format!("<Response><Errors><Error>{error}</Error></Errors><RequestID>{session}</RequestID></Response>")
        }
        "s3" => format!("<Error>{error}<{request}>{session}</{request}></Error>"),
        _ => format!(
            "<ErrorResponse><Error><Type>Sender</Type>{error}</Error><{request}>{session}</{request}></ErrorResponse>"
        ),
    };
    said(rejection.status, "text/xml", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}"))
}

fn said(status: StatusCode, media_type: &'static str, body: String) -> Answer {
    Answer { status, media_type, body: Bytes::from(body) }
}

/// SPEC: XML 1.0, 2.2 and 2.4.
fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars().take(1_000) {
        match letter {
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            letter if letter.is_control() => plain.push(char::REPLACEMENT_CHARACTER),
            letter => plain.push(letter),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_reads_its_own_errors() {
        let rejection = Rejection::malformed("a <b> & c", "Send it otherwise.");
        let said = |service: &str| {
            String::from_utf8(answer(service, None, &rejection, &SessionId::new(1, [7; 10])).body.to_vec()).unwrap()
        };
        assert!(said("ec2").contains("<Errors><Error><Code>ValidationError</Code><Message>a &lt;b&gt; &amp; c"));
        assert!(said("s3").contains("\n<Error><Code>"));
        assert!(said("iam").contains("<ErrorResponse><Error><Type>Sender</Type>"));
        let read: serde_json::Value = serde_json::from_str(&said("dynamodb")).unwrap();
        assert_eq!(read["__type"], "ValidationError");
    }
}
