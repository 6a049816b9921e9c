//! Gateways that die, drain or come back, and clients that close.

use std::sync::Arc;
use std::time::Duration;

use hoop_tunnel::client::{DialError, LinkClient, LinkState, OpenError};
use hoop_tunnel::link::Closed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::gateway::{Gateway, Tokens, request};

#[tokio::test]
async fn a_dead_gateway_loses_its_streams_and_the_client_comes_back_with_it() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    let (mut near, far) = gateway.stream(&client).await;
    let mut state = client.state();
    let grave = gateway.die().await;
    assert_eq!(near.closed().await, Closed::Lost);
    drop(far);
    state.wait_for(|state| matches!(state, LinkState::Reconnecting { attempt: 2.., .. })).await.unwrap();
    let mut gateway = grave.rise().await;
    let (mut near, mut far) = gateway.stream(&client).await;
    near.write_all(b"again").await.unwrap();
    let mut read = [0; 5];
    far.read_exact(&mut read).await.unwrap();
    state.wait_for(|state| *state == LinkState::Connected).await.unwrap();
}

#[tokio::test]
async fn a_draining_gateway_lets_streams_end_and_new_ones_go_elsewhere() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    let (mut near, mut far) = gateway.stream(&client).await;
    gateway.shutdown.cancel();
    // A server that drains still answers here: every new link of it drains at once as well.
    near.write_all(b"to the end").await.unwrap();
    near.shutdown().await.unwrap();
    let mut read = Vec::new();
    far.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"to the end");
    far.write_all(b"and back").await.unwrap();
    far.shutdown().await.unwrap();
    let mut read = Vec::new();
    near.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"and back");
}

#[tokio::test]
async fn nobody_there_is_said_at_once() {
    let gateway = Gateway::start().await;
    let config = gateway.config(Tokens::of("alice"));
    let _grave = gateway.die().await;
    assert!(matches!(LinkClient::connect(config).await, Err(DialError::Unreachable(_))));
}

#[tokio::test]
async fn a_certificate_of_nobody_we_trust_is_refused() {
    let gateway = Gateway::start().await;
    let stranger = Gateway::start().await;
    let mut config = gateway.config(Tokens::of("alice"));
    config.endpoint = stranger.endpoint();
    assert!(matches!(LinkClient::connect(config).await, Err(DialError::Tls(_))));
}

#[tokio::test]
async fn a_closing_client_waits_for_its_streams() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    let (mut near, mut far) = gateway.stream(&client).await;
    let closing = tokio::spawn(client.close(Duration::from_mins(10)));
    far.write_all(b"one more").await.unwrap();
    far.shutdown().await.unwrap();
    let mut read = Vec::new();
    near.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"one more");
    assert!(!closing.is_finished());
    near.shutdown().await.unwrap();
    drop(near);
    closing.await.unwrap();
}

#[tokio::test]
async fn a_closing_client_cuts_what_is_open_at_its_deadline() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    let (_near, mut far) = gateway.stream(&client).await;
    client.close(Duration::from_millis(20)).await;
    assert_eq!(far.closed().await, Closed::Lost);
}

#[tokio::test]
async fn a_closed_client_opens_nothing() {
    let gateway = Gateway::start().await;
    let client = Arc::new(gateway.client(&Tokens::of("alice")).await.unwrap());
    let mut state = client.state();
    let grave = gateway.die().await;
    state.wait_for(|state| matches!(state, LinkState::Reconnecting { .. })).await.unwrap();
    let opened = {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.open(&request("pg-prod")).await })
    };
    tokio::time::pause();
    assert!(matches!(opened.await.unwrap(), Err(OpenError::Unreachable(_))));
    drop(grave);
}
