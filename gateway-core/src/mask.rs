//! Hiding values in flight: masking functions, data classes, and detectors for values that no tag announces.
//!
//! Pure: bytes in, bytes out, in linear time. Knows no policy (which says what is masked and how) and no wire format.
//! Called by `protocol::*::reframe` and by whoever shows or records a value.

mod apply;
mod detect;
mod function;

pub use apply::{mask_hit, mask_value};
pub use detect::{DetectedClass, Detectors, Hit, is_card};
pub use function::{MaskFunction, UnknownMaskFunction};

/// The data classes that `tag` belongs to, nearest first; empty for a tag of the site's own.
pub fn parents(tag: &str) -> &'static [&'static str] {
    match tag {
        "email" | "credit_card" => &["pii"],
        _ => &[],
    }
}
