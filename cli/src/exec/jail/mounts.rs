//! The jail's root: an empty one, with what may be read bound into it read-only, what may be written as it is, and memory for the rest.
//!
//! What is not bound is not there: other homes, sockets of daemons, the system's live state. Called by the first process inside.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    mount_remount, unmount,
};

use super::namespace::ADVICE;
use crate::exec::plan::{JailPlan, Trouble};

/// Builds it and makes it ours; the old root is gone afterwards.
pub(super) fn build(jail: &JailPlan) -> Result<(), Trouble> {
    let at = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| Trouble::new(format!("the jail's files cannot be arranged: {what}"), error).next(ADVICE)
    };
    begin().map_err(at("its root"))?;
    memory(jail).map_err(at("its own folders"))?;
    devices().map_err(at("its devices"))?;
    processes().map_err(at("its view of processes"))?;
    for (path, writable) in in_order(jail) {
        bind(path, writable).map_err(at(&path.display().to_string()))?;
    }
    for (link, target) in &jail.links {
        put_link(link, target).map_err(at(&link.display().to_string()))?;
    }
    for socket in &jail.sockets {
        cover(socket).map_err(at(&socket.display().to_string()))?;
    }
    finish().map_err(at("the end"))
}

/// A root of memory with the old one in it, and a place for the new one.
fn begin() -> io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    tmpfs(Path::new(STAGE), c"mode=0755")?;
    let stage = Path::new(STAGE);
    fs::create_dir(stage.join("old"))?;
    rustix::process::pivot_root(stage, stage.join("old"))?;
    std::env::set_current_dir("/")?;
    fs::create_dir(NEW)?;
    tmpfs(Path::new(NEW), c"mode=0755")
}

/// What is written there is gone with the jail.
fn memory(jail: &JailPlan) -> io::Result<()> {
    for (path, options) in [("/tmp", c"mode=1777"), ("/var/tmp", c"mode=1777"), ("/dev", c"mode=0755")] {
        fs::create_dir_all(new(Path::new(path)))?;
        tmpfs(&new(Path::new(path)), options)?;
    }
    fs::create_dir(new(Path::new("/dev/shm")))?;
    tmpfs(&new(Path::new("/dev/shm")), c"mode=1777")?;
    let home = new(&jail.home);
    fs::create_dir_all(&home)?;
    tmpfs(&home, c"mode=0700")
}

fn devices() -> io::Result<()> {
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        let place = Path::new("/dev").join(name);
        File::create(new(&place))?;
        mount_bind(old(&place), new(&place))?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, new(&Path::new("/dev").join(name)))?;
    }
    fs::create_dir(new(Path::new("/dev/pts")))?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    Ok(mount("devpts", new(Path::new("/dev/pts")), "devpts", flags, c"newinstance,ptmxmode=0666,mode=0600")?)
}

/// Only what is inside. Where the system hides parts of its own, only the processes are shown.
fn processes() -> io::Result<()> {
    let place = new(Path::new("/proc"));
    fs::create_dir(&place)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    mount("proc", &place, "proc", flags, None)
        .or_else(|_hidden| mount("proc", &place, "proc", flags, c"subset=pid"))?;
    Ok(())
}

