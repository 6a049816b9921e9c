//! Landlock: what may be read and what may be written, whatever the mounts say; and nobody outside may be signalled.
//!
//! Demanded whole: a kernel that cannot enforce all of it fails.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, RulesetStatus, Scope,
};

use crate::exec::plan::{JailPlan, Trouble};

/// Restricts this process and all that it starts.
pub(super) fn restrict(jail: &JailPlan) -> Result<(), Trouble> {
    let failed = |error: &dyn std::error::Error| {
        let mut why = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            why = format!("{why}: {error}");
            cause = error.source();
        }
        Trouble::new("this kernel cannot confine the command to its files", why).next(ADVICE)
    };
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(FILES))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(SCOPES)))
        .and_then(Ruleset::create)
        .map_err(|error| failed(&error))?;
    let ruleset = allow(ruleset, jail).map_err(|error| failed(error.as_ref()))?;
    let status = ruleset.restrict_self().map_err(|error| failed(&error))?;
    if status.ruleset == RulesetStatus::FullyEnforced && status.no_new_privs {
        Ok(())
    } else {
        Err(Trouble::new("this kernel cannot confine the command to its files", "it enforces only a part").next(ADVICE))
    }
}

fn allow(mut ruleset: RulesetCreated, jail: &JailPlan) -> Result<RulesetCreated, Box<dyn std::error::Error>> {
    let read = AccessFs::from_read(FILES);
    let devices = read | AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::Truncate;
    // Devices cannot be made anyway; that they may not be is one thing less to trust.
    let write = AccessFs::from_all(FILES) & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    for path in &jail.read {
        ruleset = under(ruleset, path, read)?;
    }
    ruleset = under(ruleset, Path::new("/proc"), AccessFs::ReadFile | AccessFs::ReadDir)?;
    ruleset = under(ruleset, Path::new("/dev"), devices)?;
    let own = ["/tmp", "/var/tmp", "/dev/shm"].map(Path::new);
    for path in jail.write.iter().map(std::path::PathBuf::as_path).chain(own).chain([jail.home.as_path()]) {
        ruleset = under(ruleset, path, write)?;
    }
    Ok(ruleset)
}

fn under(
    ruleset: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, Box<dyn std::error::Error>> {
    let place = PathFd::new(path)?;
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(FILES) };
    Ok(ruleset.add_rule(PathBeneath::new(place, access))?)
}

/// Everything about files up to ioctls on devices: Linux 6.10.
const FILES: ABI = ABI::V5;
/// Abstract sockets and signals: Linux 6.12.
const SCOPES: ABI = ABI::V6;
const ADVICE: &str = "the jail needs Linux 6.12 or later with Landlock among `lsm=` (see /sys/kernel/security/lsm)";
