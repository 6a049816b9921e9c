//! The reading of what names mean on the session's own backend, before what comes next is decided.
//!
//! Asked only when something was sent that may have changed it, only while nothing is unanswered, and never in a failed
//! transaction, where only its end may pass.

use std::{sync::Arc, time::Instant};

use super::{
    conversation::{Expect, Lookup},
    meaning::{Answer, NAMES, NAMES_IN_TRANSACTION, Names},
    names::{IDLE_SIGHT_LIFE, SIGHT_LIFE, sight, tags_of},
    relay::{Ending, Session, Step},
};
use crate::{
    protocol::postgres::{
        codec::parse_error_fields,
        handshake::Replication,
        inspect::Understood,
        message::{Frame, Frontend, backend::tag},
        refuse::Report,
    },
    record::OwnPurpose,
    sql::Rereads,
    upstream::OwnMessage,
};

/// Whether what a message says can be read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Current {
    /// It can.
    Yes,
    /// When what is under way is answered.
    Later,
    /// Not before the failed transaction ends.
    Never,
}

impl Session {
    /// Whether names may mean something else than the session's snapshot says.
    pub(super) fn is_outdated(&self) -> bool {
        if !self.names_matter() {
            return self.sighted_at.elapsed() >= IDLE_SIGHT_LIFE;
        }
        // What the open transaction changed is seen on the session's own backend only, and is read there.
        let own = self.outdated && !(self.changed_catalogue && self.talk.status == b'T');
        own || self.generation != self.served.generation() || self.sighted_at.elapsed() >= SIGHT_LIFE
    }

    /// Whether the text names something that the snapshot does not know while a fresh one may: then it is read again.
    pub(super) fn wants_fresh_names(&mut self, text: &str) -> bool {
        let wants =
            !self.fresh && self.names_matter() && self.understand(text).is_ok_and(|understood| understood.unresolved);
        self.outdated |= wants;
        wants
    }

    /// Sees to it that what names mean is current before a message is decided.
    pub(super) async fn catch_up(&mut self, message: &Frontend) -> Result<Current, Ending> {
        if self.replication == Replication::Physical {
            // It takes no SQL: there is nothing to look up, but tags may have come.
            if self.is_outdated() && self.talk.is_settled() {
                self.refresh_sight().await?;
            }
            return Ok(Current::Yes);
        }
        let (text, knows_names) = match message {
            Frontend::Query(query) => (Some(&query.text), false),
            Frontend::Parse(parse) => (Some(&parse.text), false),
            Frontend::Bind(_) | Frontend::FunctionCall(_) => (None, true),
            Frontend::Execute(execute) if self.may_be_a_cursor(&execute.portal) => (None, true),
            Frontend::Describe(_)
            | Frontend::Execute(_)
            | Frontend::Close(_)
            | Frontend::Flush
            | Frontend::Sync
            | Frontend::CopyData(_)
            | Frontend::CopyDone
            | Frontend::CopyFail(_)
            | Frontend::Password(_)
            | Frontend::Terminate => return Ok(Current::Yes),
        };
        let is_execute = matches!(message, Frontend::Execute(_));
        let by_name =
            !self.talk.is_settled() && (is_execute || text.is_some_and(|text| self.uses_names(text.as_str())));
        let stale = by_name
            || self.is_outdated()
            || (!knows_names && text.is_some_and(|text| self.wants_fresh_names(text.as_str())));
        // What EXECUTE and FETCH name is always read: the server must run what was decided.
        let unread =
            self.meaning.unread && (self.names_matter() || text.is_none_or(|text| self.uses_names(text.as_str())));
        if !stale && !unread {
            return Ok(Current::Yes);
        }
        if !self.talk.is_settled() {
            self.follow(None, Frontend::Flush)?;
            return Ok(Current::Later);
        }
        let failed = self.talk.status == b'E';
        if unread && failed {
            return Ok(if self.only_ends_transactions(message) { Current::Yes } else { Current::Never });
        }
        let life = if self.names_matter() { SIGHT_LIFE } else { IDLE_SIGHT_LIFE };
        let aged = self.meaning.read.0 != self.served.generation() || self.meaning.read.1.elapsed() >= life;
        if unread || (aged && !failed) {
            self.read_names()?;
            return Ok(Current::Later);
        }
        self.refresh_sight().await?;
        self.fresh = true;
        Ok(Current::Yes)
    }

