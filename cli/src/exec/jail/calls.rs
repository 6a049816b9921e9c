//! System calls that nobody inside needs and that lead out: refused by the kernel before they begin.
//!
//! Everything else is allowed: what is confined are namespaces, files and privileges; this closes the ways around them.

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter, sock_filter,
};

use crate::exec::plan::Trouble;

/// Refuses them for this process and all that it starts.
pub(super) fn restrict() -> Result<(), Trouble> {
    let filters = filters()
        .map_err(|error| Trouble::new("the jail's filter of system calls cannot be made for this processor", error))?;
    for filter in filters {
        apply_filter(&filter).map_err(|error| Trouble::new("this kernel takes no filter of system calls", error))?;
    }
    Ok(())
}

fn filters() -> Result<Vec<BpfProgram>, seccompiler::BackendError> {
    let mut filters = vec![
        program(absent().map(|call| (call, Vec::new())).collect(), libc::ENOSYS)?,
        program(refused().map(|call| (call, Vec::new())).chain(refused_in_part()?).collect(), libc::EPERM)?,
        program(foreign_sockets()?, libc::EAFNOSUPPORT)?,
    ];
    if cfg!(target_arch = "x86_64") {
        filters.push(no_second_numbers());
    }
    Ok(filters)
}

fn program(rules: Vec<(i64, Vec<SeccompRule>)>, error: i32) -> Result<BpfProgram, seccompiler::BackendError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let mut merged: std::collections::BTreeMap<i64, Vec<SeccompRule>> = std::collections::BTreeMap::new();
    for (call, more) in rules {
        merged.entry(call).or_default().extend(more);
    }
    let error = SeccompAction::Errno(u32::try_from(error).unwrap_or(1));
    SeccompFilter::new(merged, SeccompAction::Allow, error, architecture)?.try_into()
}

/// Programs ask for these when they can do without: they hear that the kernel does not have them.
fn absent() -> impl Iterator<Item = i64> {
    // `clone3` hides its flags behind a pointer; without it, `clone` is asked, whose flags we see.
    [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register, libc::SYS_clone3].into_iter()
}

fn refused() -> impl Iterator<Item = i64> {
    let others = [
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_process_madvise,
        libc::SYS_kcmp,
        libc::SYS_pidfd_getfd,
    ];
    let kernel = [
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_keyctl,
        libc::SYS_kexec_load,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_acct,
        libc::SYS_quotactl,
        libc::SYS_syslog,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_fanotify_init,
        libc::SYS_vhangup,
    ];
    let mounts = [
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_open_tree,
        libc::SYS_move_mount,
        libc::SYS_fsopen,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fspick,
        libc::SYS_mount_setattr,
        libc::SYS_name_to_handle_at,
        libc::SYS_open_by_handle_at,
    ];
    let namespaces = [libc::SYS_unshare, libc::SYS_setns];
    others.into_iter().chain(kernel).chain(mounts).chain(namespaces).chain(numbered())
}

/// Calls without a name in our library.
fn numbered() -> impl Iterator<Item = i64> {
    // `open_tree_attr`, `quotactl_fd`: the same numbers on every architecture since Linux 5.1.
    [467, 443].into_iter()
}

/// Calls that are only refused with some arguments.
fn refused_in_part() -> Result<Vec<(i64, Vec<SeccompRule>)>, seccompiler::BackendError> {
    let has = |argument: u8, bits: u64| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(bits), bits)
    };
    let is =
        |argument: u8, value: u64| SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value);
    let one = |condition| SeccompRule::new(vec![condition]);
    let mut new_namespaces = Vec::new();
    for flag in NEW_NAMESPACES {
        new_namespaces.push(one(has(0, flag)?)?);
    }
    // Typing into our own terminal would be typed to whoever has it next.
    let terminal = vec![one(is(1, TIOCSTI)?)?, one(is(1, TIOCLINUX)?)?, one(is(1, TIOCSETD)?)?];
    Ok(vec![(libc::SYS_clone, new_namespaces), (libc::SYS_ioctl, terminal)])
}

/// Only IP and Unix sockets, and of IP only TCP and UDP: MPTCP, SCTP, raw, netlink, packet, vsock and their like are not.
fn foreign_sockets() -> Result<Vec<(i64, Vec<SeccompRule>)>, seccompiler::BackendError> {
    let is_not = |argument: u8, value: i32| {
        let value = u64::try_from(value).unwrap_or(u64::MAX);
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)
    };
    let families =
        SeccompRule::new(vec![is_not(0, libc::AF_UNIX)?, is_not(0, libc::AF_INET)?, is_not(0, libc::AF_INET6)?])?;
    let protocols =
        SeccompRule::new(vec![is_not(2, 0)?, is_not(2, libc::IPPROTO_TCP)?, is_not(2, libc::IPPROTO_UDP)?])?;
    Ok(vec![(libc::SYS_socket, vec![families.clone(), protocols]), (libc::SYS_socketpair, vec![families])])
}

/// x86-64 kernels may have every call a second time under another number (x32): a process that uses one is killed.
fn no_second_numbers() -> BpfProgram {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_NOT_LESS: u16 = 0x35;
    const RETURN: u16 = 0x06;
    vec![
        sock_filter { code: LOAD_WORD, jt: 0, jf: 0, k: 0 },
        sock_filter { code: JUMP_IF_NOT_LESS, jt: 0, jf: 1, k: X32_BIT },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: SeccompAction::KillProcess.into() },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: SeccompAction::Allow.into() },
    ]
}

const X32_BIT: u32 = 0x4000_0000;
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541c;
const TIOCSETD: u64 = 0x5423;
/// SPEC: `clone(2)`: mounts, cgroups, names, messages, users, processes, network.
const NEW_NAMESPACES: [u64; 7] = [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile_and_fit() {
        let filters = filters().unwrap();
        assert!(
            filters.iter().all(|filter| filter.len() < 1000),
            "{:?}",
            filters.iter().map(Vec::len).collect::<Vec<_>>()
        );
    }
}
