//! (owner writes this header)

mod function;

pub use function::{MaskFunction, UnknownMaskFunction};
