//! The upstream: the real server behind a connection. Dialling, TLS, the catalogue it describes itself with, and the
//! outlet, the only way bytes reach it after login.
//!
//! Knows addresses and credentials, never principals or policies.

mod cancel;
mod catalogue;
mod dial;
mod estimate;
mod http;
mod outlet;
mod path;
mod probe;
mod roles;
mod ssh;
mod survey;
mod via;

pub use cancel::{CancelOrder, cancel};
pub(crate) use catalogue::Overheard;
pub use catalogue::{
    Cast, Catalogue, CatalogueError, CatalogueRead, Column, Conversion, Events, Local, LocalColumn, LocalRelation,
    Relation, RelationKind, Routine, Runs, TaggedColumn, Volatility,
};
pub(crate) use dial::dial_secured;
pub use dial::{DialError, Target, TlsMode, Wire, dial};
pub use estimate::{Estimate, PlanOrder, PlannedChange, Planner};
pub use http::{
    Answered, Cover, CredentialOrder, HttpOutlet, Injected, Injector, InjectorError, Marks, OwnRequest, SendError,
    Unauthorized,
};
pub use outlet::{Continuation, NotOpen, Outlet, OwnMessage};
pub(crate) use path::default_path;
pub use probe::{Privileges, ProbeError, ProbeOrder, TlsFacts};
pub use roles::{RoleLender, fresh_name};
pub use ssh::{
    Cut, LinkEnds, LinkPurpose, LoginOrder, ReaderOrder, SshAccount, SshChannel, SshError, SshKeyError, SshKeys,
    SshLink, SshLogin, SshOutlet, SshProbe, SweepOrder, Written,
};
pub use survey::{ColumnSample, Survey, SurveyError, SurveyLimits, SurveyOrder};
pub use via::{Line, Via, ViaError};
