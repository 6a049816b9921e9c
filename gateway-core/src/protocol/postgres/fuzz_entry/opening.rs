//! The opening of a session: start-up packets, the plan of what goes on to the upstream, and its login.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use secrecy::SecretString;

use super::{
    super::{
        codec::{FrameDecoder, MAX_STARTUP_BYTES, encode_cancel, encode_startup, parse_sasl_initial, parse_startup},
        handshake::{self, Login, Replication},
        message::Startup,
    },
    decode,
};
use crate::model::{ConnectionFacts, ConnectionKind};

/// Whatever a client asks for at start-up, the upstream is asked for the gateway's role and the site's database, once
/// each, in a packet that says nothing else than the plan does; a cancel request is written back byte for byte. What
/// follows the packets is read as the upstream's login.
pub fn handshake(input: &[u8]) {
    let Ok(name) = "pg-prod".parse() else { return };
    let facts =
        ConnectionFacts { name, kind: ConnectionKind::Postgres, labels: BTreeMap::new(), database: "shop".into() };
    let mut buffer = BytesMut::from(input);
    loop {
        let before = buffer.clone();
        match parse_startup(&mut buffer) {
            Ok(Some(Startup::Start(start))) => {
                let Ok(plan) = handshake::plan(&start, &facts, "hoop_app") else { continue };
                let mut packet = BytesMut::new();
                encode_startup(&plan.parameters, &mut packet);
                let fits = packet.len() <= MAX_STARTUP_BYTES;
                let again = parse_startup(&mut packet);
                assert!(!fits || matches!(again, Ok(Some(Startup::Start(_)))), "the plan cannot be written");
                let Ok(Some(Startup::Start(again))) = again else { continue };
                assert!(again.parameters == plan.parameters && packet.is_empty(), "more is said than was planned");
                assert!(again.protocol_options.is_empty(), "an option of the client went on");
                assert_eq!(again.parameter("user"), Some("hoop_app"), "another role");
                assert_eq!(again.parameter("database"), Some("shop"), "another database");
                assert_eq!(again.parameter("client_encoding"), Some("UTF8"), "an encoding that cannot be read");
                assert!(again.parameter("options").is_none());
                let replicates = matches!(again.parameter("replication"), Some("true" | "database"));
                assert_eq!(replicates, plan.replication != Replication::No, "replication that nobody decides on");
            }
            Ok(Some(Startup::Cancel { process_id, key })) => {
                let mut wire = BytesMut::new();
                encode_cancel(process_id, &key, &mut wire);
                assert!(before.starts_with(&wire), "a cancel request is not written back");
            }
            Ok(Some(Startup::Ssl | Startup::Gss)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    let _initial = parse_sasl_initial(&Bytes::copy_from_slice(input)).is_ok();
    let mut login = Login::new("hoop_app".to_owned(), Some(SecretString::from("a password")));
    for frame in decode(FrameDecoder::backend(), &buffer, 16) {
        if login.step(&frame).is_err() {
            return;
        }
    }
}
