//! The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: verifiers, and the two messages each way. Pure: nonce,
//! salt and the channel's binding are passed in.
//!
//! SPEC: RFC 5802, RFC 7677, RFC 5929 (tls-server-end-point). Stricter where PostgreSQL is: no authorization identity, no
//! mandatory extensions, and a client that could bind the channel but was told otherwise is refused.

mod fuzz;

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::{Engine as _, engine::general_purpose::STANDARD};
pub(crate) use fuzz::fuzz;

/// The mechanism without channel binding.
pub const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
/// The mechanism with channel binding.
pub const SCRAM_SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";
/// The longest message of a client. A server's own limit is far higher, and no client needs it.
pub const MAX_MESSAGE_BYTES: usize = 4096;

const KEY_BYTES: usize = digest::SHA256_OUTPUT_LEN;
const BINDING_TYPE: &str = "tls-server-end-point";

/// Why an exchange failed. Holds nothing of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// A message is not what the mechanism prescribes.
    #[error("the client's SCRAM message is malformed: {0}")]
    Malformed(&'static str),
    /// Somebody between took the mechanism with channel binding out of the offer.
    #[error(
        "the client supports SCRAM channel binding but thinks the server does not, though it does: somebody may be in between"
    )]
    Downgrade,
    /// The binding is of another channel.
    #[error("the SCRAM channel binding does not match: the client's TLS does not end here")]
    Binding,
}

/// What turns a password into a verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScramParameters {
    /// The salt.
    pub salt: [u8; 16],
    /// How often the hash is iterated.
    pub iterations: NonZeroU32,
}

/// What is kept of a password: enough to check a proof of it, not enough to make one.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramVerifier {
    stored_key: [u8; KEY_BYTES],
    server_key: [u8; KEY_BYTES],
}

impl std::fmt::Debug for ScramVerifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ScramVerifier(…)")
    }
}

impl ScramVerifier {
    /// Derives it. The password must be ASCII, which SASLprep leaves as it is.
    pub fn derive(password: &str, parameters: &ScramParameters) -> Self {
        let mut salted = zeroize::Zeroizing::new([0_u8; KEY_BYTES]);
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(algorithm, parameters.iterations, &parameters.salt, password.as_bytes(), salted.as_mut());
        let client_key = zeroize::Zeroizing::new(mac(salted.as_ref(), b"Client Key"));
        Self { stored_key: hash(client_key.as_ref()), server_key: mac(salted.as_ref(), b"Server Key") }
    }

    /// Whether both are of one password, with the same parameters.
    pub fn is(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.stored_key, &other.stored_key).is_ok()
    }

    /// One that no proof fits, unless somebody finds a preimage: what is checked in place of a password that is not there.
    pub const fn unmatchable(stored_key: [u8; KEY_BYTES]) -> Self {
        Self { stored_key, server_key: [0; KEY_BYTES] }
    }
}

/// The first exchange, answered.
#[derive(Debug)]
pub struct ScramChallenge {
    /// What to send.
    pub message: String,
    first_bare: String,
    nonce: String,
    binding_input: Vec<u8>,
}

/// A client's claim to know a password, to be checked against verifiers.
#[derive(Debug)]
pub struct ScramProof {
    auth_message: Vec<u8>,
    proof: [u8; KEY_BYTES],
}

