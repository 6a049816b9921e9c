//! Who a link stands for: tokens at the start, per stream, refreshed, changed, expired, rejected.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hoop_tunnel::acceptor::{LinkIdentity, RejectStatus};
use hoop_tunnel::client::{DialError, OpenError};
use hoop_tunnel::link::LinkStream;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use super::gateway::{Gateway, Tokens, request};

async fn accepted(gateway: &mut Gateway) -> (LinkStream, watch::Receiver<LinkIdentity<String>>) {
    let asked = gateway.asked.recv().await.unwrap();
    let identity = asked.identity.clone();
    (asked.accept().unwrap(), identity)
}

#[tokio::test]
async fn a_stream_says_who_asks_and_for_what() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    let mut wanted = request("pg-prod");
    wanted.client_address = Some("127.0.0.1:4711".into());
    wanted.local_password = Some(SecretString::from("pass"));
    let look = async {
        let asked = gateway.asked.recv().await.unwrap();
        assert_eq!((asked.connection.as_str(), asked.principal.as_str()), ("pg-prod", "alice"));
        assert_eq!(asked.client_address.as_deref(), Some("127.0.0.1:4711"));
        assert_eq!(asked.local_password.as_ref().unwrap().expose_secret(), "pass");
        assert!(!format!("{asked:?}").contains("\"pass\""), "secrets are not shown");
        asked.reject(RejectStatus::Refused, "not today — ask bob");
    };
    let (opened, ()) = tokio::join!(client.open(&wanted), look);
    assert!(matches!(opened, Err(OpenError::Refused(why)) if why == "not today — ask bob"));
}

#[tokio::test]
async fn each_refusal_is_told_apart() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    for status in
        [RejectStatus::Unauthenticated, RejectStatus::Refused, RejectStatus::NotFound, RejectStatus::Unavailable]
    {
        let wanted = request("x");
        let (opened, ()) =
            tokio::join!(client.open(&wanted), async { gateway.asked.recv().await.unwrap().reject(status, "why") });
        let told = match opened.unwrap_err() {
            OpenError::Unauthenticated(_) => RejectStatus::Unauthenticated,
            OpenError::Refused(_) => RejectStatus::Refused,
            OpenError::NotFound(_) => RejectStatus::NotFound,
            OpenError::Unavailable(_) => RejectStatus::Unavailable,
            OpenError::Token(_)
            | OpenError::Unreachable(_)
            | OpenError::Malformed(_)
            | OpenError::Broken(_)
            | OpenError::Unexpected(_) => panic!("not told"),
        };
        assert_eq!(told, status);
    }
}

#[tokio::test]
async fn a_bad_token_makes_no_link() {
    let gateway = Gateway::start().await;
    assert!(
        matches!(gateway.client(&Tokens::of("bad")).await, Err(DialError::Unauthenticated(why)) if why == "the token is bad")
    );
    assert!(matches!(gateway.client(&Tokens::of("")).await, Err(DialError::Token(_))));
}

#[tokio::test]
async fn a_bad_token_opens_no_stream_on_a_good_link() {
    let mut gateway = Gateway::start().await;
    let tokens = Tokens::of("alice");
    let client = gateway.client(&tokens).await.unwrap();
    tokens.set("bad");
    assert!(matches!(client.open(&request("pg-prod")).await, Err(OpenError::Unauthenticated(_))));
    assert!(gateway.asked.try_recv().is_err(), "the gateway was asked nothing");
}

#[tokio::test]
async fn a_refreshed_token_extends_the_link_and_drops_no_stream() {
    let mut gateway = Gateway::start().await;
    let tokens = Tokens::of("alice 60");
    let client = gateway.client(&tokens).await.unwrap();
    let wanted = request("pg-prod");
    let (near, asked) = tokio::join!(client.open(&wanted), accepted(&mut gateway));
    let (mut near, (mut far, mut identity)) = (near.unwrap(), asked);
    let LinkIdentity::Valid { expires_at: before, .. } = identity.borrow_and_update().clone() else {
        panic!("expired")
    };
    tokens.refresh("alice 600");
    identity.changed().await.unwrap();
    let LinkIdentity::Valid { principal, expires_at } = identity.borrow().clone() else { panic!("expired") };
    assert_eq!(principal, "alice");
    assert!(expires_at > before + Duration::from_secs(500));
    near.write_all(b"still here").await.unwrap();
    let mut read = [0; 10];
    far.read_exact(&mut read).await.unwrap();
    assert_eq!(gateway.links.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_token_of_another_principal_shows_as_a_change() {
    let mut gateway = Gateway::start().await;
    let tokens = Tokens::of("alice");
    let client = gateway.client(&tokens).await.unwrap();
    let wanted = request("pg-prod");
    let (_near, asked) = tokio::join!(client.open(&wanted), accepted(&mut gateway));
    let (_far, mut identity) = asked;
    identity.borrow_and_update();
    tokens.refresh("bob");
    identity.changed().await.unwrap();
    assert_eq!(identity.borrow().principal().map(String::as_str), Some("bob"));
}

#[tokio::test]
async fn a_link_expires_with_its_token() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice 1")).await.unwrap();
    let wanted = request("pg-prod");
    let (_near, asked) = tokio::join!(client.open(&wanted), accepted(&mut gateway));
    let (_far, mut identity) = asked;
    let began = tokio::time::Instant::now();
    identity.wait_for(|now| *now == LinkIdentity::Expired).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(2), "within a second of its end");
}
