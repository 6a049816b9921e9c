//! What a PostgreSQL conversation is in the middle of: prepared statements, portals, and which reply is due next.
//!
//! Pure bookkeeping, no IO. A change that the server has not yet confirmed is undone when the server fails or skips
//! it, and a name that an unanswered earlier batch may have changed is not used until that batch is answered: what we
//! believe a name means is what the server will run.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    model::OperationNumber,
    protocol::postgres::{inspect::Understood, message::Text},
};

/// A prepared statement as the server knows it.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) understood: Arc<Understood>,
    pub(super) number: OperationNumber,
    pub(super) parameter_types: Arc<[u32]>,
    batch: u64,
    confirmed: bool,
}

/// A portal as the server knows it.
#[derive(Debug, Clone)]
pub(super) struct Portal {
    pub(super) number: OperationNumber,
    batch: u64,
}

/// What a reply, when it comes, belongs to.
#[derive(Debug)]
pub(super) enum Expect {
    Query {
        number: OperationNumber,
    },
    Parse {
        number: OperationNumber,
        name: Text,
        previous: Option<Prepared>,
    },
    Bind {
        number: OperationNumber,
        portal: Text,
        previous: Option<Portal>,
    },
    DescribeStatement,
    DescribePortal {
        number: OperationNumber,
        own: bool,
    },
    Execute {
        number: OperationNumber,
    },
    CloseStatement {
        name: Text,
        previous: Option<Prepared>,
    },
    ClosePortal {
        name: Text,
        previous: Option<Portal>,
    },
    Sync,
    /// A message of ours that fails in place of a refused one; `answer` replaces the server's error.
    Fault {
        answer: Bytes,
        query: bool,
    },
}

impl Expect {
    fn ends_batch(&self) -> bool {
        matches!(self, Self::Query { .. } | Self::Sync | Self::Fault { query: true, .. })
    }

    /// The operation that the reply is about.
    pub(super) fn number(&self) -> Option<OperationNumber> {
        match self {
            Self::Query { number }
            | Self::Parse { number, .. }
            | Self::Bind { number, .. }
            | Self::DescribePortal { number, .. }
            | Self::Execute { number } => Some(*number),
            Self::DescribeStatement
            | Self::CloseStatement { .. }
            | Self::ClosePortal { .. }
            | Self::Sync
            | Self::Fault { .. } => None,
        }
    }
}

/// Where COPY … FROM STDIN stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CopyIn {
    /// None is under way.
    Idle,
    /// A statement that will ask for data was sent; nothing else is read from the client until it answers.
    Awaited,
    /// The server takes data for this operation.
    Active(OperationNumber),
}

/// Whether a name may be used now.
#[derive(Debug)]
pub(super) enum Lookup<T> {
    /// It means this.
    Known(T),
    /// No such name.
    Absent,
    /// An unanswered earlier batch may have changed it: wait.
    Unsettled,
}

/// What ended with a ReadyForQuery or an error: operations that the server will not speak of again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    /// The server skipped them because an earlier message of the batch failed.
    pub(super) skipped: Vec<OperationNumber>,
    /// Their portal is gone.
    pub(super) dropped: Vec<OperationNumber>,
}

/// The bookkeeping of one session.
#[derive(Debug)]
pub(super) struct Conversation {
    statements: HashMap<Text, Prepared>,
    portals: HashMap<Text, Portal>,
    expected: VecDeque<Expect>,
    batch: u64,
    /// Client messages are swallowed until Sync, as the server would.
    pub(super) skipping: bool,
    /// The status of the last ReadyForQuery: `I`, `T` or `E`.
    pub(super) status: u8,
    pub(super) copy_in: CopyIn,
}

impl Conversation {
    pub(super) fn new() -> Self {
        Self {
            statements: HashMap::new(),
            portals: HashMap::new(),
            expected: VecDeque::new(),
            batch: 0,
            skipping: false,
            status: b'I',
            copy_in: CopyIn::Idle,
        }
    }

    /// Whether every message that was sent is answered.
    pub(super) fn is_settled(&self) -> bool {
        self.expected.is_empty()
    }

