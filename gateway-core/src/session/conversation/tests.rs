//! A model test: what the conversation believes against a small server that keeps the rules of PostgreSQL.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;
use crate::protocol::postgres::inspect;
use proptest::prelude::*;

/// What a client sends; names are `0` (unnamed) to `2`. `fails` says whether the server fails it when it comes to it.
#[derive(Debug, Clone, Copy)]
enum Sent {
    Parse { name: u8, number: u64, fails: bool },
    Bind { portal: u8, statement: u8, number: u64, fails: bool },
    DescribeStatement { name: u8 },
    DescribePortal { name: u8 },
    Execute { portal: u8, fails: bool },
    CloseStatement { name: u8 },
    ClosePortal { name: u8 },
    Query { number: u64, fails: bool, begins: bool, ends: bool },
    Call { number: u64, fails: bool },
    FaultQuery,
    FaultBatch,
    Sync,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    Complete,
    Error,
    Ready(u8),
}

/// SPEC: postgres.c: `exec_parse_message`, `exec_bind_message`, `exec_simple_query`, `ignore_till_sync`; portalmem.c.
#[derive(Debug, Default)]
struct Server {
    statements: BTreeMap<u8, u64>,
    portals: BTreeMap<u8, u64>,
    skipping: bool,
    block: bool,
    failed: bool,
}

impl Server {
    fn take(&mut self, sent: Sent) -> Vec<Reply> {
        if self.skipping && !matches!(sent, Sent::Sync) {
            return Vec::new();
        }
        let done = match sent {
            Sent::Parse { name, number, fails } => self.parse(name, number, fails),
            Sent::Bind { portal, statement, number, fails } => self.bind(portal, statement, number, fails),
            Sent::DescribeStatement { name } => self.statements.contains_key(&name),
            Sent::DescribePortal { name } => self.portals.contains_key(&name) && !self.failed,
            Sent::Execute { portal, fails } => self.portals.contains_key(&portal) && !self.failed && !fails,
            Sent::CloseStatement { name } => {
                self.statements.remove(&name);
                true
            }
            Sent::ClosePortal { name } => {
                self.portals.remove(&name);
                true
            }
            Sent::Query { fails, begins, ends, .. } => return self.query(fails, begins, ends),
            Sent::Call { fails, .. } => return self.call(fails),
            Sent::FaultQuery => return self.query(true, false, false),
            Sent::FaultBatch => false,
            Sent::Sync => {
                self.skipping = false;
                return vec![self.ready()];
            }
        };
        if done {
            return vec![Reply::Complete];
        }
        self.skipping = true;
        self.abort();
        vec![Reply::Error]
    }

    fn parse(&mut self, name: u8, number: u64, fails: bool) -> bool {
        if name == 0 {
            self.statements.remove(&0);
        }
        if fails || self.failed || self.statements.contains_key(&name) {
            return false;
        }
        self.statements.insert(name, number);
        true
    }

    fn bind(&mut self, portal: u8, statement: u8, number: u64, fails: bool) -> bool {
        if !self.statements.contains_key(&statement) || self.failed {
            return false;
        }
        if portal != 0 && self.portals.contains_key(&portal) {
            return false;
        }
        self.portals.remove(&portal);
        if fails {
            return false;
        }
        self.portals.insert(portal, number);
        true
    }

    fn query(&mut self, fails: bool, begins: bool, ends: bool) -> Vec<Reply> {
        self.statements.remove(&0);
        let runs = !fails && (!self.failed || ends);
        if !runs {
            self.abort();
            return vec![Reply::Error, self.ready()];
        }
        self.portals.remove(&0);
        if ends {
            (self.block, self.failed) = (false, false);
            self.portals.clear();
        }
        self.block |= begins;
        vec![Reply::Complete, self.ready()]
    }

    /// SPEC: a function call ends its transaction as a query does, and leaves the unnamed ones.
    fn call(&mut self, fails: bool) -> Vec<Reply> {
        if fails || self.failed {
            self.abort();
            return vec![Reply::Error, self.ready()];
        }
        vec![Reply::Complete, self.ready()]
    }

