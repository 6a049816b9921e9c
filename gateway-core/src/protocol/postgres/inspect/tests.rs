//! A small shop to look at texts in, and what they ask for there.

mod calls;
mod masks;
mod names;
mod pseudonyms;

use std::{collections::BTreeMap, sync::Arc};

use super::{Sight, Understood, Veil, understand};
use crate::{
    mask::{Detectors, MaskFunction},
    model::RuleId,
    upstream::Catalogue,
};

pub(crate) const CUSTOMERS: u32 = 1;
pub(crate) const ORDERS: u32 = 3;
pub(crate) const CONTACTS: u32 = 4;
pub(crate) const PUBLIC_FIRST: &[&str] = &["pg_catalog", "public", "app"];

/// `public.customers` with tagged columns, a namesake without, a view over each kind of table, and user functions.
fn shop() -> Catalogue {
    Catalogue::sample(
        &[
            (CUSTOMERS, "public", "customers", &["id", "name", "email", "card"]),
            (2, "app", "customers", &["id", "name"]),
            (ORDERS, "public", "orders", &["id", "name", "total"]),
            (CONTACTS, "public", "contacts", &["email"]),
            (5, "public", "totals", &["total"]),
            (6, "pg_catalog", "pg_stats", &[]),
            (7, "pg_catalog", "pg_settings", &[]),
        ],
        &[
            (CUSTOMERS, 3, "email", "email"),
            (CUSTOMERS, 4, "card", "credit_card"),
            (CONTACTS, 1, "email", "email"),
            (6, 10, "most_common_vals", "email"),
        ],
        &[(CONTACTS, CUSTOMERS), (5, ORDERS)],
        &["lower", "score"],
    )
}

/// A sight of the shop for somebody for whom these tags are masked; values are searched for the record only.
pub(crate) fn sight(veiled: &[&str], path: &[&str]) -> Sight {
    let catalogue = shop();
    let veil = || Veil { function: MaskFunction::Redact, rule: RuleId("veil".into()) };
    let veils: BTreeMap<Arc<str>, Veil> = veiled.iter().map(|&tag| (Arc::from(tag), veil())).collect();
    Sight {
        overhears: false,
        hides: catalogue.all_tags().iter().any(|tag| veils.contains_key(tag)),
        catalogue: Arc::new(catalogue),
        search_path: path.iter().map(|&schema| schema.to_owned()).collect(),
        veils: Arc::new(veils),
        detectors: Detectors::none(),
        record_detectors: Detectors::builtin(),
        fingerprint: 1,
    }
}

fn understood(text: &str) -> Understood {
    understand(text, &sight(&[], PUBLIC_FIRST)).unwrap()
}
