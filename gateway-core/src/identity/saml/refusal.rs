//! Why a login at the SAML provider is not believed, in words for the gateway's log: never a value of the message.

use saml_rs::SamlError;

/// A reason that holds nothing of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(pub(super) &'static str);

impl From<SamlError> for Refusal {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's list is open; what it adds is refused as well")]
    fn from(error: SamlError) -> Self {
        Self(match error {
            SamlError::Xml(_) | SamlError::Base64(_) | SamlError::Deflate(_) => "it is not well-formed",
            SamlError::Invalid(_) => "it breaks a limit, or lacks something that is needed",
            SamlError::ProtocolProfile(_) => "it is not of the profile that SAML 2.0 lays down",
            SamlError::IssuerMismatch { .. } | SamlError::UnmatchIssuer => "another provider made it",
            SamlError::DestinationMismatch { .. } | SamlError::UnmatchDestination => "it is meant for another address",
            SamlError::InResponseToMismatch { .. } | SamlError::InvalidInResponseTo => "it answers another request",
            SamlError::RelayStateMismatch { .. } => "it came back with another RelayState",
            SamlError::AudienceMismatch { .. } | SamlError::UnmatchAudience => "it is meant for another audience",
            SamlError::UnrecognizedCondition { .. } => "it sets a condition that is not understood",
            SamlError::PrincipalMismatch => "its assertions speak of several people",
            SamlError::StatusNotSuccess { .. } | SamlError::UndefinedStatus | SamlError::FailedStatus { .. } => {
                "the provider says that the login failed"
            }
            SamlError::TimeWindowInvalid { .. } | SamlError::ExpiredSession => {
                "it is not valid now; compare the clocks of gateway and provider"
            }
            SamlError::SubjectConfirmationInvalid { .. } | SamlError::SubjectUnconfirmed => {
                "its subject is not confirmed: recipient, request or time are not ours"
            }
            SamlError::ReplayDetected { .. } => "it was used before",
            SamlError::SignatureMissing => "it is not signed",
            SamlError::SignatureVerification { .. }
            | SamlError::FailedMessageSignatureVerification
            | SamlError::FailedToVerifySignature => "its signature does not verify",
            SamlError::ReferenceResolution { .. } => "its signature refers to something else",
            SamlError::SignedReferenceMismatch => "what is signed is not what would be used",
            SamlError::AssertionSignatureRequired => "the assertion itself is not signed",
            SamlError::AlgorithmUnsupported => "it is signed with an algorithm that is not accepted",
            SamlError::NoTrustedCertificate => "no certificate of the provider can be used",
            SamlError::CertificateMismatch | SamlError::UnmatchCertificate => {
                "it carries another certificate than the provider's"
            }
            SamlError::PotentialWrappingAttack => "it has the shape of a signature wrapping attack",
            SamlError::Crypto(_) | SamlError::MissingKey(_) => "it cannot be decrypted or verified",
            _ => "it is of a kind that is not accepted",
        })
    }
}
