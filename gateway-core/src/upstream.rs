//! The upstream: the real server behind a connection. Dialling, TLS, the catalogue it describes itself with, and the
//! outlet, the only way bytes reach it after login.
//!
//! Knows addresses and credentials, never principals or policies.

mod catalogue;
mod dial;
mod outlet;

pub use catalogue::{
    Catalogue, CatalogueError, CatalogueRead, Column, Local, LocalColumn, LocalRelation, Relation, RelationKind,
    TaggedColumn,
};
pub use dial::{DialError, Target, TlsMode, Wire, dial};
pub use outlet::{Continuation, NotOpen, Outlet, OwnMessage};
