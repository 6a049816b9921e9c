//! What ends a session from outside, for the kinds that serve a client by a library: a kill, an identity, a record that
//! fails, policies, a window of access.
//!
//! Knows no protocol.

use hoop_tunnel::acceptor::LinkIdentity;

use super::{
    access::{Admission, admission, moves},
    ending::Ending,
    open::Arrival,
    registry::{self, Membership},
};
use crate::model::{Refusal, RefusalKind};

/// Waits for what ends a session from outside (law 9).
pub(super) async fn wake(arrival: &Arrival, membership: &mut Membership) -> Ending {
    let environment = &arrival.environment;
    let mut identity = arrival.identity.clone();
    let mut policies = arrival.served.policies.clone();
    let mut failed = environment.recorder.failed();
    let mut leases = environment.desk.leases();
    let mut window = arrival.window.clone();
    loop {
        tokio::select! {
            biased;
            end = registry::told(&mut membership.end) => return Ending::from(end),
            changed = identity.changed() => {
                let valid = match &*identity.borrow_and_update() {
                    LinkIdentity::Valid { principal: presence, .. } => presence.is_of(&arrival.principal, arrival.run.as_ref()),
                    LinkIdentity::Expired => false,
                };
                if changed.is_err() || !valid {
                    return Ending::Identity;
                }
            }
            Ok(()) = failed.changed() => if *failed.borrow_and_update() { return Ending::Unrecorded },
            Ok(()) = policies.changed() => {}
            () = moves(window.clone(), environment.clock.clone(), &mut leases) => {}
        }
        let (in_force, open) = (policies.borrow_and_update().clone(), environment.desk.leases().borrow().clone());
        let now = environment.clock.unix_millis();
        match admission(&in_force, &open, &arrival.principal, &arrival.served.facts, &arrival.circumstances(), now) {
            Admission::Open(still) => window = still,
            Admission::Refused(refusal) => return Ending::Policy(refusal),
            Admission::Needs(_) => {
                let message = "a policy change made this connection need an approval".to_owned();
                let refusal = Refusal { kind: RefusalKind::Policy, rule: None, message, hint: None };
                return window.take().map_or(Ending::Policy(refusal), |window| Ending::Window(window.approval));
            }
        }
    }
}