    fn abort(&mut self) {
        if self.block {
            self.failed = true;
        } else {
            self.portals.clear();
        }
    }

    fn ready(&mut self) -> Reply {
        if !self.block {
            self.portals.clear();
        }
        Reply::Ready(match (self.block, self.failed) {
            (false, _) => b'I',
            (true, false) => b'T',
            (true, true) => b'E',
        })
    }
}

/// The gateway as the relay drives it, and the server, with messages under way between them in both directions.
struct World {
    talk: Conversation,
    server: Server,
    /// What the server has not read yet.
    to_server: VecDeque<Sent>,
    replies: VecDeque<Reply>,
    understood: Arc<Understood>,
    /// Operations that were sent and of which no end was told.
    open: BTreeSet<OperationNumber>,
}

fn understood() -> Arc<Understood> {
    let sight = inspect::tests::sight(&[], inspect::tests::PUBLIC_FIRST);
    Arc::new(Understood { operations: Arc::from([]), ..inspect::understand("select 1", &sight).unwrap() })
}

fn name(name: u8) -> Text {
    Text::copied(["", "a", "b"][usize::from(name)]).unwrap()
}

impl World {
    fn new() -> Self {
        let (talk, server) = (Conversation::new(), Server::default());
        Self {
            talk,
            server,
            to_server: VecDeque::new(),
            replies: VecDeque::new(),
            understood: understood(),
            open: BTreeSet::new(),
        }
    }

    /// What the relay does with a client's message, waiting included.
    fn client(&mut self, sent: Sent) {
        if self.talk.skipping && !matches!(sent, Sent::Sync) {
            return;
        }
        if self.must_wait(sent) {
            self.settle();
            if self.talk.skipping {
                return;
            }
            assert!(!self.must_wait(sent), "waits for ever: {sent:?}");
        }
        match sent {
            Sent::Parse { name: of, number, .. } => {
                self.talk.sent_parse(OperationNumber(number), name(of), Arc::clone(&self.understood), Arc::from([]));
            }
            Sent::Bind { portal, statement, number, .. } => {
                if !matches!(self.talk.statement(&name(statement)), Lookup::Known(_)) {
                    return self.fault(Sent::FaultBatch);
                }
                self.talk.sent_bind(OperationNumber(number), name(portal), Arc::clone(&self.understood), 0);
            }
            Sent::DescribeStatement { name: of } => {
                if !matches!(self.talk.statement(&name(of)), Lookup::Known(_)) {
                    return self.fault(Sent::FaultBatch);
                }
                self.talk.sent(Expect::DescribeStatement);
            }
            Sent::DescribePortal { name: of } => {
                let expect = match self.talk.portal(&name(of)) {
                    Lookup::Known(portal) => Expect::DescribePortal { number: portal.number, own: false },
                    Lookup::Absent | Lookup::Unsettled => Expect::DescribeCursor,
                };
                self.talk.sent(expect);
            }
            Sent::Execute { portal, .. } => {
                let Lookup::Known(portal) = self.talk.portal(&name(portal)) else {
                    return self.fault(Sent::FaultBatch);
                };
                let number = portal.number;
                self.talk.sent(Expect::Execute { number });
            }
            Sent::CloseStatement { name: of } => self.talk.sent_close_statement(name(of)),
            Sent::ClosePortal { name: of } => self.talk.sent_close_portal(name(of)),
            Sent::Query { number, .. } => self.talk.sent_query(OperationNumber(number)),
            Sent::Call { number, .. } => {
                self.talk.sent(Expect::Call { number: OperationNumber(number), gives_content: false });
            }
            Sent::FaultQuery | Sent::FaultBatch => return self.fault(sent),
            Sent::Sync => {
                self.talk.skipping = false;
                self.talk.sent(Expect::Sync);
            }
        }
        self.open.extend(self.talk.expected.back().and_then(Expect::number));
        self.to_server.push_back(sent);
    }

    fn fault(&mut self, sent: Sent) {
        let query = matches!(sent, Sent::FaultQuery);
        self.talk.sent(Expect::Fault { answer: Bytes::new(), query });
        self.talk.skipping = !query;
        self.to_server.push_back(sent);
    }

