//! Prepared statements and cursors by name: one name space in the server for those that SQL makes and those that the
//! protocol makes, and so one here.
//!
//! Of those that SQL makes, the server says the texts (`meaning`); a name that it gave away means what it said until
//! the next thing that could change it, after which it is asked again.

use std::{collections::HashMap, sync::Arc};

use super::{
    conversation::Lookup,
    meaning::Names,
    relay::{Ending, Session},
};
use crate::{
    protocol::postgres::{
        inspect::{self, Understood},
        message::Text,
        refuse::Report,
    },
    sql::{self, Definition, NameUse},
};

/// A prepared statement that SQL made; no text where it is not plain.
#[derive(Debug, Clone)]
pub(super) struct SqlStatement {
    pub(super) text: Option<Arc<str>>,
    pub(super) parameter_types: Arc<[u32]>,
}

/// A cursor that SQL declared.
#[derive(Debug, Clone)]
struct SqlCursor {
    text: Option<Arc<str>>,
    /// The schemas that its names were looked up in, once and for all.
    path: Arc<[String]>,
}

/// What SQL made in this session.
#[derive(Debug, Default)]
pub(super) struct SqlNames {
    statements: HashMap<String, SqlStatement>,
    cursors: HashMap<String, SqlCursor>,
}

impl SqlNames {
    /// Takes what the server said. Cursors that were known keep the path they were declared in.
    fn take(&mut self, names: &Names, path: &Arc<[String]>) {
        let known = std::mem::take(self);
        for (name, (text, types)) in &names.statements {
            let Made::BySql(made) = made(text.as_deref(), name, false) else { continue };
            let parameter_types = Arc::from(types.as_slice());
            self.statements.insert(name.clone(), SqlStatement { text: made, parameter_types });
        }
        for (name, text) in &names.cursors {
            let Made::BySql(made) = made(text.as_deref(), name, true) else { continue };
            let before = known.cursors.get(name).filter(|cursor| cursor.text == made);
            let path = before.map_or_else(|| Arc::clone(path), |cursor| Arc::clone(&cursor.path));
            self.cursors.insert(name.clone(), SqlCursor { text: made, path });
        }
    }

    pub(super) fn statement(&self, name: &Text) -> Option<&SqlStatement> {
        self.statements.get(name.as_str())
    }

    pub(super) fn has_cursor(&self, name: &Text) -> bool {
        self.cursors.contains_key(name.as_str())
    }

    /// The protocol makes this name now. Returns whether SQL had it.
    pub(super) fn yield_statement(&mut self, name: &Text) -> bool {
        self.statements.remove(name.as_str()).is_some()
    }

    /// The protocol makes this name now. Returns whether SQL had it.
    pub(super) fn yield_cursor(&mut self, name: &Text) -> bool {
        self.cursors.remove(name.as_str()).is_some()
    }
}

/// What made a name.
enum Made {
    /// The protocol, or the code of a function.
    Elsewhere,
    /// SQL, with this statement inside; none where it is not plain.
    BySql(Option<Arc<str>>),
}

fn made(text: Option<&str>, name: &str, is_cursor: bool) -> Made {
    let Some(text) = text else { return Made::Elsewhere };
    match sql::definition(text, name, is_cursor, None) {
        Definition::Here(inside) => Made::BySql(Some(Arc::from(inside))),
        Definition::Elsewhere if is_cursor => Made::Elsewhere,
        // A text of PREPARE that does not make the name plainly: nothing is known of it.
        Definition::Unclear | Definition::Elsewhere => Made::BySql(None),
    }
}

impl Session {
    /// Takes what the server said of prepared statements and cursors.
    pub(super) fn take_sql_names(&mut self, names: &Names, path: &Arc<[String]>) -> Result<(), Ending> {
        self.meaning.sql.take(names, path);
        for name in self.meaning.sql.statements.keys().filter_map(|name| Text::copied(name)) {
            self.talk.forget_statement(&name);
        }
        let cursors: Vec<Text> = self.meaning.sql.cursors.keys().filter_map(|name| Text::copied(name)).collect();
        for name in cursors {
            if let Some(number) = self.talk.forget_portal(&name) {
                self.end_portal(number)?;
            }
        }
        Ok(())
    }

    /// What a text means that uses names: what they stand for, with the arguments in their places.
    pub(super) fn read_through_names(&mut self, outer: &Arc<Understood>) -> Arc<Understood> {
        let through = sql::uses(&outer.text).and_then(|uses| {
            let text = sql::resolved(&outer.text, &uses, &|one| self.stands_for(&outer.text, one))?;
            let inner = self.environment.understandings.of(&text, &self.sight).ok()?;
            Some(inspect::through(outer, &inner, &uses))
        });
        Arc::new(through.unwrap_or_else(|| inspect::unresolved(outer, &self.sight)))
    }

    fn stands_for(&self, text: &str, one: &NameUse) -> Option<String> {
        match sql::definition(text, &one.name, one.is_cursor, Some(one.index)) {
            Definition::Here(inside) => return Some(inside),
            Definition::Unclear => return None,
            Definition::Elsewhere => {}
        }
        let name = Text::copied(&one.name)?;
        let of = |understood: &Understood| understood.resolved.as_ref().unwrap_or(&understood.text).to_string();
        if one.is_cursor {
            if let Some(cursor) = self.meaning.sql.cursors.get(&one.name) {
                // Names in it were looked up when it was declared.
                let text = cursor.text.as_ref().filter(|_| cursor.path == self.sight.search_path)?;
                return Some(text.to_string());
            }
            return match self.talk.portal(&name) {
                Lookup::Known(portal) => Some(of(&portal.understood)),
                Lookup::Absent | Lookup::Unsettled => None,
            };
        }
        if let Some(statement) = self.meaning.sql.statements.get(&one.name) {
            return statement.text.as_ref().map(ToString::to_string);
        }
        match self.talk.statement(&name) {
            Lookup::Known(prepared) => Some(of(&prepared.understood)),
            Lookup::Absent | Lookup::Unsettled => None,
        }
    }

    /// Whether the only statement of a text uses a name that nothing has: the server's own error is the answer.
    pub(super) fn fails_by_name(&mut self, understood: &Understood) -> Result<bool, Ending> {
        if !understood.uses_names || understood.resolved.is_some() || understood.statements != 1 {
            return Ok(false);
        }
        let uses = sql::uses(&understood.text).unwrap_or_default();
        let [one] = uses.as_slice() else { return Ok(false) };
        let Some(name) = Text::copied(&one.name) else { return Ok(false) };
        let (is_absent, sqlstate, what) = if one.is_cursor {
            let absent = matches!(self.talk.portal(&name), Lookup::Absent);
            // A cursor of a function's making is not in the list of declared ones, but in the server's.
            (absent && !self.meaning.other_cursors.contains(&one.name), "34000", "cursor")
        } else {
            (matches!(self.talk.statement(&name), Lookup::Absent), "26000", "prepared statement")
        };
        let known = self.meaning.sql.statements.contains_key(&one.name) && !one.is_cursor
            || self.meaning.sql.cursors.contains_key(&one.name) && one.is_cursor;
        if !is_absent || known {
            return Ok(false);
        }
        let message = format!("{what} \"{}\" does not exist", one.name);
        self.fail_with(&Report::error(sqlstate, &message), true)?;
        Ok(true)
    }
}