/// Outer folders before inner ones; what may be written over what may be read.
fn in_order(jail: &JailPlan) -> Vec<(&Path, Writable)> {
    let read = jail.read.iter().map(|path| (path.as_path(), Writable::No));
    let write = jail.write.iter().map(|path| (path.as_path(), Writable::Yes));
    let mut all: Vec<_> = read.chain(write).collect();
    all.sort_by_key(|(path, writable)| (path.components().count(), *writable));
    let shown = all.clone();
    all.retain(|(path, writable)| {
        let covered = |(other, its): &(&Path, Writable)| {
            path.starts_with(other) && (path != other || its > writable) && its >= writable
        };
        !shown.iter().any(covered)
    });
    all
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Writable {
    No,
    Yes,
}

fn bind(path: &Path, writable: Writable) -> io::Result<()> {
    let (source, target) = (old(path), new(path));
    if source.is_dir() {
        fs::create_dir_all(&target)?;
    } else {
        fs::create_dir_all(target.parent().unwrap_or(&target))?;
        if !target.exists() {
            File::create(&target)?;
        }
    }
    mount_bind_recursive(&source, &target)?;
    for (place, options) in mounts_under(&target)? {
        let mut flags = flags(&options) | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::BIND;
        if writable == Writable::No {
            flags |= MountFlags::RDONLY;
        }
        mount_remount(&place, flags, c"")?;
    }
    Ok(())
}

/// A link as it is outside, unless something real stands in its place.
fn put_link(link: &Path, target: &Path) -> io::Result<()> {
    let place = new(link);
    fs::create_dir_all(place.parent().unwrap_or(&place))?;
    match symlink(target, &place) {
        // Inside a folder that is shown whole it is there already, and cannot be made.
        Err(_) if fs::symlink_metadata(&place).is_ok() => Ok(()),
        outcome => outcome,
    }
}

/// Whoever listened there before the jail is not to be reached from inside.
fn cover(socket: &Path) -> io::Result<()> {
    if fs::symlink_metadata(new(socket)).is_ok() {
        mount_bind(old(Path::new("/dev/null")), new(socket))?;
    }
    Ok(())
}

/// The new root becomes the only one, and cannot be changed where nothing is mounted.
fn finish() -> io::Result<()> {
    std::env::set_current_dir(NEW)?;
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    std::env::set_current_dir("/")?;
    Ok(mount_remount("/", MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV, c"")?)
}

fn tmpfs(place: &Path, options: &std::ffi::CStr) -> io::Result<()> {
    Ok(mount("tmpfs", place, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options)?)
}

/// Every mount at or under a place, with its options.
fn mounts_under(place: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let table = fs::read_to_string("/old/proc/self/mountinfo")
        .or_else(|_absent| fs::read_to_string("/new/proc/self/mountinfo"))?;
    // SPEC: `proc_pid_mountinfo(5)`: the fifth field is the place, the sixth the options of this mount.
    let mounts = table.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(4);
        Some((PathBuf::from(unescaped(fields.next()?)), fields.next()?.to_owned()))
    });
    // What is mounted over something counts last, and is the one that can be changed.
    let mut found: Vec<(PathBuf, String)> = Vec::new();
    for (path, options) in mounts.filter(|(path, _)| path.starts_with(place)) {
        found.retain(|(known, _)| *known != path);
        found.push((path, options));
    }
    Ok(found)
}

/// Blanks, tabs, line ends and backslashes are written in octal.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, sign)| text.replace(code, sign))
}

/// A mount that came from outside keeps its restrictions; the kernel refuses to lift them here.
fn flags(options: &str) -> MountFlags {
    let mut flags = MountFlags::empty();
    for option in options.split(',') {
        flags |= match option {
            "ro" => MountFlags::RDONLY,
            "nosuid" => MountFlags::NOSUID,
            "nodev" => MountFlags::NODEV,
            "noexec" => MountFlags::NOEXEC,
            "noatime" => MountFlags::NOATIME,
            "nodiratime" => MountFlags::NODIRATIME,
            "relatime" => MountFlags::RELATIME,
            _ => MountFlags::empty(),
        };
    }
    if flags.intersects(MountFlags::NOATIME | MountFlags::RELATIME) { flags } else { flags | MountFlags::STRICTATIME }
}

fn old(path: &Path) -> PathBuf {
    Path::new("/old").join(path.strip_prefix("/").unwrap_or(path))
}

fn new(path: &Path) -> PathBuf {
    Path::new(NEW).join(path.strip_prefix("/").unwrap_or(path))
}

/// A folder that every system has; what is in it is not touched.
const STAGE: &str = "/tmp";
const NEW: &str = "/new";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_folders_come_after_outer_ones_and_are_not_bound_twice() {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect();
        let jail = JailPlan {
            listeners: 0,
            read: paths(&["/usr/lib/x", "/usr", "/var/crew/a/.venv", "/var/crew"]),
            write: paths(&["/var/crew/a"]),
            links: Vec::new(),
            home: "/root".into(),
            sockets: Vec::new(),
        };
        let order: Vec<_> =
            in_order(&jail).into_iter().map(|(path, writable)| (path.to_str().unwrap(), writable)).collect();
        assert_eq!(order, [("/usr", Writable::No), ("/var/crew", Writable::No), ("/var/crew/a", Writable::Yes)]);
    }

    #[test]
    fn restrictions_of_a_mount_are_kept() {
        assert_eq!(flags("rw,nosuid,relatime"), MountFlags::NOSUID | MountFlags::RELATIME);
        assert!(flags("ro").contains(MountFlags::RDONLY | MountFlags::STRICTATIME));
    }

    #[test]
    fn names_with_blanks_are_read() {
        assert_eq!(unescaped("/a\\040b\\134c"), "/a b\\c");
    }
}
