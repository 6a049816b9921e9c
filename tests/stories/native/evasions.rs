//! What an attacker tries at a native listener, byte by byte: before TLS, in SCRAM, with other people's keys.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use super::{
    super::harness::{PATIENCE, Tls, tls_over},
    Stage, stage,
};

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 0xD2, 0x16, 0x2F];
const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 0xD2, 0x16, 0x30];

fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = vec![0, 3, 0, 0];
    for (name, value) in parameters {
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    let mut packet = u32::try_from(body.len() + 4).expect("short").to_be_bytes().to_vec();
    packet.extend(body);
    packet
}

fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![tag];
    frame.extend(u32::try_from(body.len() + 4).expect("short").to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

fn sasl(mechanism: &str, message: &[u8]) -> Vec<u8> {
    let mut body = format!("{mechanism}\0").into_bytes();
    body.extend(u32::try_from(message.len()).expect("short").to_be_bytes());
    body.extend_from_slice(message);
    frame(b'p', &body)
}

impl Stage {
    fn socket(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream
    }

    fn tls_over(&self, socket: TcpStream, protocols: &[&str]) -> Tls {
        tls_over(socket, std::path::Path::new(&self.authority()), protocols)
    }

    /// TLS after `SSLRequest`.
    fn tls(&self) -> Tls {
        let mut socket = self.socket();
        socket.write_all(&SSL_REQUEST).expect("written");
        let mut answer = [0];
        socket.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"S");
        self.tls_over(socket, &[])
    }

    /// Starts up as alice and reads what is offered.
    fn offered(&self) -> (Tls, String) {
        let mut tls = self.tls();
        tls.write_all(&startup(&[("user", "alice"), ("database", "pg-prod")])).expect("written");
        let offer = message(&mut tls);
        (tls, offer)
    }

    /// Answers the offer with these two messages; what comes after the last of them.
    fn exchange(&self, first: &[u8], last: impl FnOnce(&str) -> Vec<u8>) -> String {
        let (mut tls, offer) = self.offered();
        assert!(offer.contains("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"), "{offer:?}");
        tls.write_all(first).expect("written");
        let challenge = message(&mut tls);
        if challenge.starts_with('E') {
            return challenge;
        }
        let nonce = challenge.split("r=").nth(1).and_then(|rest| rest.split(',').next()).expect("a nonce").to_owned();
        tls.write_all(&last(&nonce)).expect("written");
        message(&mut tls)
    }
}

/// The next message, as its tag and text.
fn message(stream: &mut impl std::io::Read) -> String {
    let mut header = [0; 5];
    stream.read_exact(&mut header).expect("a message");
    let [tag, length @ ..] = header;
    let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut body).expect("its body");
    format!("{}{}", char::from(tag), String::from_utf8_lossy(&body))
}

/// Whatever still comes until the end, which must come.
fn rest(stream: &mut impl std::io::Read) -> Vec<u8> {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "it was not closed"),
    }
    rest
}

#[test]
fn bytes_that_come_before_tls_are_refused_and_never_believed() {
    let stage = stage();
    let smuggled = startup(&[("user", "alice"), ("database", "pg-prod")]);
    for request in [SSL_REQUEST, GSS_REQUEST] {
        let mut socket = stage.socket();
        socket.write_all(&[request.as_slice(), &smuggled].concat()).expect("written");
        let answer = rest(&mut socket);
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with('E') && text.contains("came in plaintext before"), "{text:?}");
    }
    let mut socket = stage.socket();
    socket.write_all(&smuggled).expect("written");
    let answer = message(&mut socket);
    assert!(answer.starts_with('E') && answer.contains("without TLS"), "{answer:?}");
}

#[test]
fn gssapi_is_declined_and_tls_goes_on() {
    let stage = stage();
    let mut socket = stage.socket();
    socket.write_all(&GSS_REQUEST).expect("written");
    let mut answer = [0];
    socket.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"N");
    socket.write_all(&SSL_REQUEST).expect("written");
    socket.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"S");
    let mut tls = stage.tls_over(socket, &["postgresql"]);
    tls.write_all(&startup(&[("user", "alice")])).expect("written");
    assert!(message(&mut tls).starts_with('R'));
}

#[test]
fn direct_tls_must_name_its_protocol() {
    let stage = stage();
    let opening = startup(&[("user", "alice"), ("database", "pg-prod")]);
    let mut named = stage.tls_over(stage.socket(), &["postgresql"]);
    named.write_all(&opening).expect("written");
    assert!(message(&mut named).starts_with('R'));
    for protocols in [&[][..], &["http/1.1"], &["h2"]] {
        let mut unnamed = stage.tls_over(stage.socket(), protocols);
        drop(unnamed.write_all(&opening));
        assert!(rest(&mut unnamed).is_empty(), "{protocols:?}");
    }
}

#[test]
fn a_client_that_asks_for_more_than_there_is_is_told_what_it_gets() {
    let stage = stage();
    let mut tls = stage.tls();
    let mut opening = startup(&[("user", "alice"), ("database", "pg-prod"), ("_pq_.unheard_of", "1")]);
    opening[6..8].copy_from_slice(&9999_u16.to_be_bytes());
    tls.write_all(&opening).expect("written");
    let answer = message(&mut tls);
    assert_eq!(answer.as_bytes(), b"v\0\x03\0\x02\0\0\0\x01_pq_.unheard_of\0", "{answer:?}");
    assert!(message(&mut tls).contains("SCRAM-SHA-256"), "and the login goes on");
}