    fn must_wait(&self, sent: Sent) -> bool {
        let statement = |of| matches!(self.talk.statement(&name(of)), Lookup::Unsettled);
        let portal = |of| matches!(self.talk.portal(&name(of)), Lookup::Unsettled);
        match sent {
            Sent::Parse { name, .. } => name != 0 && statement(name),
            Sent::Bind { portal: made, statement: of, .. } => statement(of) || (made != 0 && portal(made)),
            Sent::DescribeStatement { name } => statement(name),
            Sent::DescribePortal { name } | Sent::Execute { portal: name, .. } => portal(name),
            Sent::CloseStatement { .. }
            | Sent::ClosePortal { .. }
            | Sent::Query { .. }
            | Sent::Call { .. }
            | Sent::FaultQuery
            | Sent::FaultBatch
            | Sent::Sync => false,
        }
    }

    /// The server reads one message.
    fn serve(&mut self) {
        if let Some(sent) = self.to_server.pop_front() {
            self.replies.extend(self.server.take(sent));
        }
    }

    /// One reply reaches the gateway.
    fn answer(&mut self) {
        let Some(reply) = self.replies.pop_front() else { return };
        match reply {
            Reply::Complete if self.talk.front().is_some_and(Expect::ends_with_ready) => {}
            Reply::Complete => match self.talk.pop() {
                Some(Expect::Bind { previous, .. } | Expect::ClosePortal { previous, .. }) => {
                    previous.map(|portal| self.open.remove(&portal.number));
                }
                Some(Expect::Parse { number, .. }) => drop(self.open.remove(&number)),
                _ => {}
            },
            Reply::Error => {
                self.talk.front().and_then(Expect::number).map(|number| self.open.remove(&number));
                if !self.talk.front().is_some_and(Expect::ends_turn) {
                    let ended = self.talk.failed();
                    self.end(&ended);
                }
            }
            Reply::Ready(status) => {
                let (end, ended) = self.talk.ready(status).expect("a turn's end was expected");
                assert!(end.ends_turn());
                assert!(ended.skipped.is_empty(), "everything before it was answered: {ended:?}");
                end.number().map(|number| self.open.remove(&number));
                self.end(&ended);
            }
        }
    }

    fn end(&mut self, ended: &Ended) {
        self.open.retain(|number| !ended.skipped.contains(number) && !ended.dropped.contains(number));
    }

    fn settle(&mut self) {
        while !self.to_server.is_empty() {
            self.serve();
        }
        while !self.replies.is_empty() {
            self.answer();
        }
    }

    /// What the server would find if it read everything that is on its way, and then a message of this batch.
    /// `None` where it would skip that message.
    fn future(&self) -> Option<(BTreeMap<u8, u64>, BTreeMap<u8, u64>)> {
        let Server { statements, portals, skipping, block, failed } = &self.server;
        let mut server = Server {
            statements: statements.clone(),
            portals: portals.clone(),
            skipping: *skipping,
            block: *block,
            failed: *failed,
        };
        for sent in &self.to_server {
            server.take(*sent);
        }
        // SPEC: portalmem.c: in a failed block portals are there and cannot be run.
        let portals = if server.failed { BTreeMap::new() } else { server.portals };
        (!server.skipping).then_some((server.statements, portals))
    }

    /// A name that we know means that, or nothing any more; a name that we do not know means nothing.
    fn check(&self) -> Result<(), TestCaseError> {
        let Some((statements, portals)) = self.future() else { return Ok(()) };
        if self.talk.skipping {
            return Ok(());
        }
        for of in 0..3 {
            let there = statements.get(&of).copied();
            match self.talk.statement(&name(of)) {
                Lookup::Known(prepared) => prop_assert!(there.is_none_or(|there| there == prepared.number.0)),
                Lookup::Absent => prop_assert_eq!(there, None),
                Lookup::Unsettled => {}
            }
            let there = portals.get(&of).copied();
            match self.talk.portal(&name(of)) {
                Lookup::Known(portal) => prop_assert!(there.is_none_or(|there| there == portal.number.0)),
                Lookup::Absent => prop_assert_eq!(there, None),
                Lookup::Unsettled => {}
            }
        }
        Ok(())
    }

