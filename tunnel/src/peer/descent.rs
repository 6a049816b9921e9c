//! Which process holds a socket, and which run it descends from, as `/proc` tells it.
//!
//! A run's keeper is known by its name on the process table. It is a subreaper, so whatever its command started stays below it.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use super::{Descent, PeerError};

/// The name under which the keeper of a run stands in the process table.
pub const RUN_MARK: &str = "hoop-run";

/// Passes only when every process that holds the socket has this descent. A socket that nobody holds passes for nobody.
pub(super) fn check(inode: u32, wanted: Descent) -> Result<(), PeerError> {
    if wanted == Descent::NoRun && !any_run_lives() {
        return Ok(());
    }
    let mut holders = 0;
    for process in processes().filter(|process| holds(*process, inode)) {
        holders += 1;
        check_process(process, wanted)?;
    }
    if holders == 0 { Err(PeerError::Hidden) } else { Ok(()) }
}

/// Passes only when this process has this descent.
pub(super) fn check_process(process: u32, wanted: Descent) -> Result<(), PeerError> {
    match (run_of(process), wanted) {
        (None, Descent::NoRun) => Ok(()),
        (Some(keeper), Descent::Run(ours)) if keeper == ours => Ok(()),
        (Some(_), _) => Err(PeerError::OfARun),
        (None, Descent::Run(_)) => Err(PeerError::NotOfTheRun),
    }
}

/// Every process below this one.
pub fn descendants(of: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = processes().filter_map(|process| Some((process, parent(process)?))).collect();
    let mut found = vec![of];
    let mut seen = 0;
    while let Some(next) = found.get(seen).copied() {
        seen += 1;
        let below = parents.iter().filter(|(process, parent)| *parent == next && !found.contains(process));
        let below: Vec<u32> = below.map(|(process, _)| *process).collect();
        found.extend(below);
    }
    found.split_off(1)
}

fn any_run_lives() -> bool {
    processes().any(is_keeper)
}

/// The nearest keeper at or above a process.
fn run_of(process: u32) -> Option<u32> {
    let mut process = process;
    for _ in 0..DEEPEST {
        if is_keeper(process) {
            return Some(outermost(process));
        }
        process = parent(process).filter(|parent| *parent > 0)?;
    }
    // FAIL-CLOSED: deeper than any real descent; it passes for nobody's.
    Some(0)
}

/// A jail has two keepers, one inside of the other: the outer one is the run's.
fn outermost(keeper: u32) -> u32 {
    let mut keeper = keeper;
    for _ in 0..DEEPEST {
        match parent(keeper).filter(|parent| is_keeper(*parent)) {
            Some(outer) => keeper = outer,
            None => break,
        }
    }
    keeper
}

fn is_keeper(process: u32) -> bool {
    let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).next() == Some(RUN_MARK.as_bytes())
}

/// SPEC: `proc_pid_stat(5)`: the fourth field, behind the name in brackets, which may itself hold brackets.
fn parent(process: u32) -> Option<u32> {
    let line = fs::read(format!("/proc/{process}/stat")).ok()?;
    let behind = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(line.get(behind + 1..)?).ok()?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

fn holds(process: u32, inode: u32) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    let wanted = format!("socket:[{inode}]");
    descriptors.flatten().any(|descriptor| {
        fs::read_link(descriptor.path()).is_ok_and(|target| target.as_os_str().as_bytes() == wanted.as_bytes())
    })
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

const DEEPEST: usize = 4096;
