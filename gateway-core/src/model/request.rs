//! What policies and reviewers may ask of a request that came over HTTP: its canonical parts, as text.

use std::collections::BTreeMap;

/// The canonical parts of one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestFacts {
    /// The method, in capitals.
    pub method: String,
    /// The host of the upstream.
    pub host: String,
    /// The canonical path, without the query.
    pub path: String,
    /// The template that it is of; the path itself where the site names none for it.
    pub template: String,
    /// `path.id`, `query.limit`, `header.accept`, `body.customer.email`, each as text.
    pub attributes: BTreeMap<String, String>,
}
