//! New namespaces for this process: users, mounts, network, processes, messages, names. Needs no privilege where the system lets users have them.

use std::{fs, io};

use nix::unistd::{getegid, geteuid};
use rustix::thread::UnshareFlags;

use crate::exec::plan::Trouble;

/// Descriptors that whoever started us left open are ways out: all but the standard ones are closed.
pub(super) fn close_what_was_inherited() -> io::Result<()> {
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2)
        .collect();
    for descriptor in open {
        // The one that listed the folder is closed already.
        nix::unistd::close(descriptor).ok();
    }
    Ok(())
}

/// Enters them; inside, we are who we were.
pub(super) fn enter() -> Result<(), Trouble> {
    let (user, group) = (geteuid(), getegid());
    let all = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    unshare(all).map_err(|error| {
        Trouble::new("this system does not let the jail have namespaces of its own", error).next(ADVICE)
    })?;
    let map = |file: &str, text: String| {
        fs::write(format!("/proc/self/{file}"), text)
            .map_err(|error| Trouble::new(format!("the jail's {file} cannot be written"), error).next(ADVICE))
    };
    map("setgroups", "deny".to_owned())?;
    map("uid_map", format!("{user} {user} 1"))?;
    map("gid_map", format!("{group} {group} 1"))
}

#[expect(deprecated, reason = "it is unsafe only where it takes file descriptors away, and none of these flags does")]
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    rustix::thread::unshare(flags)
}

pub(super) const ADVICE: &str = "let users have namespaces: `sysctl user.max_user_namespaces` must not be 0, \
    `kernel.unprivileged_userns_clone` must be 1 and `kernel.apparmor_restrict_unprivileged_userns` 0 where they exist, and a \
    container must permit `unshare`; or, for people, use `--no-jail`";
