//! Calls of AWS APIs: which service and action a request is, and whether that only reads. Pure.
//!
//! SPEC: the query protocol says `Action=` in the form or the query, the JSON protocols `X-Amz-Target`, S3 method and
//! place, the other REST services method and path. What says two different actions is refused.

pub mod refuse;

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Method;

use super::{
    codec::pairs,
    message::{RequestHead, media_type},
    refuse::Rejection,
};
use crate::model::Verb;

/// The service that a host is of: `ec2.eu-west-1.amazonaws.com` → `ec2`, `bucket.s3.amazonaws.com` → `s3`.
pub fn service_of(host: &str) -> &str {
    let own = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"));
    let Some(own) = own else { return host.split('.').next().unwrap_or(host) };
    let s3 = own.split('.').find(|part| *part == "s3" || part.starts_with("s3-"));
    if s3.is_some() { "s3" } else { own.split('.').next().unwrap_or(own) }
}

/// The action that a request is, and its verb.
pub fn action(service: &str, head: &RequestHead, body: &Bytes) -> Result<(String, Verb), Rejection> {
    let mut said = BTreeSet::new();
    let form = (media_type(&head.headers) == "application/x-www-form-urlencoded" || service == "ec2")
        .then(|| std::str::from_utf8(body).ok().and_then(pairs))
        .flatten()
        .unwrap_or_default();
    let query = head.query.as_deref().and_then(pairs).unwrap_or_default();
    for (name, value) in form.into_iter().chain(query) {
        if name.eq_ignore_ascii_case("action") {
            said.insert(value);
        }
    }
    for target in head.headers.get_all("x-amz-target") {
        let target = String::from_utf8_lossy(target.as_bytes());
        said.insert(target.rsplit('.').next().unwrap_or_default().to_owned());
    }
    let mut said = said.into_iter();
    match (said.next(), said.next()) {
        (Some(_), Some(_)) => Err(Rejection::malformed("the request names two actions", "Name the one that is meant.")),
        (Some(action), None) if is_action(&action) => {
            let verb = if reads(&action) { Verb::AwsRead } else { Verb::AwsWrite };
            Ok((format!("{service}:{action}"), verb))
        }
        (Some(_), None) => Err(Rejection::malformed("the action has no name of an action", "Name one: Action=…")),
        (None, _) => Ok(by_method(service, head)),
    }
}

fn is_action(action: &str) -> bool {
    !action.is_empty() && action.len() <= 128 && action.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Names of actions that change nothing. What reads a secret or makes a credential is none of them.
fn reads(action: &str) -> bool {
    const READS: [&str; 6] = ["Describe", "Get", "List", "Head", "BatchGet", "Lookup"];
    const TELLING: [&str; 8] = [
        "GetSecretValue",
        "BatchGetSecretValue",
        "GetSessionToken",
        "GetFederationToken",
        "GetPasswordData",
        "GetAuthorizationToken",
        "GetCredentialsForIdentity",
        "GetOpenIdToken",
    ];
    READS.iter().any(|prefix| action.starts_with(prefix)) && !TELLING.contains(&action)
}

fn by_method(service: &str, head: &RequestHead) -> (String, Verb) {
    let reads = matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let verb = if reads { Verb::AwsRead } else { Verb::AwsWrite };
    (format!("{service}:{}", head.method), verb)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{super::message::Carriage, *};

    fn head(method: Method, query: Option<&str>, headers: &[(&'static str, &'static str)]) -> RequestHead {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        RequestHead {
            method,
            path: "/".to_owned(),
            query: query.map(str::to_owned),
            headers: map,
            upgrades: false,
            carriage: Carriage::default(),
        }
    }

    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");

    #[test]
    fn the_service_is_in_the_host() {
        assert_eq!(service_of("ec2.eu-west-1.amazonaws.com"), "ec2");
        assert_eq!(service_of("bucket.s3.eu-west-1.amazonaws.com"), "s3");
        assert_eq!(service_of("127.0.0.1"), "127");
    }

    #[test]
    fn every_protocol_says_its_action() {
        let run = |head: RequestHead, body: &'static str| action("ec2", &head, &Bytes::from_static(body.as_bytes()));
        let post = |headers: &[(&'static str, &'static str)]| head(Method::POST, None, headers);
        let said = run(post(&[FORM]), "Action=RunInstances&MaxCount=1").unwrap();
        assert_eq!(said, ("ec2:RunInstances".to_owned(), Verb::AwsWrite));
        assert_eq!(run(post(&[FORM]), "Action=DescribeInstances").unwrap().1, Verb::AwsRead);
        let said = run(head(Method::GET, Some("Action=TerminateInstances"), &[]), "").unwrap();
        assert_eq!(said.1, Verb::AwsWrite, "a GET can change things too");
        let said = run(post(&[("x-amz-target", "DynamoDB_20120810.PutItem")]), "{}").unwrap();
        assert_eq!(said, ("ec2:PutItem".to_owned(), Verb::AwsWrite));
        assert_eq!(run(post(&[("x-amz-target", "secretsmanager.GetSecretValue")]), "{}").unwrap().1, Verb::AwsWrite);
        assert_eq!(run(head(Method::GET, None, &[]), "").unwrap(), ("ec2:GET".to_owned(), Verb::AwsRead));
    }

    #[test]
    fn two_actions_are_none() {
        let body = Bytes::from_static(b"Action=DescribeInstances&Action=RunInstances");
        assert!(action("ec2", &head(Method::POST, None, &[FORM]), &body).is_err());
        let body = Bytes::from_static(b"Action=RunInstances");
        assert!(action("ec2", &head(Method::POST, Some("Action=DescribeInstances"), &[FORM]), &body).is_err());
        // Without saying that it is a form: the service reads it as one all the same.
        assert_eq!(action("ec2", &head(Method::POST, None, &[]), &body).unwrap().1, Verb::AwsWrite);
    }
}