    /// Whether a text uses prepared statements or cursors by names that something under way may make or take away.
    fn uses_names(&mut self, text: &str) -> bool {
        self.understand(text).is_ok_and(|understood| understood.uses_names)
    }

    /// Whether a message holds nothing but ends of transactions, which pass in a failed one whatever names mean.
    fn only_ends_transactions(&mut self, message: &Frontend) -> bool {
        let understood = match message {
            Frontend::Query(query) => self.understand(query.text.as_str()).ok(),
            Frontend::Parse(parse) => self.understand(parse.text.as_str()).ok(),
            Frontend::Bind(bind) => match self.talk.statement(&bind.statement) {
                Lookup::Known(prepared) => Some(Arc::clone(&prepared.understood)),
                // The server's own error comes in its place.
                Lookup::Absent | Lookup::Unsettled => return true,
            },
            Frontend::Execute(execute) => match self.talk.portal(&execute.portal) {
                Lookup::Known(portal) => Some(Arc::clone(&portal.understood)),
                Lookup::Absent | Lookup::Unsettled => None,
            },
            Frontend::Describe(_)
            | Frontend::Close(_)
            | Frontend::Flush
            | Frontend::Sync
            | Frontend::FunctionCall(_)
            | Frontend::CopyData(_)
            | Frontend::CopyDone
            | Frontend::CopyFail(_)
            | Frontend::Password(_)
            | Frontend::Terminate => None,
        };
        understood.is_some_and(|understood| understood.aftermath.only_ends_transactions)
    }

    /// Notes what a statement that was sent, or is run on, may change.
    pub(super) fn note_changes(&mut self, understood: &Understood) {
        if understood.changes_catalogue {
            (self.outdated, self.changed_catalogue) = (true, true);
        }
        if understood.aftermath.rereads > Rereads::Nothing {
            self.meaning.touch();
        }
        if understood.aftermath.undoes {
            self.meaning.undone();
        }
    }

    fn read_names(&mut self) -> Result<(), Ending> {
        let is_complete = self.changed_catalogue;
        let syncs = !self.talk.in_batch;
        let text = if is_complete { NAMES_IN_TRANSACTION } else { NAMES };
        let message = match self.replication {
            Replication::No => OwnMessage::ReadNames { text, name: self.meaning.name.clone(), syncs },
            // It takes simple queries only, and has no unnamed statement that one would disturb.
            Replication::Physical | Replication::Database => OwnMessage::ReadSetting(text),
        };
        let recorded = self.recorder.own(OwnPurpose::Setting, message)?;
        self.steps.push(Step::Own(recorded));
        self.talk.sent_reading(syncs);
        self.meaning.answer = Some(Answer::new(is_complete));
        self.meaning.read = (self.served.generation(), Instant::now());
        Ok(())
    }

