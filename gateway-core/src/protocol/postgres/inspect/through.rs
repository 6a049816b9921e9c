//! A text that uses prepared statements or cursors by name, understood as what the names stand for. Pure.

use std::sync::Arc;

use super::{Masking, Reason, Sight, Understood, ahead};
use crate::{
    model::{Access, Operation, Verb},
    sql::NameUse,
};

/// What `outer` means, from what the text means that it is read as.
pub fn through(outer: &Understood, inner: &Understood, uses: &[NameUse]) -> Understood {
    let mut operations: Vec<Operation> = inner.operations.to_vec();
    for one in uses.iter().filter(|one| one.is_cursor) {
        if let Some(operation) = operations.get_mut(one.index) {
            fetch(operation, one.only_moves);
        }
    }
    Understood {
        text: Arc::clone(&outer.text),
        resolved: Some(Arc::clone(&inner.text)),
        uses_names: true,
        operations: Arc::from(operations),
        // FAIL-CLOSED: what is sent names something; the values that its text needs cannot be put in.
        masking: if inner.sent.is_some() { Masking::Refused(super::pseudonym()) } else { inner.masking.clone() },
        record_masking: inner.record_masking.clone(),
        sent: None,
        pseudonym_classes: inner.pseudonym_classes.clone(),
        seals: inner.seals.clone(),
        secrets: inner.secrets.clone(),
        parameter_classes: inner.parameter_classes.clone(),
        changes_catalogue: inner.changes_catalogue,
        aftermath: inner.aftermath,
        copy_out: inner.copy_out.clone(),
        copies_csv: inner.copies_csv,
        copies_in: inner.copies_in,
        statements: outer.statements,
        unresolved: inner.unresolved,
    }
}

/// A FETCH goes on with the query of its cursor: it reads what that reads.
fn fetch(operation: &mut Operation, only_moves: bool) {
    operation.kind = Arc::from(if only_moves { "move" } else { "fetch" });
    let reads = std::mem::take(&mut operation.accesses);
    operation.accesses = reads
        .into_iter()
        .map(|access| Access { verb: if access.verb == Verb::Select { Verb::Fetch } else { access.verb }, ..access })
        .collect();
}

/// What a text means whose names stand for something that is not known.
pub fn unresolved(outer: &Understood, sight: &Sight) -> Understood {
    let mut operations: Vec<Operation> = outer.operations.to_vec();
    operations.iter_mut().for_each(ahead::make_unknown);
    let masking = if sight.shows_masked() {
        Masking::Refused(Reason {
            message: "what this prepared statement or cursor reads is not known, so it cannot be masked".to_owned(),
            hint: "Prepare or declare it by a statement of its own, or run the query itself.".to_owned(),
        })
    } else {
        outer.masking.clone()
    };
    Understood {
        text: Arc::clone(&outer.text),
        resolved: None,
        sent: None,
        pseudonym_classes: std::collections::BTreeMap::new(),
        uses_names: true,
        operations: Arc::from(operations),
        masking,
        record_masking: outer.record_masking.clone(),
        seals: outer.seals.clone(),
        secrets: outer.secrets.clone(),
        parameter_classes: outer.parameter_classes.clone(),
        changes_catalogue: true,
        aftermath: super::Aftermath { rereads: crate::sql::Rereads::Path, ..outer.aftermath },
        copy_out: outer.copy_out.clone(),
        copies_csv: outer.copies_csv,
        copies_in: outer.copies_in,
        statements: outer.statements,
        unresolved: false,
    }
}