/// Answers client-first-message. `binding` is the hash of the certificate where the mechanism with channel binding was
/// offered; `server_nonce` is printable ASCII without a comma.
pub fn challenge(
    mechanism: &str,
    message: &[u8],
    binding: Option<&[u8]>,
    server_nonce: &str,
    parameters: &ScramParameters,
) -> Result<ScramChallenge, ScramError> {
    let malformed = ScramError::Malformed;
    let message = text(message)?;
    let (flag, rest) = message.split_once(',').ok_or(malformed("it has no GS2 header"))?;
    let (authorization, first_bare) = rest.split_once(',').ok_or(malformed("its GS2 header does not end"))?;
    let mut binding_input = format!("{flag},{authorization},").into_bytes();
    match (mechanism, flag, binding) {
        (SCRAM_SHA_256, "n", _) | (SCRAM_SHA_256, "y", None) => {}
        (SCRAM_SHA_256, "y", Some(_)) => return Err(ScramError::Downgrade),
        (SCRAM_SHA_256_PLUS, flag, Some(binding)) => {
            let kind = flag.strip_prefix("p=").ok_or(malformed("it was to bind the channel, and does not"))?;
            if kind != BINDING_TYPE {
                return Err(malformed("it names another channel binding than tls-server-end-point"));
            }
            binding_input.extend_from_slice(binding);
        }
        _ => return Err(malformed("mechanism and channel binding flag do not go together")),
    }
    if !authorization.is_empty() {
        return Err(malformed("it asks for an authorization identity"));
    }
    let mut attributes = first_bare.split(',');
    // The user is the one of the start-up message; libpq leaves this one empty.
    attributes.next().and_then(|user| user.strip_prefix("n=")).ok_or(malformed("it has no user name field"))?;
    let nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r=")).ok_or(malformed("it has no nonce"))?;
    if nonce.is_empty() || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed("its nonce is not printable"));
    }
    let nonce = format!("{nonce}{server_nonce}");
    let message = format!("r={nonce},s={},i={}", STANDARD.encode(parameters.salt), parameters.iterations);
    Ok(ScramChallenge { message, first_bare: first_bare.to_owned(), nonce, binding_input })
}

impl ScramChallenge {
    /// Reads client-final-message: the binding and the nonce must be this exchange's.
    pub fn proof(self, message: &[u8]) -> Result<ScramProof, ScramError> {
        let malformed = ScramError::Malformed;
        let message = text(message)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(malformed("it has no proof"))?;
        let mut attributes = without_proof.split(',');
        let binding =
            attributes.next().and_then(|field| field.strip_prefix("c=")).ok_or(malformed("it has no binding"))?;
        let binding = STANDARD.decode(binding).map_err(|_invalid| malformed("its binding is not base64"))?;
        if constant_time::verify_slices_are_equal(&binding, &self.binding_input).is_err() {
            return Err(ScramError::Binding);
        }
        let nonce = attributes.next().and_then(|field| field.strip_prefix("r=")).ok_or(malformed("it has no nonce"))?;
        if constant_time::verify_slices_are_equal(nonce.as_bytes(), self.nonce.as_bytes()).is_err() {
            return Err(malformed("its nonce is of another exchange"));
        }
        let proof = STANDARD.decode(proof).map_err(|_invalid| malformed("its proof is not base64"))?;
        let proof = proof.try_into().map_err(|_length| malformed("its proof has a wrong length"))?;
        let auth_message = format!("{},{},{without_proof}", self.first_bare, self.message).into_bytes();
        Ok(ScramProof { auth_message, proof })
    }
}

impl ScramProof {
    /// Whether the client knows the password behind this verifier.
    pub fn fits(&self, verifier: &ScramVerifier) -> bool {
        let signature = mac(&verifier.stored_key, &self.auth_message);
        let mut client_key = self.proof;
        client_key.iter_mut().zip(signature).for_each(|(byte, mask)| *byte ^= mask);
        constant_time::verify_slices_are_equal(&hash(&client_key), &verifier.stored_key).is_ok()
    }

    /// server-final-message: the proof to the client that this server holds the verifier.
    pub fn answer(&self, verifier: &ScramVerifier) -> String {
        format!("v={}", STANDARD.encode(mac(&verifier.server_key, &self.auth_message)))
    }
}

fn text(message: &[u8]) -> Result<&str, ScramError> {
    if message.len() > MAX_MESSAGE_BYTES {
        return Err(ScramError::Malformed("it is too long"));
    }
    let text = std::str::from_utf8(message).map_err(|_invalid| ScramError::Malformed("it is not UTF-8"))?;
    if text.contains('\0') { Err(ScramError::Malformed("it holds a NUL")) } else { Ok(text) }
}

fn mac(key: &[u8], message: &[u8]) -> [u8; KEY_BYTES] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    copied(tag.as_ref())
}

fn hash(message: &[u8]) -> [u8; KEY_BYTES] {
    copied(digest::digest(&digest::SHA256, message).as_ref())
}

/// INVARIANT: SHA-256 and its HMAC have 32 bytes.
fn copied(bytes: &[u8]) -> [u8; KEY_BYTES] {
    let mut copy = [0; KEY_BYTES];
    copy.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    copy
}

#[cfg(test)]
mod tests;