    /// What the next reply belongs to.
    pub(super) fn front(&self) -> Option<&Expect> {
        self.expected.front()
    }

    /// Takes the expectation that the reply just met.
    pub(super) fn pop(&mut self) -> Option<Expect> {
        self.expected.pop_front()
    }

    /// Whether the operation still has a reply to come, or an open portal.
    pub(super) fn concerns(&self, number: OperationNumber) -> bool {
        self.expected.iter().any(|expect| expect.number() == Some(number))
            || self.portals.values().any(|portal| portal.number == number)
    }

    /// A simple query was sent: it drops the unnamed statement and portal, and ends a batch.
    pub(super) fn sent_query(&mut self, number: OperationNumber) {
        self.statements.remove(&Text::default());
        self.portals.remove(&Text::default());
        self.expected.push_back(Expect::Query { number });
        self.batch += 1;
    }

    /// A Parse was sent. Where the name was taken, the server either fails it or knows that SQL freed the name.
    pub(super) fn sent_parse(
        &mut self,
        number: OperationNumber,
        name: Text,
        understood: Arc<Understood>,
        parameter_types: Arc<[u32]>,
    ) {
        let prepared = Prepared { understood, number, parameter_types, batch: self.batch, confirmed: false };
        let previous = self.statements.insert(name.clone(), prepared);
        self.expected.push_back(Expect::Parse { number, name, previous });
    }

    /// A Bind was sent.
    pub(super) fn sent_bind(&mut self, number: OperationNumber, portal: Text) {
        let previous = self.portals.insert(portal.clone(), Portal { number, batch: self.batch });
        self.expected.push_back(Expect::Bind { number, portal, previous });
    }

    /// Something without names of its own was sent.
    pub(super) fn sent(&mut self, expect: Expect) {
        let ends_batch = expect.ends_batch();
        self.expected.push_back(expect);
        if ends_batch {
            self.batch += 1;
        }
    }

    /// A Close of a statement was sent.
    pub(super) fn sent_close_statement(&mut self, name: Text) {
        let previous = self.statements.remove(&name);
        self.expected.push_back(Expect::CloseStatement { name, previous });
    }

    /// A Close of a portal was sent.
    pub(super) fn sent_close_portal(&mut self, name: Text) {
        let previous = self.portals.remove(&name);
        self.expected.push_back(Expect::ClosePortal { name, previous });
    }

    /// What a statement name means to the server now.
    pub(super) fn statement(&self, name: &Text) -> Lookup<&Prepared> {
        if self.is_changed_before_this_batch(name, true) {
            return Lookup::Unsettled;
        }
        match self.statements.get(name) {
            // INVARIANT: with nothing unanswered, every Parse that was not undone stands.
            Some(prepared) if prepared.confirmed || prepared.batch == self.batch || self.is_settled() => {
                Lookup::Known(prepared)
            }
            Some(_) => Lookup::Unsettled,
            None => Lookup::Absent,
        }
    }

    /// What a portal name means to the server now.
    pub(super) fn portal(&self, name: &Text) -> Lookup<&Portal> {
        if self.is_changed_before_this_batch(name, false) {
            return Lookup::Unsettled;
        }
        self.portals.get(name).map_or(Lookup::Absent, Lookup::Known)
    }

    /// Whether an unanswered message of an earlier batch touches the name.
    fn is_changed_before_this_batch(&self, name: &Text, statement: bool) -> bool {
        let last_end = self.expected.iter().rposition(Expect::ends_batch);
        let Some(last_end) = last_end else { return false };
        self.expected.iter().take(last_end).any(|expect| match expect {
            Expect::Parse { name: changed, .. } | Expect::CloseStatement { name: changed, .. } => {
                statement && changed == name
            }
            Expect::Bind { portal: changed, .. } | Expect::ClosePortal { name: changed, .. } => {
                !statement && changed == name
            }
            Expect::Query { .. } | Expect::Fault { query: true, .. } => name.is_empty(),
            Expect::DescribeStatement
            | Expect::DescribePortal { .. }
            | Expect::Execute { .. }
            | Expect::Sync
            | Expect::Fault { query: false, .. } => false,
        })
    }