    /// Takes a reply while a read of ours is due. Returns whether it was the read's.
    pub(super) fn reading_message(&mut self, frame: &Frame) -> Result<bool, Ending> {
        let Some(Expect::Reading { syncs, closed }) = self.talk.front_mut() else { return Ok(false) };
        match frame.tag {
            tag::DATA_ROW => {
                if let Some(answer) = &mut self.meaning.answer {
                    answer.row(&frame.body);
                }
            }
            tag::PARSE_COMPLETE | tag::BIND_COMPLETE | tag::ROW_DESCRIPTION | tag::COMMAND_COMPLETE => {}
            tag::CLOSE_COMPLETE => {
                *closed += 1;
                // The portal, then the statement.
                if *closed == 2 && !*syncs {
                    self.talk.pop();
                    self.names_read()?;
                }
            }
            tag::READY => {
                let [status @ (b'I' | b'T' | b'E')] = frame.body.as_ref() else {
                    return Err(Ending::Unexpected("upstream"));
                };
                let (_, ended) = self.talk.ready(*status).ok_or(Ending::Unexpected("upstream"))?;
                self.end_all(&ended)?;
                self.names_read()?;
            }
            tag::ERROR => return self.reading_failed(frame),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// FAIL-CLOSED: the message that waits for it is failed in its place, and it is read again before the next.
    fn reading_failed(&mut self, frame: &Frame) -> Result<bool, Ending> {
        let fields = parse_error_fields(frame).map_err(|_malformed| Ending::Unexpected("upstream"))?;
        if matches!(fields.field(b'V').or_else(|| fields.field(b'S')), Some("FATAL" | "PANIC")) {
            return Ok(false);
        }
        let sqlstate = fields.field(b'C').unwrap_or("XX000").to_owned();
        self.meaning.answer = None;
        if matches!(self.talk.front(), Some(Expect::Reading { syncs: false, .. })) {
            let ended = self.talk.failed();
            self.end_all(&ended)?;
            self.waiting = None;
            unreadable(&sqlstate, |report| report.write(&mut self.to_client));
        }
        self.meaning.unread = true;
        self.meaning.failed = Some(sqlstate);
        Ok(true)
    }

    fn names_read(&mut self) -> Result<(), Ending> {
        let Some(answer) = self.meaning.answer.take() else {
            let Some(sqlstate) = self.meaning.failed.take() else { return Ok(()) };
            let Some(message) = self.waiting.take() else { return Ok(()) };
            let mut answer = bytes::BytesMut::new();
            unreadable(&sqlstate, |report| report.write(&mut answer));
            let query = matches!(message, Frontend::Query(_) | Frontend::FunctionCall(_));
            return self.fail_in_place(query, answer.freeze());
        };
        let Some(names) = answer.finish() else {
            return Err(Ending::Catalogue("what names mean in this session is too much to keep".to_owned()));
        };
        self.meaning.unread = false;
        self.take_names(names)
    }

    fn take_names(&mut self, names: Names) -> Result<(), Ending> {
        let declared_in: Arc<[String]> = Arc::from(names.path.as_slice());
        self.take_sql_names(&names, &declared_in)?;
        let Names { role, path, local, cursors, .. } = names;
        self.meaning.other_cursors = cursors.into_keys().collect();
        let changed = role != self.role || *path != *self.sight.search_path || local != self.meaning.local;
        if !changed {
            return Ok(());
        }
        self.role = role;
        self.meaning.local = local;
        self.sight.search_path = path.into();
        self.look_again();
        Ok(())
    }

    /// Masks follow a policy change at once: where something is hidden now that was not, rows that were described
    /// before it do not pass any more.
    pub(super) fn look_again_at_rows(&mut self) {
        let before = Arc::clone(&self.sight.veils);
        self.look_again();
        let hides_more = self.sight.veils.iter().any(|(tag, veil)| before.get(tag) != Some(veil));
        if hides_more {
            self.ledger.forget_descriptions();
        }
    }

    /// Makes the sight anew from the snapshot, what the backend said, and the policies; and what approvals bind to.
    pub(super) fn look_again(&mut self) {
        let path = Arc::clone(&self.sight.search_path);
        let base = Arc::clone(&self.meaning.base);
        let catalogue = if self.meaning.local.is_empty() {
            base
        } else {
            Arc::new(base.with_local(&self.meaning.local, &tags_of(&self.environment, &self.served)))
        };
        self.sight = sight(&self.environment, &self.policies, &self.principal, &self.served, catalogue, path);
        self.circumstance = self.binding(Some(&self.id)).circumstance();
    }

    /// The answer to what cannot be decided before a failed transaction ends; the server would give the same.
    pub(super) fn fail_aborted(&mut self, message: &Frontend) -> Result<(), Ending> {
        let report =
            Report::error("25P02", "current transaction is aborted, commands ignored until end of transaction block");
        self.fail_with(
            &report.hint("Send ROLLBACK by itself."),
            matches!(message, Frontend::Query(_) | Frontend::FunctionCall(_)),
        )
    }
}

fn unreadable(sqlstate: &str, write: impl FnOnce(Report<'_>)) {
    let message = format!("the gateway could not read what names mean in this session (SQLSTATE {sqlstate})");
    write(Report::error("55000", &message).hint("Send the statement again."));
}
