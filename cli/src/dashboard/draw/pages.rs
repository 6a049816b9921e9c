//! The page of health.

use hoop_gateway_core::api::types::Health;
use ratatui::layout::Rect;

use super::brush::{Brush, row};
use crate::{
    dashboard::{
        moments,
        state::{Link, State},
    },
    paint::{Role, Sign},
};

/// What works at the gateway, and how this dashboard stands to it.
pub(super) fn health(state: &State, area: Rect, brush: &mut Brush<'_>) {
    let mut facts = Facts { area, index: 1, brush };
    facts.fact("gateway", &state.gateway, Role::Text);
    link(state, &mut facts);
    match &state.health.health {
        None => facts.fact("health", "asking …", Role::Dim),
        Some(Err(why)) => facts.works("health", Err(why)),
        Some(Ok(health)) => parts(*health, &mut facts),
    }
    facts.index += 1;
    let ours = env!("CARGO_PKG_VERSION");
    if let Some(gateway) = &state.health.gateway {
        let development = if gateway.dev { ", a development gateway" } else { "" };
        let text = crate::output::printable_line(&format!("{}{development}", gateway.version));
        facts.fact("its version", &text, if gateway.version == ours { Role::Text } else { Role::Warn });
        facts.fact("issuer", &crate::output::printable_line(&gateway.identity.issuer), Role::Text);
    }
    facts.fact("our version", ours, Role::Text);
    facts.index += 1;
    if let Some(me) = &state.me {
        facts.fact("you", &crate::whoami::describe(&me.principal), Role::Text);
        let left = state.token_left_millis().unwrap_or(0);
        let token =
            if left > 0 { format!("{} left, renewed by itself", moments::coarse(left)) } else { "ended".into() };
        facts.fact("token", &token, if left > 0 { Role::Text } else { Role::Bad });
    }
    let counts = format!(
        "{} requests and {} sessions are kept here",
        state.approvals.listing.len(),
        state.sessions.listing.len()
    );
    facts.fact("this screen", &counts, Role::Dim);
}

fn link(state: &State, facts: &mut Facts<'_, '_>) {
    match &state.link {
        Link::Connecting => facts.fact("connection", "not there yet", Role::Held),
        Link::Live => facts.works("connection", Ok("changes come as they happen")),
        Link::Lost { why, .. } => facts.works("connection", Err(why)),
    }
}

fn parts(health: Health, facts: &mut Facts<'_, '_>) {
    let parts = [
        ("recorder", health.recorder, "operations can be recorded", "nothing can be recorded, so nothing runs"),
        ("store", health.store, "approvals and sessions can be stored", "approvals and sessions cannot be stored"),
        ("identity", health.identity, "logins can be verified", "logins cannot be verified"),
    ];
    for (name, works, good, bad) in parts {
        facts.works(name, if works { Ok(good) } else { Err(bad) });
    }
}

struct Facts<'brush, 'buffer> {
    area: Rect,
    index: usize,
    brush: &'brush mut Brush<'buffer>,
}

/// The labels have this many columns.
const LABEL: u16 = 14;

impl Facts<'_, '_> {
    fn fact(&mut self, label: &str, text: &str, role: Role) {
        let place = row(self.area, self.index);
        self.brush.text(Rect { x: place.x + 2, width: place.width.saturating_sub(2), ..place }, label, Role::Dim);
        let indent = LABEL + 2;
        self.brush.text(Rect { x: place.x + indent, width: place.width.saturating_sub(indent), ..place }, text, role);
        self.index += 1;
    }

    fn works(&mut self, label: &str, outcome: Result<&str, &str>) {
        let (sign, text, role) = match outcome {
            Ok(text) => (Sign::Permitted, text, Role::Ok),
            Err(text) => (Sign::Refused, text, Role::Bad),
        };
        let text = format!("{} {text}", self.brush.sign(sign));
        self.fact(label, &text, role);
    }
}