#[test]
fn a_login_that_is_tampered_with_fails() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let stage = stage();
    let proof = STANDARD.encode([7; 32]);
    let plus = sasl("SCRAM-SHA-256-PLUS", b"p=tls-server-end-point,,n=,r=abc");
    let plain = sasl("SCRAM-SHA-256", b"n,,n=,r=abc");
    let binding = STANDARD.encode(b"p=tls-server-end-point,,the hash of another certificate");
    let of_another_channel =
        stage.exchange(&plus, |nonce| frame(b'p', format!("c={binding},r={nonce},p={proof}").as_bytes()));
    assert!(of_another_channel.contains("28P01"), "{of_another_channel:?}");
    let without = stage.exchange(&plus, |nonce| frame(b'p', format!("c=biws,r={nonce},p={proof}").as_bytes()));
    assert!(without.contains("28P01"), "{without:?}");
    let guessed = stage.exchange(&plain, |nonce| frame(b'p', format!("c=biws,r={nonce},p={proof}").as_bytes()));
    assert!(guessed.contains("28P01"), "{guessed:?}");
    let replayed = stage.exchange(&plain, |_| frame(b'p', format!("c=biws,r=abcOLD,p={proof}").as_bytes()));
    assert!(replayed.contains("08P01") && replayed.contains("another exchange"), "{replayed:?}");
    let downgraded = stage.exchange(&sasl("SCRAM-SHA-256", b"y,,n=,r=abc"), |_| Vec::new());
    assert!(downgraded.contains("08P01") && downgraded.contains("somebody may be in between"), "{downgraded:?}");
    let jwt = Stage::jwt(&stage.alice);
    let by_scram = stage.exchange(&sasl("SCRAM-SHA-256", jwt.as_bytes()), |_| Vec::new());
    assert!(by_scram.contains("08P01") && !by_scram.contains(&jwt), "{by_scram:?}");
    let as_mechanism = stage.exchange(&frame(b'p', format!("{jwt}\0").as_bytes()), |_| Vec::new());
    assert!(as_mechanism.contains("08P01") && !as_mechanism.contains(&jwt), "{as_mechanism:?}");
    let as_identity = stage.exchange(&sasl("SCRAM-SHA-256", b"n,a=bob,n=,r=abc"), |_| Vec::new());
    assert!(as_identity.contains("08P01"), "{as_identity:?}");
}

#[test]
fn an_oversize_or_foreign_answer_to_the_login_is_refused() {
    let stage = stage();
    let long = vec![b'a'; 5000];
    let huge = [b"p".as_slice(), &0x7FFF_FFFF_u32.to_be_bytes()].concat();
    for answer in [
        sasl("SCRAM-SHA-256", &[b"n,,n=,r=".as_slice(), &long].concat()),
        huge,
        frame(b'Q', b"select 1\0"),
        sasl("SCRAM-SHA-256", b""),
        frame(b'p', b"SCRAM-SHA-256\0\xFF\xFF\xFF\xFF"),
        frame(b'p', b"SCRAM-SHA-256\0\0\0\xFF\xFFn,,"),
    ] {
        let (mut tls, _) = stage.offered();
        tls.write_all(&answer).expect("written");
        let reply = message(&mut tls);
        assert!(reply.starts_with('E') && reply.contains("08P01"), "{reply:?}");
        assert!(rest(&mut tls).is_empty());
    }
}

#[test]
fn a_stranger_is_asked_as_a_user_is() {
    let stage = stage();
    let _live = stage.token();
    let ask = |user: &str| {
        let mut tls = stage.tls();
        tls.write_all(&startup(&[("user", user), ("database", "pg-prod")])).expect("written");
        assert!(message(&mut tls).contains("SCRAM-SHA-256"));
        tls.write_all(&sasl("SCRAM-SHA-256", b"n,,n=,r=abc")).expect("written");
        let challenge = message(&mut tls);
        challenge.split(",s=").nth(1).expect("a salt").to_owned()
    };
    assert_eq!(ask("alice"), ask("alice"));
    assert_eq!(ask("mallory"), ask("mallory"));
    assert_ne!(ask("mallory"), ask("alice"));
    assert_eq!(ask("mallory").len(), ask("alice").len());
}

#[test]
fn an_address_that_guesses_has_to_wait() {
    let stage = stage();
    let token = stage.token();
    let guess = super::Token { conninfo: token.conninfo.clone(), password: "hoop_guessed".to_owned() };
    let mut refused = String::new();
    for _ in 0..25 {
        refused = guess.run("select 1").errors;
        if refused.contains("too many logins from this address failed") {
            break;
        }
        assert!(refused.contains("authentication failed"), "{refused}");
    }
    assert!(refused.contains("too many logins"), "{refused}");
    let known = token.run("select 1");
    assert!(known.errors.contains("too many logins"), "who knows a password waits too: {known:?}");
}

#[test]
fn a_cancel_with_another_key_does_nothing() {
    let stage = stage();
    let mut running = stage.token().start();
    running.write("select pg_backend_pid() > 0;\nselect 'guarded', pg_sleep(2), 'done';\n");
    stage.database.cluster().logged("select 'guarded', pg_sleep(2), 'done'");
    for key in [&[0_u8; 4][..], &[0; 32], &[0; 256]] {
        let mut cancel = (12 + u32::try_from(key.len()).expect("short")).to_be_bytes().to_vec();
        cancel.extend([4, 0xD2, 0x16, 0x2E, 0, 0, 0, 1]);
        cancel.extend_from_slice(key);
        let mut socket = stage.socket();
        socket.write_all(&cancel).expect("written");
        assert!(rest(&mut socket).is_empty());
    }
    running.close_input();
    assert!(running.finish().success().contains("done"));
}
