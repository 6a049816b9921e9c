//! How a principal sees a connection over HTTP: what is masked, what is sealed, what would pass.

use std::sync::Arc;

use crate::{
    config::ColumnPattern,
    mask::MaskFunction,
    model::{Operation, Principal, Verdict},
    policy::{Circumstances, PolicySet, Reveal},
    protocol::http::dialect::{MaskedPlace, Permits, Sight},
    session::{
        environment::{Environment, Served},
        shared::veil,
    },
};

/// How `who` sees it by these policies, in these circumstances.
pub(in crate::session) fn sight(
    environment: &Environment,
    served: &Served,
    who: &Principal,
    policies: &PolicySet,
    at: Circumstances,
) -> Sight {
    let to = &served.facts;
    let veiled = |tag: &str| match policies.reveal(who, to, tag) {
        Reveal::Masked { function, .. } => Some(function),
        Reveal::Clear => None,
    };
    Sight {
        detectors: Arc::new(veil(environment, served, who, policies)),
        sensitive: Arc::new(environment.detectors.clone()),
        places: places(environment, served, veiled),
        tagged: places(environment, served, |_| Some(MaskFunction::Redact)),
        permits: permits(served, who, policies, at),
        who: format!("{:?} {}", who.kind, who.name).into(),
    }
}

/// Whether an operation would pass, or could after an approval.
pub(super) fn permits(served: &Served, who: &Principal, policies: &PolicySet, at: Circumstances) -> Permits {
    let (deciding, asker, on) = (policies.clone(), who.clone(), served.facts.clone());
    Arc::new(move |operation: &Operation| match deciding.weigh(&asker, &on, operation, &at) {
        Verdict::Permit { .. } | Verdict::NeedsApproval(_) => true,
        Verdict::Refuse(_) => false,
    })
}

/// The places in bodies that `masking.toml` tags, as far as `veil` hides them.
fn places(
    environment: &Environment,
    served: &Served,
    veil: impl Fn(&str) -> Option<MaskFunction>,
) -> Arc<[MaskedPlace]> {
    let rules = environment.masking.columns.iter().filter(|rule| rule.connection.selects(&served.facts));
    let mut places = Vec::new();
    for rule in rules {
        let Some(function) = veil(&rule.tag) else { continue };
        let paths = rule.columns.iter().filter_map(ColumnPattern::body_path);
        places.extend(paths.map(|path| MaskedPlace { path, class: Arc::from(rule.tag.as_str()), function }));
    }
    places.into()
}
