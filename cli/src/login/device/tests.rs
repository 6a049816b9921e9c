//! The polling rules of RFC 8628, section 3.5, over scripted answers and a clock that only counts.

use std::{cell::RefCell, collections::VecDeque};

use oauth2::{Client, ClientId, DeviceAuthorizationUrl, HttpRequest, HttpResponse, TokenResponse as _, TokenUrl};

use super::*;

const PENDING: (u16, &str) = (400, r#"{"error":"authorization_pending"}"#);
const SLOW_DOWN: (u16, &str) = (400, r#"{"error":"slow_down"}"#);
const DENIED: (u16, &str) = (400, r#"{"error":"access_denied"}"#);
const EXPIRED: (u16, &str) = (400, r#"{"error":"expired_token"}"#);
const TOKENS: (u16, &str) = (200, r#"{"access_token":"a","token_type":"Bearer","id_token":"i","refresh_token":"r"}"#);
const NOBODY: (u16, &str) = (0, "");

/// What happened: the waits in seconds, and how it ended.
struct Conversation {
    waits: Vec<u64>,
    outcome: Result<Tokens, RequestTokenError<ExchangeError, DeviceCodeErrorResponse>>,
    unasked: usize,
}

async fn converse(authorization: &str, script: &[(u16, &str)]) -> Conversation {
    let oauth: OAuthClient = Client::new(ClientId::new("cli".to_owned()))
        .set_auth_type(oauth2::AuthType::RequestBody)
        .set_token_uri(TokenUrl::new("https://idp.example.com/token".to_owned()).expect("an address"))
        .set_device_authorization_url_option(
            DeviceAuthorizationUrl::new("https://idp.example.com/device".to_owned()).ok(),
        );
    let authorization: StandardDeviceAuthorizationResponse =
        serde_json::from_str(authorization).expect("authorization");
    let script = RefCell::new(script.iter().copied().collect::<VecDeque<_>>());
    let waits = RefCell::new(Vec::new());
    let http = |request: HttpRequest| {
        let form = String::from_utf8_lossy(request.body()).into_owned();
        assert!(form.contains("device_code=d") && form.contains("client_id=cli"), "{form}");
        let next = script.borrow_mut().pop_front();
        async move {
            let (status, body) = next.expect("asked more often than scripted");
            if status == 0 {
                return Err(ExchangeError::Busy(503));
            }
            let mut answer = HttpResponse::new(body.as_bytes().to_vec());
            *answer.status_mut() = http::StatusCode::from_u16(status).expect("a status");
            Ok(answer)
        }
    };
    let sleep = |wanted: Duration| {
        waits.borrow_mut().push(wanted.as_secs());
        std::future::ready(())
    };
    let outcome = poll(&oauth, &authorization, &http, sleep).await;
    Conversation { waits: waits.take(), outcome, unasked: script.borrow().len() }
}

const PATIENT: &str =
    r#"{"device_code":"d","user_code":"U","verification_uri":"https://i/","expires_in":600,"interval":5}"#;

#[tokio::test]
async fn waits_the_interval_between_questions() {
    let conversation = converse(PATIENT, &[PENDING, PENDING, TOKENS]).await;
    let tokens = conversation.outcome.expect("tokens");
    assert_eq!(conversation.waits, [5, 5, 5]);
    assert_eq!(tokens.access_token().secret(), "a");
    let tokens = IssuerTokens::from(tokens);
    assert!(tokens.id.is_some() && tokens.refresh.is_some());
}

#[tokio::test]
async fn slows_down_by_five_seconds_and_stays_slow() {
    let conversation = converse(PATIENT, &[SLOW_DOWN, PENDING, SLOW_DOWN, TOKENS]).await;
    assert!(conversation.outcome.is_ok());
    assert_eq!(conversation.waits, [5, 10, 10, 15]);
}

#[tokio::test]
async fn waits_five_seconds_where_no_interval_is_said_and_one_where_it_is_zero() {
    let silent = PATIENT.replace(r#","interval":5"#, "");
    assert_eq!(converse(&silent, &[PENDING, TOKENS]).await.waits, [5, 5]);
    let hasty = PATIENT.replace(r#""interval":5"#, r#""interval":0"#);
    assert_eq!(converse(&hasty, &[PENDING, TOKENS]).await.waits, [1, 1]);
}

#[tokio::test]
async fn backs_off_while_the_provider_is_down_and_goes_on_after() {
    let conversation = converse(PATIENT, &[NOBODY, NOBODY, NOBODY, NOBODY, TOKENS]).await;
    assert!(conversation.outcome.is_ok());
    assert_eq!(conversation.waits, [5, 10, 20, 30, 30]);
}

#[tokio::test]
async fn stops_at_a_denial_and_at_the_end_of_the_code() {
    for (answer, error) in
        [(DENIED, DeviceCodeErrorResponseType::AccessDenied), (EXPIRED, DeviceCodeErrorResponseType::ExpiredToken)]
    {
        let conversation = converse(PATIENT, &[PENDING, answer, TOKENS]).await;
        let Err(RequestTokenError::ServerResponse(said)) = conversation.outcome else { panic!("no refusal") };
        assert_eq!((said.error(), conversation.unasked), (&error, 1));
    }
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_ends_the_login_without_quoting_it() {
    let conversation = converse(PATIENT, &[(200, r#"{"access_token":7,"secret":"x"}"#)]).await;
    assert!(matches!(conversation.outcome, Err(RequestTokenError::Parse(..))));
}
