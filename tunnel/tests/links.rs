//! Both ends of a link over real TLS on loopback: streams, windows, tokens, and what happens when either side goes away.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails by panicking")]

mod links {
    pub(crate) mod bytes;
    pub(crate) mod gateway;
    pub(crate) mod identity;
    pub(crate) mod loss;
    pub(crate) mod windows;
}
