//! What goes in comes out, in both directions, with both ways of ending.

use hoop_tunnel::forward::{Counters, ForwardError, forward};
use hoop_tunnel::link::Closed;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::gateway::{Gateway, Tokens};

#[tokio::test]
async fn either_side_may_finish_first_and_the_other_goes_on() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    for client_first in [true, false] {
        let (near, far) = gateway.stream(&client).await;
        let (mut first, mut second) = if client_first { (near, far) } else { (far, near) };
        first.write_all(b"last words").await.unwrap();
        first.shutdown().await.unwrap();
        let mut read = Vec::new();
        second.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"last words");
        second.write_all(b"an answer all the same").await.unwrap();
        second.shutdown().await.unwrap();
        let mut read = Vec::new();
        first.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"an answer all the same");
    }
}

#[tokio::test]
async fn a_side_that_finishes_and_leaves_loses_nothing_it_said() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    let (mut near, mut far) = gateway.stream(&client).await;
    let said = vec![7; 3 << 20];
    let task = tokio::spawn(async move {
        far.write_all(&said).await.unwrap();
        far.shutdown().await.unwrap();
    });
    let mut read = Vec::new();
    near.read_to_end(&mut read).await.unwrap();
    assert_eq!(read.len(), 3 << 20);
    task.await.unwrap();
}

#[tokio::test]
async fn a_stream_dropped_before_its_end_is_reset_and_never_looks_finished() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    let (mut near, mut far) = gateway.stream(&client).await;
    far.write_all(b"half a").await.unwrap();
    drop(far);
    let mut read = Vec::new();
    let error = near.read_to_end(&mut read).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_holder_notices_a_reset_without_reading_and_reads_nothing_away() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    let (mut near, mut far) = gateway.stream(&client).await;
    near.write_all(b"held").await.unwrap();
    let mut read = [0; 4];
    {
        let mut closed = std::pin::pin!(far.closed());
        tokio::select! {
            biased;
            _ = &mut closed => panic!("it is open"),
            () = tokio::task::yield_now() => {}
        }
    }
    far.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"held");
    drop(near);
    assert_eq!(far.closed().await, Closed::Reset);
}

#[tokio::test]
async fn a_holder_notices_a_client_that_finished() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    let (mut near, mut far) = gateway.stream(&client).await;
    near.write_all(b"more to read").await.unwrap();
    near.shutdown().await.unwrap();
    assert_eq!(far.closed().await, Closed::Finished);
    let mut read = Vec::new();
    far.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"more to read");
}

#[tokio::test]
async fn a_copy_counts_what_went_each_way_and_ends_with_both_ends() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    let (near, mut far) = gateway.stream(&client).await;
    let (mut local, mut program) = tokio::io::duplex(1000);
    let counters = Counters::default();
    let copy = async { forward(&mut local, near, &counters).await };
    let talk = async {
        program.write_all(&[1; 5000]).await.unwrap();
        let mut read = [0; 5000];
        far.read_exact(&mut read).await.unwrap();
        far.write_all(&[2; 7000]).await.unwrap();
        far.shutdown().await.unwrap();
        let mut read = Vec::new();
        program.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, vec![2; 7000]);
        drop(program);
        far.read_to_end(&mut Vec::new()).await.unwrap();
    };
    let (copied, ()) = tokio::join!(copy, talk);
    copied.unwrap();
    assert_eq!((counters.sent(), counters.received()), (5000, 7000));
}

#[tokio::test]
async fn a_copy_ends_with_the_gateway_even_when_the_client_keeps_talking() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    let (near, mut far) = gateway.stream(&client).await;
    let (mut local, mut program) = tokio::io::duplex(1000);
    let counters = Counters::default();
    let talk = async {
        far.write_all(b"goodbye").await.unwrap();
        far.shutdown().await.unwrap();
        drop(far);
        let mut read = Vec::new();
        program.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"goodbye");
        while program.write_all(&[0; 100]).await.is_ok() {}
    };
    let copy = async {
        let copied = forward(&mut local, near, &counters).await;
        drop(local);
        copied
    };
    let (copied, ()) = tokio::join!(copy, talk);
    copied.unwrap();
}

#[tokio::test]
async fn a_copy_says_that_a_reset_is_no_end() {
    let mut gateway = Gateway::start().await;
    let client = gateway.client(&Tokens::of("alice")).await.unwrap();
    let (near, far) = gateway.stream(&client).await;
    let (mut local, _program) = tokio::io::duplex(1000);
    drop(far);
    let copied = forward(&mut local, near, &Counters::default()).await;
    assert!(matches!(copied, Err(ForwardError::Remote(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_split_of_bytes_arrives_intact(
        pieces in proptest::collection::vec(1_usize..200_000, 1..12),
        reads in proptest::collection::vec(1_usize..100_000, 1..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut gateway = Gateway::start().await;
            let client = gateway.client(&Tokens::of("alice")).await.unwrap();
            let (mut near, mut far) = gateway.stream(&client).await;
            let said: Vec<u8> = (0..pieces.iter().sum::<usize>()).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let send = async {
                let mut rest = said.as_slice();
                for piece in &pieces {
                    let (now, later) = rest.split_at(*piece);
                    near.write_all(now).await.unwrap();
                    rest = later;
                }
                near.shutdown().await.unwrap();
            };
            let receive = async {
                let mut heard = Vec::new();
                for room in reads.iter().cycle() {
                    let mut buffer = vec![0; *room];
                    let count = far.read(&mut buffer).await.unwrap();
                    heard.extend_from_slice(&buffer[..count]);
                    if count == 0 {
                        break;
                    }
                }
                heard
            };
            let ((), heard) = tokio::join!(send, receive);
            assert!(heard == said, "{} bytes became {}", said.len(), heard.len());
        });
    }
}
