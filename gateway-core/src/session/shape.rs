//! The shape of a message, and the leases of shapes that reviewers gave: statements that differ in constants only.
//!
//! A shape binds to everything that an approval binds to, except session, constants and parameters. It is open to
//! reviewers only where nothing but harmless constants hides behind it; whatever else there is, is held each time.

use super::relay::Session;
use crate::{
    model::{ApprovalNeed, Effect, Operation, ShapeId, Verb, flow::Inspected},
    policy::Decision,
    protocol::postgres::{inspect::Understood, message::Frontend},
    sql,
};

impl Session {
    /// The shape of a message of one statement; `None` where it has none.
    pub(super) fn shape(&self, inspected: &Inspected<Frontend>, understood: &Understood) -> Option<ShapeId> {
        let [operation] = inspected.operations() else { return None };
        if understood.uses_names || understood.statements != 1 {
            return None;
        }
        let bare = sql::without_constants(&understood.text)?;
        let facts = [operation.has_where, operation.export].map(u8::from);
        let mut parts: Vec<&[u8]> = vec![
            b"hoop shape 1",
            self.facts.name.as_str().as_bytes(),
            self.facts.database.as_bytes(),
            self.role.as_bytes(),
            bare.as_bytes(),
            operation.kind.as_bytes(),
            operation.effect.as_str().as_bytes(),
            &facts,
        ];
        for access in &operation.accesses {
            parts.push(access.verb.as_str().as_bytes());
            let object = access.object.as_ref();
            parts.extend(object.iter().flat_map(|object| [object.schema.as_bytes(), object.name.as_bytes()]));
        }
        parts.push(b"search path");
        parts.extend(self.sight.search_path.iter().map(String::as_bytes));
        Some(ShapeId::of(parts))
    }

    /// Decides under a lease of the message's shape, where one covers it. The policies of now decide again: a lease
    /// that fewer or other reviewers gave than they ask for now lifts nothing.
    pub(super) fn decide_by_shape(
        &self,
        need: ApprovalNeed,
        inspected: Inspected<Frontend>,
        understood: &Understood,
    ) -> Decision<Frontend> {
        let leases = self.environment.desk.leases();
        let grant = {
            let leases = leases.borrow();
            let open = need.shape.is_some() && !leases.is_empty() && is_open(inspected.operations(), understood);
            let shape = if open { self.shape(&inspected, understood) } else { None };
            shape.and_then(|shape| {
                let rows = inspected.operations().first().and_then(|operation| operation.estimated_rows);
                let now = self.environment.clock.unix_millis();
                leases.shape_grant(&self.principal, &self.facts.name, &shape, rows, inspected.digest(), now)
            })
        };
        match grant {
            Some(grant) => {
                self.policies.decide_approved(&self.principal, &self.facts, inspected, &self.circumstances(), grant)
            }
            None => Decision::NeedsApproval { need, inspected },
        }
    }
}

/// Whether nothing but harmless constants hides behind the shape, and the planner knows how many rows it is about.
pub(super) fn is_open(operations: &[Operation], understood: &Understood) -> bool {
    let [operation] = operations else { return false };
    let plain = |verb| matches!(verb, Verb::Select | Verb::Insert | Verb::Update | Verb::Delete);
    // FAIL-CLOSED: a value of a tagged column, or a column that is compared with one, is for reviewers to see each time.
    understood.statements == 1
        && !understood.uses_names
        && understood.resolved.is_none()
        && understood.seals.is_empty()
        && understood.secrets.is_empty()
        && understood.parameter_classes.is_empty()
        && operation.filters_on.is_empty()
        && !operation.export
        && operation.estimated_rows.is_some()
        && matches!(operation.effect, Effect::Read | Effect::Write)
        && operation.accesses.iter().all(|access| plain(access.verb) && access.object.is_some())
}
