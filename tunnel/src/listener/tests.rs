//! What the local listener promises: which port it gets, and whom it lets in.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn takes_the_next_port_when_the_wanted_one_is_taken() {
    let first = LocalListener::tcp(Port::Exactly(0)).await.unwrap();
    let Bound::Tcp { port: taken, .. } = first.bound() else { panic!("not tcp") };
    let second = LocalListener::tcp(Port::From(taken)).await.unwrap();
    let Bound::Tcp { port, .. } = second.bound() else { panic!("not tcp") };
    assert_ne!(port, taken);
}

#[tokio::test]
async fn says_that_an_exact_port_is_taken() {
    let first = LocalListener::tcp(Port::Exactly(0)).await.unwrap();
    let Bound::Tcp { port, .. } = first.bound() else { panic!("not tcp") };
    assert!(matches!(LocalListener::tcp(Port::Exactly(port)).await, Err(ListenError::Taken(taken)) if taken == port));
}

#[tokio::test]
async fn accepts_on_ipv4_and_where_it_says_so_on_ipv6() {
    let listener = LocalListener::tcp(Port::Exactly(0)).await.unwrap();
    let Bound::Tcp { port, both } = listener.bound() else { panic!("not tcp") };
    let _client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    assert!(listener.accept().await.unwrap().client().starts_with("127.0.0.1:"));
    if both {
        let _client = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.unwrap();
        assert!(listener.accept().await.unwrap().client().starts_with("[::1]:"));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_private_and_goes_away_with_its_listener() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("private").join(".s.PGSQL.5432");
    let listener = LocalListener::unix(path.clone()).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    let mut client = UnixStream::connect(&path).await.unwrap();
    let mut accepted = listener.accept().await.unwrap();
    accepted.check_same_user().unwrap();
    client.write_all(b"hello").await.unwrap();
    let mut read = [0; 5];
    accepted.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"hello");
    drop(listener);
    assert!(!path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn refuses_a_directory_that_others_can_enter() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(LocalListener::unix(place.path().join("socket")).await, Err(ListenError::Socket(..))));
}

#[cfg(unix)]
#[tokio::test]
async fn replaces_a_dead_socket_but_not_a_living_one() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("private").join("socket");
    let alive = LocalListener::unix(path.clone()).await.unwrap();
    assert!(matches!(LocalListener::unix(path.clone()).await, Err(ListenError::Alive(_))));
    drop(alive);
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    LocalListener::unix(path).await.unwrap();
}
