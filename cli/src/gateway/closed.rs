//! What the gateway's process shows to others of its machine: no core dump, and nothing under `/proc` for who runs as the
//! same user. Its memory and its environment hold secrets.
//!
//! Called once, before any secret is read.

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::failure::Failure;

/// Closes the process. FAIL-CLOSED: one that cannot be closed does not start.
pub(super) fn close() -> Result<(), Failure> {
    let failed = |error: rustix::io::Errno| {
        Failure::failed("the gateway's memory cannot be kept from others of this machine").caused_by(&error)
    };
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(failed)?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).map_err(failed)?;
    Ok(())
}
