//! A reader that pauses stops its own stream and no other.

use std::sync::atomic::Ordering;

use hoop_tunnel::link::{STREAM_WINDOW_BYTES, STREAMS_PER_LINK};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::gateway::{Gateway, Tokens};

/// Opens streams whose far end sends without end and whose near end never reads; returns once each has filled its window.
async fn paused(
    gateway: &mut Gateway,
    client: &hoop_tunnel::client::LinkClient,
    count: usize,
) -> (Vec<impl Sized + use<>>, JoinSet<()>) {
    let (mut held, mut senders) = (Vec::new(), JoinSet::new());
    for _ in 0..count {
        let (near, mut far) = gateway.stream(client).await;
        let (full, is_full) = tokio::sync::oneshot::channel();
        senders.spawn(async move {
            far.write_all(&vec![0; STREAM_WINDOW_BYTES as usize]).await.unwrap();
            full.send(()).unwrap();
            far.write_all(&vec![0; 4 << 20]).await.unwrap();
        });
        is_full.await.unwrap();
        held.push(near);
    }
    (held, senders)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_paused_bulk_readers_do_not_delay_a_seventeenth() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    let (held, mut senders) = paused(&mut gateway, &client, 16).await;
    let (mut near, mut far) = gateway.stream(&client).await;
    let send = async {
        far.write_all(&vec![5; 8 << 20]).await.unwrap();
        far.shutdown().await.unwrap();
    };
    let mut read = Vec::new();
    let (read_all, ()) = tokio::join!(near.read_to_end(&mut read), send);
    read_all.unwrap();
    assert_eq!(read.len(), 8 << 20);
    assert_eq!(gateway.links.load(Ordering::Relaxed), 1, "all of it on one link");
    assert!(senders.try_join_next().is_none(), "the others are still paused");
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_link_of_paused_readers_makes_another_link() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    let (held, mut senders) = paused(&mut gateway, &client, STREAMS_PER_LINK as usize).await;
    let (mut near, mut far) = gateway.stream(&client).await;
    far.write_all(b"through").await.unwrap();
    far.shutdown().await.unwrap();
    let mut read = Vec::new();
    near.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"through");
    assert_eq!(gateway.links.load(Ordering::Relaxed), 2);
    assert!(senders.try_join_next().is_none(), "the others are still paused");
    drop(held);
}

#[tokio::test]
async fn an_ended_stream_makes_room_for_another_on_its_link() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    for _ in 0..3 * STREAMS_PER_LINK {
        let (near, far) = gateway.stream(&client).await;
        drop((near, far));
    }
    assert_eq!(gateway.links.load(Ordering::Relaxed), 1);
}