    /// ParseComplete: the statement stands, also as what an unanswered later message would bring back.
    pub(super) fn confirm_parse(&mut self, name: &Text, number: OperationNumber) {
        if let Some(prepared) = self.statements.get_mut(name) {
            prepared.confirmed |= prepared.number == number;
        }
        for expect in &mut self.expected {
            if let Expect::Parse { previous: Some(previous), .. }
            | Expect::CloseStatement { previous: Some(previous), .. } = expect
            {
                previous.confirmed |= previous.number == number;
            }
        }
    }

    /// An ErrorResponse for the front message: undoes it and what the server skips with it, up to the next Sync, which
    /// stays expected. When Sync was not sent yet, the client's messages are skipped until it.
    /// SPEC: after an error in an extended-query message the server discards everything until Sync, simple queries too.
    pub(super) fn failed(&mut self) -> Ended {
        let mut ended = Ended::default();
        let is_sync = |expect: &Expect| matches!(expect, Expect::Sync);
        let length = self.expected.iter().position(is_sync).unwrap_or(self.expected.len());
        let skipped: Vec<Expect> = self.expected.drain(..length).collect();
        if self.expected.is_empty() {
            self.skipping = true;
        }
        let mut first_failed = None;
        for (index, expect) in skipped.into_iter().enumerate().rev() {
            if index == 0 {
                first_failed = expect.number();
            } else if let Some(number) = expect.number() {
                ended.skipped.push(number);
            }
            self.undo(expect, index == 0);
        }
        ended.skipped.retain(|number| Some(*number) != first_failed);
        ended.skipped.sort_unstable();
        ended.skipped.dedup();
        self.copy_in = CopyIn::Idle;
        ended
    }

    fn undo(&mut self, expect: Expect, failed_itself: bool) {
        match expect {
            // SPEC: postgres.c exec_parse_message drops the unnamed statement before it parses.
            Expect::Parse { name, .. } if failed_itself && name.is_empty() => {
                self.statements.remove(&name);
            }
            Expect::Parse { name, previous, .. } | Expect::CloseStatement { name, previous } => match previous {
                Some(previous) => {
                    self.statements.insert(name, previous);
                }
                None => {
                    self.statements.remove(&name);
                }
            },
            Expect::Bind { portal, .. } if failed_itself => {
                self.portals.remove(&portal);
            }
            Expect::Bind { portal: name, previous, .. } | Expect::ClosePortal { name, previous } => match previous {
                Some(previous) => {
                    self.portals.insert(name, previous);
                }
                None => {
                    self.portals.remove(&name);
                }
            },
            Expect::Query { .. }
            | Expect::DescribeStatement
            | Expect::DescribePortal { .. }
            | Expect::Execute { .. }
            | Expect::Sync
            | Expect::Fault { .. } => {}
        }
    }

    /// ReadyForQuery: the batch is over. Outside a transaction block every portal of it is gone.
    /// Returns `None` when no batch end was expected: the stream can no longer be followed.
    pub(super) fn ready(&mut self, status: u8) -> Option<(Expect, Ended)> {
        let end = self.expected.iter().position(Expect::ends_batch)?;
        let mut ended = Ended::default();
        let early: Vec<Expect> = self.expected.drain(..end).collect();
        for expect in early.into_iter().rev() {
            ended.skipped.extend(expect.number());
            self.undo(expect, false);
        }
        let end = self.expected.pop_front()?;
        self.status = status;
        self.copy_in = CopyIn::Idle;
        let unanswered = u64::try_from(self.expected.iter().filter(|expect| expect.ends_batch()).count()).unwrap_or(0);
        let answered = self.batch.saturating_sub(unanswered);
        if status == b'I' {
            self.portals.retain(|_, portal| {
                let stays = portal.batch >= answered;
                if !stays {
                    ended.dropped.push(portal.number);
                }
                stays
            });
        }
        Some((end, ended))
    }
}
