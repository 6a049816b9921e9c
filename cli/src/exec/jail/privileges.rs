//! Capabilities: what the first process inside needs to build the jail, and then nothing, for good.

use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
    set_capabilities_secure_bits, set_no_new_privs,
};

use crate::exec::plan::Trouble;

/// Lets the next program that this process becomes or starts keep what building the jail needs.
pub(super) fn keep_for_the_inside() -> Result<(), Trouble> {
    let failed = |error| Trouble::new("the jail cannot be built", error).next(super::namespace::ADVICE);
    let ours = capabilities(None).map_err(failed)?;
    let sets = CapabilitySets { inheritable: ours.permitted, ..ours };
    set_capabilities(None, sets).map_err(failed)?;
    for needed in [CapabilitySet::SYS_ADMIN, CapabilitySet::SETPCAP, CapabilitySet::DAC_OVERRIDE] {
        configure_capability_in_ambient_set(needed, true).map_err(failed)?;
    }
    Ok(())
}

/// Gives everything up: no program that is ever started inside has, or gets, a capability.
pub(super) fn drop_all() -> Result<(), Trouble> {
    let failed = |error| Trouble::new("the jail's privileges cannot be dropped", error);
    clear_ambient_capability_set().map_err(failed)?;
    for capability in CapabilitySet::all().iter().filter(|one| one.bits().is_power_of_two()) {
        match remove_capability_from_bounding_set(capability) {
            // A kernel that does not know a capability cannot grant it either.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let locked = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    set_capabilities_secure_bits(locked).map_err(failed)?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).map_err(failed)?;
    set_no_new_privs(true).map_err(failed)?;
    let left = capabilities(None).map_err(failed)?;
    if left.permitted.is_empty() && left.effective.is_empty() && left.inheritable.is_empty() {
        Ok(())
    } else {
        Err(Trouble::new("the jail's privileges cannot be dropped", "some are left"))
    }
}
