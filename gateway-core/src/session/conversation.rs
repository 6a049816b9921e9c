//! What a PostgreSQL conversation is in the middle of: prepared statements, portals, and which reply is due next.
//!
//! Pure bookkeeping, no IO. A change that the server has not yet confirmed is undone when the server fails or skips
//! it, and a name that an unanswered earlier batch may have changed is not used until that batch is answered: what we
//! believe a name means is what the server will run, or nothing there has the name any more, and the server says so.
//!
//! SPEC: after an error in an extended-protocol message the server skips everything, simple queries included, up to
//! the next Sync (postgres.c, `ignore_till_sync`). A batch is what lies between two Syncs. A turn ends with each
//! ReadyForQuery, which also follows a simple query.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    model::OperationNumber,
    protocol::postgres::{inspect::Understood, message::Text},
};

/// The most prepared statements that a session keeps.
const MAX_STATEMENTS: usize = 10_000;
/// The most bytes of their texts.
const MAX_STATEMENTS_BYTES: usize = 64 << 20;

/// A prepared statement as the server knows it.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) understood: Arc<Understood>,
    pub(super) number: OperationNumber,
    pub(super) parameter_types: Arc<[u32]>,
    batch: u64,
}

/// A portal as the server knows it.
#[derive(Debug, Clone)]
pub(super) struct Portal {
    pub(super) number: OperationNumber,
    pub(super) understood: Arc<Understood>,
    /// What the names meant by which it was decided.
    pub(super) epoch: u64,
    turn: u64,
}

/// What a reply, when it comes, belongs to.
#[derive(Debug)]
pub(super) enum Expect {
    Query {
        number: OperationNumber,
        unnamed: Unnamed,
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
    /// A function call, which is answered with a ReadyForQuery of its own.
    Call {
        number: OperationNumber,
        /// Whether the answer holds what a large object holds.
        gives_content: bool,
    },
    DescribeStatement,
    /// A cursor that SQL declared: a name that we know nothing of.
    DescribeCursor,
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
    /// A read of ours of what names mean; with `syncs` it ends a turn.
    Reading {
        syncs: bool,
        /// How many of its Closes are answered.
        closed: u8,
    },
    /// A message of ours that fails in place of a refused one; `answer` replaces the server's error.
    Fault {
        answer: Bytes,
        query: bool,
    },
}

/// The unnamed statement and portal that a simple query dropped; they are back if the server skips it.
#[derive(Debug, Default)]
pub(super) struct Unnamed {
    statement: Option<Prepared>,
    portal: Option<Portal>,
}

impl Expect {
    fn ends_turn(&self) -> bool {
        matches!(
            self,
            Self::Query { .. }
                | Self::Call { .. }
                | Self::Sync
                | Self::Reading { syncs: true, .. }
                | Self::Fault { query: true, .. }
        )
    }

    /// Whether an error in it is followed by ReadyForQuery, and nothing behind it is skipped.
    pub(super) fn ends_with_ready(&self) -> bool {
        matches!(self, Self::Query { .. } | Self::Call { .. } | Self::Fault { query: true, .. })
    }

    /// What the statement name meant before this message, where it changes it.
    fn statement_before(&mut self, of: &Text) -> Option<&mut Option<Prepared>> {
        if let Self::Parse { name, previous, .. } | Self::CloseStatement { name, previous } = self {
            return (name == of).then_some(previous);
        }
        if let Self::Query { unnamed, .. } = self {
            return of.is_empty().then_some(&mut unnamed.statement);
        }
        None
    }

    /// What the portal name meant before this message, where it changes it.
    fn portal_before(&mut self, of: &Text) -> Option<&mut Option<Portal>> {
        if let Self::Bind { portal: name, previous, .. } | Self::ClosePortal { name, previous } = self {
            return (name == of).then_some(previous);
        }
        if let Self::Query { unnamed, .. } = self {
            return of.is_empty().then_some(&mut unnamed.portal);
        }
        None
    }

    /// The operation that the reply is about.
    pub(super) fn number(&self) -> Option<OperationNumber> {
        match self {
            Self::Query { number, .. }
            | Self::Call { number, .. }
            | Self::Parse { number, .. }
            | Self::Bind { number, .. }
            | Self::DescribePortal { number, .. }
            | Self::Execute { number } => Some(*number),
            Self::DescribeStatement
            | Self::DescribeCursor
            | Self::CloseStatement { .. }
            | Self::ClosePortal { .. }
            | Self::Sync
            | Self::Reading { .. }
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
    Awaited(OperationNumber),
    /// The server takes data for this operation.
    Active(OperationNumber),
    /// Data goes both ways: replication.
    Both(OperationNumber),
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
    turn: u64,
    /// Something of a batch was sent since the last Sync or simple query: a transaction may be open that only they end.
    pub(super) in_batch: bool,
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
            turn: 0,
            in_batch: false,
            skipping: false,
            status: b'I',
            copy_in: CopyIn::Idle,
        }
    }

