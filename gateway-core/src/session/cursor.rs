//! Execute of a cursor that SQL declared: protocol and SQL share the names of portals, so it is the FETCH of that cursor,
//! decided, recorded and masked as one.
//!
//! Whose the name is, the server says (`meaning`), and is asked where it may have changed hands.

use super::{
    conversation::{Expect, Lookup},
    hold::HeldMessage,
    relay::{Ending, Session},
};
use crate::{
    model::OperationNumber,
    protocol::postgres::{
        inspect::{self, Understood},
        message::{Execute, Frontend, Target, Text},
    },
    record::Status,
};

impl Session {
    /// Whether a portal may be a cursor of SQL's making by now: no Bind made it, or what was sent since that Bind may
    /// have closed it and declared another under its name.
    pub(super) fn may_be_a_cursor(&self, name: &Text) -> bool {
        match self.talk.portal(name) {
            Lookup::Known(portal) => !name.is_empty() && self.meaning.unread && portal.epoch != self.meaning.epoch,
            Lookup::Absent => !name.is_empty(),
            Lookup::Unsettled => false,
        }
    }

    /// Decides an Execute of a cursor as what it is in SQL.
    pub(super) async fn fetch(&mut self, execute: Execute) -> Result<(), Ending> {
        let text = statement(&execute);
        let understood = match self.understand(&text) {
            Ok(understood) => understood,
            Err(error) => return self.refuse_syntax(&text, &error, false),
        };
        let inspected = inspect::more(execute, &understood, &self.circumstance);
        self.decide(inspected, HeldMessage::Bind, understood).await
    }

    /// The columns of a cursor, ahead of the rows that are to be masked: an Execute brings none.
    pub(super) fn describe_cursor(
        &mut self,
        number: OperationNumber,
        message: &Frontend,
        understood: &Understood,
    ) -> Result<(), Ending> {
        let Frontend::Execute(execute) = message else { return Ok(()) };
        if !self.needs_description(understood) {
            return Ok(());
        }
        self.talk.sent(Expect::DescribePortal { number, own: true });
        self.follow(None, Frontend::Describe(Target::Portal(execute.portal.clone())))
    }

    /// Execute reached its row limit: of a portal the operation stays open, of a cursor this one is over.
    pub(super) fn suspended(&mut self, number: OperationNumber) -> Result<(), Ending> {
        if self.talk.concerns(number) {
            return Ok(());
        }
        self.end_operation(number, Status::Completed { tag: "FETCH" })
    }
}

/// SPEC: Execute runs a portal forward; no limit, or a negative one, means all.
fn statement(execute: &Execute) -> String {
    let name = execute.portal.as_str().replace('"', "\"\"");
    match execute.max_rows {
        rows if rows > 0 => format!("FETCH FORWARD {rows} FROM \"{name}\""),
        _ => format!("FETCH FORWARD ALL FROM \"{name}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execute_is_the_fetch_that_it_would_be() {
        for (name, max_rows, text) in [
            ("c", 0, "FETCH FORWARD ALL FROM \"c\""),
            ("c", -1, "FETCH FORWARD ALL FROM \"c\""),
            ("c\"; drop table t; --", 7, "FETCH FORWARD 7 FROM \"c\"\"; drop table t; --\""),
        ] {
            let portal = Text::copied(name).unwrap();
            assert_eq!(statement(&Execute { portal, max_rows }), text);
            let statements = crate::sql::inspect(text).unwrap();
            assert!(statements.len() == 1 && &*statements[0].kind == "fetch", "{statements:?}");
        }
    }
}