    /// When nothing is under way nothing is unsettled, and prepared statements are known exactly.
    fn check_settled(&mut self) -> Result<(), TestCaseError> {
        self.settle();
        self.client(Sent::Sync);
        self.settle();
        prop_assert!(self.talk.is_settled() && !self.talk.skipping);
        self.check()?;
        for number in &self.open {
            prop_assert!(self.talk.concerns(*number), "{:?} stays open with nothing that could end it", number);
        }
        if !self.server.block {
            prop_assert!(self.open.is_empty(), "outside a transaction nothing stays open: {:?}", self.open);
        }
        for of in 0..3 {
            prop_assert!(!matches!(self.talk.statement(&name(of)), Lookup::Unsettled));
            prop_assert!(!matches!(self.talk.portal(&name(of)), Lookup::Unsettled));
            let known = match self.talk.statement(&name(of)) {
                Lookup::Known(prepared) => Some(prepared.number.0),
                Lookup::Absent | Lookup::Unsettled => None,
            };
            if of != 0 {
                prop_assert_eq!(known, self.server.statements.get(&of).copied());
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
enum Move {
    Client(Sent),
    Serve,
    Answer,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let of = 0..3u8;
    let fails = prop::bool::weighted(0.2);
    let sent = prop_oneof![
        4 => (of.clone(), fails).prop_map(|(name, fails)| Sent::Parse { name, number: 0, fails }),
        4 => (of.clone(), of.clone(), fails)
            .prop_map(|(portal, statement, fails)| Sent::Bind { portal, statement, number: 0, fails }),
        1 => of.clone().prop_map(|name| Sent::DescribeStatement { name }),
        1 => of.clone().prop_map(|name| Sent::DescribePortal { name }),
        2 => (of.clone(), fails).prop_map(|(portal, fails)| Sent::Execute { portal, fails }),
        1 => of.clone().prop_map(|name| Sent::CloseStatement { name }),
        1 => of.prop_map(|name| Sent::ClosePortal { name }),
        3 => (fails, prop::bool::weighted(0.4), prop::bool::weighted(0.3))
            .prop_map(|(fails, begins, ends)| Sent::Query { number: 0, fails, begins, ends }),
        1 => fails.prop_map(|fails| Sent::Call { number: 0, fails }),
        1 => Just(Sent::FaultQuery),
        1 => Just(Sent::FaultBatch),
        4 => Just(Sent::Sync),
    ];
    let one = prop_oneof![4 => sent.prop_map(Move::Client), 2 => Just(Move::Serve), 2 => Just(Move::Answer)];
    prop::collection::vec(one, 1..60)
}

/// Numbers messages in the order they are sent, as the recorder does.
fn numbered(sent: Sent, next: u64) -> Sent {
    match sent {
        Sent::Parse { name, fails, .. } => Sent::Parse { name, number: next, fails },
        Sent::Bind { portal, statement, fails, .. } => Sent::Bind { portal, statement, number: next, fails },
        Sent::Query { fails, begins, ends, .. } => Sent::Query { number: next, fails, begins, ends },
        Sent::Call { fails, .. } => Sent::Call { number: next, fails },
        Sent::DescribeStatement { .. }
        | Sent::DescribePortal { .. }
        | Sent::Execute { .. }
        | Sent::CloseStatement { .. }
        | Sent::ClosePortal { .. }
        | Sent::FaultQuery
        | Sent::FaultBatch
        | Sent::Sync => sent,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_name_means_what_the_server_will_run(moves in moves()) {
        let mut world = World::new();
        for (number, one) in (1..).zip(moves) {
            match one {
                Move::Client(sent) => world.client(numbered(sent, number)),
                Move::Serve => world.serve(),
                Move::Answer => world.answer(),
            }
            world.check()?;
        }
        world.check_settled()?;
    }
}

mod examples;
