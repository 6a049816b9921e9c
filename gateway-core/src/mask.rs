//! Hiding values in flight: masking functions, data classes, and detectors for values that no tag announces.
//!
//! Pure: bytes in, bytes out, in linear time. Knows no policy (which says what is masked and how) and no wire format.
//! Called by `protocol::*::reframe` and by whoever shows or records a value.

mod apply;
mod class;
mod detect;
mod function;
mod keys;
mod stream;

pub use apply::{Mask, mask_hit, mask_value};
pub use class::{CustomClass, DetectedClass};
pub use detect::{CustomDetector, CustomDetectorError, Detectors, Hit, Validator, is_card};
pub use function::{MaskFunction, UnknownMaskFunction};
pub use keys::{MOST_PSEUDONYM_BYTES, MaskKeys, is_pseudonym};
pub use stream::{Overlong, StreamedText};

/// The data classes that `tag` belongs to, nearest first; empty for a tag of the site's own.
pub fn parents(tag: &str) -> &'static [&'static str] {
    match tag {
        "email" | "credit_card" | "us_ssn" | "phone" | "iban" | "ip" => &["pii"],
        "jwt" | "cloud_key" | "private_key" | "generic_secret" => &["secret"],
        _ => &[],
    }
}