    /// Whether every message that was sent is answered.
    pub(super) fn is_settled(&self) -> bool {
        self.expected.is_empty()
    }

    /// Whether the server takes data now, for which operation.
    pub(super) fn takes_data(&self) -> Option<OperationNumber> {
        match self.copy_in {
            CopyIn::Active(number) | CopyIn::Both(number) => Some(number),
            CopyIn::Idle | CopyIn::Awaited(_) => None,
        }
    }

    /// What the next reply belongs to.
    pub(super) fn front(&self) -> Option<&Expect> {
        self.expected.front()
    }

    /// What the next reply belongs to, to be brought on.
    pub(super) fn front_mut(&mut self) -> Option<&mut Expect> {
        self.expected.front_mut()
    }

    /// A read of ours was sent, while nothing else was unanswered. It leaves every name and portal as it was.
    pub(super) fn sent_reading(&mut self, syncs: bool) {
        self.turn += u64::from(syncs);
        self.expected.push_back(Expect::Reading { syncs, closed: 0 });
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

    /// A simple query was sent: it drops the unnamed statement and portal.
    pub(super) fn sent_query(&mut self, number: OperationNumber) {
        let name = Text::default();
        let unnamed = Unnamed { statement: self.statements.remove(&name), portal: self.portals.remove(&name) };
        self.sent(Expect::Query { number, unnamed });
    }

    /// A Parse was sent. Where the name is taken the server fails it, and it is undone.
    pub(super) fn sent_parse(
        &mut self,
        number: OperationNumber,
        name: Text,
        understood: Arc<Understood>,
        parameter_types: Arc<[u32]>,
    ) {
        let prepared = Prepared { understood, number, parameter_types, batch: self.batch };
        let previous = self.statements.insert(name.clone(), prepared);
        self.in_batch = true;
        self.expected.push_back(Expect::Parse { number, name, previous });
    }

    /// A Bind was sent.
    pub(super) fn sent_bind(&mut self, number: OperationNumber, portal: Text, understood: Arc<Understood>, epoch: u64) {
        let previous = self.portals.insert(portal.clone(), Portal { number, understood, epoch, turn: self.turn });
        self.in_batch = true;
        self.expected.push_back(Expect::Bind { number, portal, previous });
    }

    /// Whether one more prepared statement with a text of this length is too many.
    pub(super) fn is_full(&self, more: usize) -> bool {
        if self.statements.len() >= MAX_STATEMENTS {
            return true;
        }
        // Few and short ones cannot be too much; only then are they counted.
        if self.statements.len() < 64 && more < MAX_STATEMENTS_BYTES / 64 {
            return false;
        }
        let kept: usize = self.statements.values().map(|prepared| prepared.understood.text.len()).sum();
        kept.saturating_add(more) > MAX_STATEMENTS_BYTES
    }

    /// The server said that SQL has the name now. Only while nothing is unanswered.
    pub(super) fn forget_statement(&mut self, name: &Text) {
        self.statements.remove(name);
    }

    /// The server said that SQL has the name now. Only while nothing is unanswered. Returns whose portal had it.
    pub(super) fn forget_portal(&mut self, name: &Text) -> Option<OperationNumber> {
        self.portals.remove(name).map(|portal| portal.number)
    }

    /// Something without names of its own was sent.
    pub(super) fn sent(&mut self, expect: Expect) {
        self.turn += u64::from(expect.ends_turn());
        self.in_batch = !expect.ends_turn();
        self.batch += u64::from(matches!(expect, Expect::Sync));
        self.expected.push_back(expect);
    }

    /// A Close of a statement was sent.
    pub(super) fn sent_close_statement(&mut self, name: Text) {
        let previous = self.statements.remove(&name);
        self.in_batch = true;
        self.expected.push_back(Expect::CloseStatement { name, previous });
    }

    /// A Close of a portal was sent.
    pub(super) fn sent_close_portal(&mut self, name: Text) {
        let previous = self.portals.remove(&name);
        self.in_batch = true;
        self.expected.push_back(Expect::ClosePortal { name, previous });
    }

    /// What a statement name means to the server now.
    pub(super) fn statement(&self, name: &Text) -> Lookup<&Prepared> {
        match self.statements.get(name) {
            // What follows in the batch that made it runs only if that succeeded.
            Some(prepared) if prepared.batch == self.batch => Lookup::Known(prepared),
            _ if self.is_changed_before_this_batch(name, true) => Lookup::Unsettled,
            Some(prepared) => Lookup::Known(prepared),
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
        let last_sync = self.expected.iter().rposition(|expect| matches!(expect, Expect::Sync)).unwrap_or(0);
        self.expected.iter().take(last_sync).any(|expect| match expect {
            Expect::Parse { name: changed, .. } | Expect::CloseStatement { name: changed, .. } => {
                statement && changed == name
            }
            Expect::Bind { portal: changed, .. } | Expect::ClosePortal { name: changed, .. } => {
                !statement && changed == name
            }
            Expect::Query { .. } | Expect::Fault { query: true, .. } => name.is_empty(),
            Expect::Call { .. }
            | Expect::DescribeStatement
            | Expect::DescribeCursor
            | Expect::DescribePortal { .. }
            | Expect::Execute { .. }
            | Expect::Sync
            | Expect::Reading { .. }
            | Expect::Fault { query: false, .. } => false,
        })
    }

    /// An ErrorResponse for the front message, which is none of the simple protocol: undoes it and what the server
    /// skips with it, up to Sync, which stays expected. When that was not sent yet, the client's messages are skipped
    /// until it.
    pub(super) fn failed(&mut self) -> Ended {
        let mut ended = Ended::default();
        let sync = self.expected.iter().position(|expect| matches!(expect, Expect::Sync));
        self.skipping = sync.is_none();
        let skipped: Vec<Expect> = self.expected.drain(..sync.unwrap_or(self.expected.len())).collect();
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
        ended
    }

    fn undo(&mut self, expect: Expect, failed_itself: bool) {
        self.no_copy_of(&expect);
        match expect {
            Expect::Query { unnamed: Unnamed { statement, portal }, .. } => {
                self.restore_statement(Text::default(), statement);
                self.restore_portal(Text::default(), portal);
            }
            // SPEC: postgres.c exec_parse_message drops the unnamed statement before it parses.
            Expect::Parse { name, .. } if failed_itself && name.is_empty() => self.restore_statement(name, None),
            Expect::Parse { name, previous, .. } | Expect::CloseStatement { name, previous } => {
                self.restore_statement(name, previous);
            }
            Expect::Bind { portal: name, previous, .. } | Expect::ClosePortal { name, previous } => {
                self.restore_portal(name, previous);
            }
            Expect::Call { .. }
            | Expect::DescribeStatement
            | Expect::DescribeCursor
            | Expect::DescribePortal { .. }
            | Expect::Execute { .. }
            | Expect::Sync
            | Expect::Reading { .. }
            | Expect::Fault { .. } => {}
        }
    }

    /// The message is over: no data is awaited or taken for it any more.
    fn no_copy_of(&mut self, expect: &Expect) {
        let number = match self.copy_in {
            CopyIn::Awaited(number) | CopyIn::Active(number) | CopyIn::Both(number) => Some(number),
            CopyIn::Idle => None,
        };
        if number.is_some() && number == expect.number() {
            self.copy_in = CopyIn::Idle;
        }
    }

    /// Gives a name back what it meant. Where a later batch changed it again, that change was made on top of this.
    fn restore_statement(&mut self, name: Text, was: Option<Prepared>) {
        match (self.expected.iter_mut().find_map(|expect| expect.statement_before(&name)), was) {
            (Some(before), was) => *before = was,
            (None, Some(was)) => drop(self.statements.insert(name, was)),
            (None, None) => drop(self.statements.remove(&name)),
        }
    }

    fn restore_portal(&mut self, name: Text, was: Option<Portal>) {
        match (self.expected.iter_mut().find_map(|expect| expect.portal_before(&name)), was) {
            (Some(before), was) => *before = was,
            (None, Some(was)) => drop(self.portals.insert(name, was)),
            (None, None) => drop(self.portals.remove(&name)),
        }
    }

    /// ReadyForQuery: a turn is over. Outside a transaction block every portal made before its end is gone.
    /// Returns `None` when no turn's end was expected: the stream can no longer be followed.
    pub(super) fn ready(&mut self, status: u8) -> Option<(Expect, Ended)> {
        let end = self.expected.iter().position(Expect::ends_turn)?;
        let mut ended = Ended::default();
        let early: Vec<Expect> = self.expected.drain(..end).collect();
        for expect in early.into_iter().rev() {
            ended.skipped.extend(expect.number());
            self.undo(expect, false);
        }
        let end = self.expected.pop_front()?;
        self.status = status;
        self.no_copy_of(&end);
        // SPEC: postgres.c exec_simple_query puts a portal of its own in the place of the unnamed one.
        if let Expect::Query { unnamed: Unnamed { portal: Some(portal), .. }, .. } = &end {
            ended.dropped.push(portal.number);
        }
        let unanswered = self.expected.iter().filter(|expect| expect.ends_turn()).count();
        let answered = self.turn.saturating_sub(u64::try_from(unanswered).unwrap_or(u64::MAX));
        if status == b'I' {
            self.portals.retain(|_, portal| {
                let stays = portal.turn >= answered;
                if !stays {
                    ended.dropped.push(portal.number);
                }
                stays
            });
        }
        Some((end, ended))
    }
}

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod tests;
