//! Ends every process that descends from this one: what a command left running ends with it.
//!
//! Needs a subreaper: then orphans stay descendants, however often they forked.

use std::time::{Duration, Instant};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

/// Kills and reaps until nobody is left; gives up on what the kernel does not let go of.
pub(in crate::exec) fn end_all() {
    let myself = std::process::id();
    let began = Instant::now();
    while began.elapsed() < LONGEST {
        for process in hoop_tunnel::peer::descendants(myself) {
            if let Ok(process) = i32::try_from(process) {
                // It may have ended meanwhile.
                kill(Pid::from_raw(process), Signal::SIGKILL).ok();
            }
        }
        if !some_are_left() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Reaps those that ended; whether there are children still.
fn some_are_left() -> bool {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return true,
            Err(Errno::ECHILD) => return false,
            Ok(_) | Err(_) => {}
        }
    }
}

const LONGEST: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(2);
