//! (owner writes this header)

mod grant;

pub use grant::Grant;
