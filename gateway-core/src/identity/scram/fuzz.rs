//! What the `scram` fuzz target runs: whatever a client says, it is refused, or its proof is of another password.

use std::num::NonZeroU32;

use super::{MAX_MESSAGE_BYTES, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramParameters, ScramVerifier, challenge};

const SERVER_NONCE: &str = "servers-own-part";

/// The first byte says what was offered; a newline ends the first message, the rest is the second. The answer holds the
/// server's part of the nonce and no byte that would end the message or the field.
pub(crate) fn fuzz(input: &[u8]) {
    let Some((offer, messages)) = input.split_first() else { return };
    let mechanism = if offer % 2 == 0 { SCRAM_SHA_256 } else { SCRAM_SHA_256_PLUS };
    let binding: Option<&[u8]> = (offer & 2 != 0).then_some(&[7; 32]);
    let end = messages.iter().position(|byte| *byte == b'\n').unwrap_or(messages.len());
    let (first, second) = messages.split_at(end);
    let parameters = ScramParameters { salt: [3; 16], iterations: NonZeroU32::MIN };
    let Ok(answered) = challenge(mechanism, first, binding, SERVER_NONCE, &parameters) else { return };
    assert!(first.len() <= MAX_MESSAGE_BYTES && answered.message.len() < 2 * MAX_MESSAGE_BYTES, "no bound");
    assert_eq!(answered.message.matches(',').count(), 2, "the client wrote a field of the server's");
    assert!(answered.message.contains(SERVER_NONCE) && !answered.message.contains('\0'));
    let Ok(proof) = answered.proof(second.get(1..).unwrap_or_default()) else { return };
    // The exchange of a real client with this password may stand in the corpus; no other fits.
    let verifier = ScramVerifier::unmatchable([0; 32]);
    assert!(!proof.fits(&verifier), "a proof of a password that nobody has");
}
