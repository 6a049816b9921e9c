//! Before anybody is believed: a native client stands at the door. Who it is, is judged by a gatekeeper, who knows
//! identities and no SSH; here is that nothing is on record, and nothing opened, before the judgement.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use russh::keys::{Certificate, PublicKey};
use tokio::sync::mpsc;

use super::{Opened, open, server::Room};
use crate::session::{ending::Ending, open::Arrival, stay::Stay};

/// What a client shows to be believed. That it holds the key was proved.
#[derive(Clone, Copy)]
pub enum SshProof<'shown> {
    /// A password.
    Password(&'shown str),
    /// A key with a certificate, whose signature and time were looked at, and nothing else.
    Certificate(&'shown Certificate),
    /// A key that nobody vouches for.
    Key,
}

impl fmt::Debug for SshProof<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Password(_) => "Password",
            Self::Certificate(_) => "Certificate",
            Self::Key => "Key",
        })
    }
}

/// Somebody who is believed and may connect.
#[derive(Debug)]
pub struct SshGuest {
    /// Who came in, to what.
    pub arrival: Arrival,
    /// For how long.
    pub stay: Stay,
}

/// What becomes of who stands at the door.
#[derive(Debug)]
pub enum Judgement {
    /// They come in.
    Believed(Box<SshGuest>),
    /// They are told nothing, whatever is wrong.
    Unbelieved,
    /// They are believed, and have to do something first.
    SentAway(String),
}

/// Judges who stands at the door.
pub trait Gatekeeper: Send + Sync {
    /// Whether somebody could be believed by this key.
    fn knows(&self, key: &PublicKey) -> bool;

    /// Who says this user name and shows this. A failure is counted and logged here.
    fn judge<'shown>(&'shown self, user: &'shown str, proof: SshProof<'shown>) -> BoxFuture<'shown, Judgement>;
}

/// Where a client stands until it is believed.
pub(super) struct Porch {
    keeper: Box<dyn Gatekeeper>,
    inside: mpsc::Sender<(Opened, Stay)>,
}

/// Where a client stands after it has shown something.
pub(super) enum Next {
    Stays,
    Leaves(String),
    Enters(Room),
}

impl Porch {
    /// Who is let in is told of by `inside`.
    pub(super) fn new(keeper: Box<dyn Gatekeeper>, inside: mpsc::Sender<(Opened, Stay)>) -> Self {
        Self { keeper, inside }
    }

    pub(super) fn knows(&self, key: &PublicKey) -> bool {
        self.keeper.knows(key)
    }

    /// Has it judged. Whoever is believed is on record before they hear of it.
    pub(super) async fn show(&self, user: &str, proof: SshProof<'_>) -> Next {
        let SshGuest { arrival, stay } = match self.keeper.judge(user, proof).await {
            Judgement::Believed(guest) => *guest,
            Judgement::Unbelieved => return Next::Stays,
            Judgement::SentAway(message) => return Next::Leaves(message),
        };
        let opened = match Box::pin(open(arrival)).await {
            Ok(opened) => opened,
            Err(message) => return Next::Leaves(message),
        };
        let room = Room::new(Arc::clone(&opened.conversation));
        match self.inside.try_send((opened, stay)) {
            Ok(()) => Next::Enters(room),
            Err(hung_up) => {
                let (opened, _stay) = hung_up.into_inner();
                opened.conversation.end(&Ending::ClientLeft).await;
                Next::Leaves("the login took too long".to_owned())
            }
        }
    }
}
