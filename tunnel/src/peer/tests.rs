//! Who is on the other end of a local socket, asked of the real kernel.

use super::*;
use std::process::Stdio;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

async fn check_on(loopback: &str) -> Option<Result<(), PeerError>> {
    let listener = TcpListener::bind((loopback, 0)).await.ok()?;
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, peer) = listener.accept().await.unwrap();
    Some(same_user(peer, stream.local_addr().unwrap()))
}

#[tokio::test]
async fn passes_our_own_user_on_ipv4() {
    check_on("127.0.0.1").await.unwrap().unwrap();
}

#[tokio::test]
async fn passes_our_own_user_on_ipv6() {
    if let Some(checked) = check_on("::1").await {
        checked.unwrap();
    }
}

#[tokio::test]
async fn passes_an_ipv6_socket_that_talks_ipv4() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let Ok(socket) = tokio::net::TcpSocket::new_v6() else { return };
    let port = listener.local_addr().unwrap().port();
    let Ok(_client) = socket.connect(format!("[::ffff:127.0.0.1]:{port}").parse().unwrap()).await else { return };
    let (stream, peer) = listener.accept().await.unwrap();
    same_user(peer, stream.local_addr().unwrap()).unwrap();
}

#[tokio::test]
async fn refuses_a_user_that_is_not_the_owner() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, peer) = listener.accept().await.unwrap();
    let stranger = nix::unistd::geteuid().as_raw() + 1;
    assert!(matches!(belongs_to(peer, stream.local_addr().unwrap(), stranger), Err(PeerError::OtherUser(_))));
}

#[tokio::test]
async fn refuses_the_wrong_pair_and_a_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = listener.local_addr().unwrap();
    let _client = TcpStream::connect(local).await.unwrap();
    let (_stream, peer) = listener.accept().await.unwrap();
    let elsewhere = SocketAddr::new(local.ip(), local.port() ^ 1);
    assert!(matches!(same_user(peer, elsewhere), Err(PeerError::Gone)));
    let nobody = SocketAddr::new(local.ip(), peer.port() ^ 1);
    assert!(matches!(same_user(local, nobody), Err(PeerError::Gone | PeerError::Nonsense)), "a listener is no peer");
}

#[tokio::test]
async fn refuses_a_socket_that_is_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, peer) = listener.accept().await.unwrap();
    client.set_zero_linger().unwrap();
    drop(client);
    assert!(same_user(peer, stream.local_addr().unwrap()).is_err());
}

#[tokio::test]
async fn refuses_another_user() {
    if !nix::unistd::geteuid().is_root() {
        return; // Only root can become somebody else.
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; read -r line <&3");
    let mut other = Command::new("setpriv");
    other.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "bash", "-c", &script]);
    let Ok(_other) = other.stdin(Stdio::null()).kill_on_drop(true).spawn() else { return };
    let (stream, peer) = listener.accept().await.unwrap();
    let checked = same_user(peer, stream.local_addr().unwrap());
    assert!(matches!(checked, Err(PeerError::OtherUser(65534))), "{checked:?}");
}

#[tokio::test]
async fn the_probe_finds_the_check_that_works_here() {
    assert_eq!(available().await, PeerCheck::SameUser);
}
