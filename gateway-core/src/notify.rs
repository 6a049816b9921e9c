//! Telling people: what happens to requests for approval goes to webhooks, chats and mailboxes.
//!
//! `event`, `plan`, `payload` and `backoff` are pure. The outbox enters what is to be told in the very write that makes
//! a change durable; one courier a receiver delivers it afterwards, again and again, so that a slow or dead receiver
//! holds up nobody. Nothing told holds a statement, a value, a parameter or a reviewer's words.

mod backoff;
mod courier;
mod event;
mod outbox;
mod payload;
mod plan;
mod receiver;

pub use courier::Couriers;
pub use event::{Asked, EventKind, Notice, UnknownEvent, Who};
pub use outbox::Outbox;
pub use plan::{Addressee, Addresses, Filter};
pub use receiver::{Receiver, ReceiverError};
pub(crate) use receiver::{is_loopback, is_safe};
