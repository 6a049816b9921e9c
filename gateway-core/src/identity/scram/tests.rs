//! RFC 7677's example, what a client may not do, and that no byte of an exchange can be changed.

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use proptest::prelude::*;

use super::*;

const BINDING: &[u8] = b"the hash of a certificate, as long";

fn parameters() -> ScramParameters {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
    ScramParameters { salt, iterations: NonZeroU32::new(4096).unwrap() }
}

fn verifier(password: &str) -> ScramVerifier {
    ScramVerifier::derive(password, &parameters())
}

#[test]
fn the_example_of_rfc_7677_verifies() {
    let challenge = challenge(
        SCRAM_SHA_256,
        b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        None,
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        &parameters(),
    )
    .unwrap();
    let expected = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    assert_eq!(challenge.message, expected);
    let last = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    let proof = challenge.proof(last).unwrap();
    assert!(proof.fits(&verifier("pencil")));
    assert!(!proof.fits(&verifier("pencil2")));
    assert_eq!(proof.answer(&verifier("pencil")), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

fn first(mechanism: &str, message: &str, binding: Option<&[u8]>) -> Result<ScramChallenge, ScramError> {
    challenge(mechanism, message.as_bytes(), binding, "server", &parameters())
}

#[test]
fn a_client_that_was_told_there_is_no_channel_binding_is_refused() {
    assert_eq!(first(SCRAM_SHA_256, "y,,n=,r=abc", Some(BINDING)).unwrap_err(), ScramError::Downgrade);
    assert!(first(SCRAM_SHA_256, "y,,n=,r=abc", None).is_ok());
    assert!(first(SCRAM_SHA_256, "n,,n=,r=abc", Some(BINDING)).is_ok());
}

#[test]
fn mechanism_flag_and_fields_must_go_together() {
    for (mechanism, message, binding) in [
        (SCRAM_SHA_256_PLUS, "n,,n=,r=abc", Some(BINDING)),
        (SCRAM_SHA_256_PLUS, "y,,n=,r=abc", Some(BINDING)),
        (SCRAM_SHA_256_PLUS, "p=tls-unique,,n=,r=abc", Some(BINDING)),
        (SCRAM_SHA_256_PLUS, "p=tls-server-end-point,,n=,r=abc", None),
        (SCRAM_SHA_256, "p=tls-server-end-point,,n=,r=abc", Some(BINDING)),
        ("SCRAM-SHA-1", "n,,n=,r=abc", None),
        ("", "n,,n=,r=abc", None),
        (SCRAM_SHA_256, "n,a=postgres,n=,r=abc", None),
        (SCRAM_SHA_256, "n,,m=x,n=,r=abc", None),
        (SCRAM_SHA_256, "n,,n=,r=", None),
        (SCRAM_SHA_256, "n,,n=,r=a\u{7f}", None),
        (SCRAM_SHA_256, "n,,r=abc", None),
        (SCRAM_SHA_256, "n,,n=", None),
        (SCRAM_SHA_256, "n", None),
        (SCRAM_SHA_256, "", None),
        (SCRAM_SHA_256, "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln", None),
    ] {
        let refused = first(mechanism, message, binding);
        assert!(matches!(refused, Err(ScramError::Malformed(_))), "{mechanism} {message}: {refused:?}");
    }
    let long = format!("n,,n=,r={}", "a".repeat(MAX_MESSAGE_BYTES));
    assert!(first(SCRAM_SHA_256, &long, None).is_err());
}

#[test]
fn a_final_message_of_another_exchange_or_channel_is_refused() {
    let begin = || first(SCRAM_SHA_256_PLUS, "p=tls-server-end-point,,n=,r=abc", Some(BINDING)).unwrap();
    let bound = STANDARD.encode([b"p=tls-server-end-point,,", BINDING].concat());
    let other = STANDARD.encode([b"p=tls-server-end-point,,".as_slice(), b"another certificate"].concat());
    let proof = STANDARD.encode([7; 32]);
    assert!(begin().proof(format!("c={bound},r=abcserver,p={proof}").as_bytes()).is_ok());
    let refused = |message: String| begin().proof(message.as_bytes()).unwrap_err();
    assert_eq!(refused(format!("c={other},r=abcserver,p={proof}")), ScramError::Binding);
    assert_eq!(refused(format!("c=biws,r=abcserver,p={proof}")), ScramError::Binding);
    for message in [
        format!("c={bound},r=abcother,p={proof}"),
        format!("c={bound},r=abc,p={proof}"),
        format!("c={bound},p={proof}"),
        format!("c={bound},r=abcserver,p=AAAA"),
        format!("c={bound},r=abcserver,p=!"),
        format!("c={bound},r=abcserver"),
        format!("r=abcserver,c={bound},p={proof}"),
    ] {
        assert!(matches!(refused(message.clone()), ScramError::Malformed(_)), "{message}");
    }
}

/// An exchange with the client of another implementation: its two messages, and what the server makes of them.
fn exchange(password: &str, tamper: impl Fn(usize, &mut Vec<u8>)) -> Result<bool, ScramError> {
    let mut client = ScramSha256::new(password.as_bytes(), ChannelBinding::tls_server_end_point(BINDING.to_vec()));
    let mut message = client.message().to_vec();
    tamper(0, &mut message);
    let challenge = challenge(SCRAM_SHA_256_PLUS, &message, Some(BINDING), "server", &parameters())?;
    client.update(challenge.message.as_bytes()).map_err(|_refused| ScramError::Malformed("the client refuses"))?;
    let mut message = client.message().to_vec();
    tamper(1, &mut message);
    let proof = challenge.proof(&message)?;
    let verifier = verifier("hoop_secret");
    let fits = proof.fits(&verifier);
    Ok(fits && client.finish(proof.answer(&verifier).as_bytes()).is_ok())
}

#[test]
fn another_implementation_s_client_gets_in_with_the_password_only() {
    assert_eq!(exchange("hoop_secret", |_, _| {}), Ok(true));
    assert_eq!(exchange("hoop_secres", |_, _| {}), Ok(false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_byte_of_an_exchange_can_be_changed(which in 0_usize..2, place in any::<prop::sample::Index>(), mask in 1_u8..128) {
        let changed = exchange("hoop_secret", |message, bytes| {
            if message == which {
                let place = place.index(bytes.len());
                bytes[place] ^= mask;
            }
        });
        prop_assert_ne!(changed, Ok(true));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(first in prop::collection::vec(any::<u8>(), 0..80), last in prop::collection::vec(any::<u8>(), 0..80)) {
        for mechanism in [SCRAM_SHA_256, SCRAM_SHA_256_PLUS] {
            drop(challenge(mechanism, &first, Some(BINDING), "server", &parameters()));
        }
        let begun = challenge(SCRAM_SHA_256, b"n,,n=,r=abc", Some(BINDING), "server", &parameters()).unwrap();
        if let Ok(proof) = begun.proof(&last) {
            prop_assert!(!proof.fits(&verifier("x")));
        }
    }
}
