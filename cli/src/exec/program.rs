//! What a command is made of on disk: the program itself, the interpreter of a script, and the folders they live from.
//!
//! Looks, changes nothing. For the jail, which lets a command read its own interpreter and nothing else of a person's home.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

/// Where a program is found: as a shell looks for it.
pub(super) fn find(program: &OsStr, path: &OsStr, folder: &Path) -> Option<PathBuf> {
    if program.as_encoded_bytes().contains(&b'/') {
        let place = folder.join(program);
        return place.exists().then_some(place);
    }
    std::env::split_paths(path).map(|place| folder.join(place).join(program)).find(|place| place.is_file())
}

/// The folders and files that a program needs beside the system's: its own, its interpreter's, and their libraries.
pub(super) fn needs(program: &Path) -> BTreeSet<PathBuf> {
    let mut needed = BTreeSet::new();
    let mut next = Some(program.to_owned());
    // A script may be interpreted by a script; no system goes far with that.
    for _ in 0..MOST_INTERPRETERS {
        let Some(program) = next.take() else { break };
        for step in steps(&program) {
            surroundings(&step, &mut needed);
            next = next.or_else(|| interpreter(&step));
        }
    }
    needed
}

/// The program, and every link on the way to the file that it is.
fn steps(program: &Path) -> Vec<PathBuf> {
    let mut steps = vec![program.to_owned()];
    let mut place = program.to_owned();
    while let (Ok(target), true) = (fs::read_link(&place), steps.len() < MOST_LINKS) {
        place = place.parent().unwrap_or(Path::new("/")).join(target);
        steps.push(place.clone());
    }
    steps.extend(fs::canonicalize(program));
    steps
}

/// `bin/python` lives from the folders beside `bin`, a shim of a version manager from its versions; anything else from itself.
fn surroundings(program: &Path, needed: &mut BTreeSet<PathBuf>) {
    needed.insert(program.to_owned());
    let Some(folder) = program.parent() else { return };
    let beside: &[&str] = match folder.file_name().and_then(OsStr::to_str) {
        Some("bin") => &BESIDE,
        Some("shims") => &BESIDE_SHIMS,
        _ => return,
    };
    needed.insert(folder.to_owned());
    let root = folder.parent().unwrap_or(folder);
    needed.extend(beside.iter().map(|name| root.join(name)).filter(|place| place.exists()));
    if let Some(base) = virtual_base(&root.join("pyvenv.cfg")) {
        needed.extend(BESIDE.iter().filter_map(|name| Some(base.parent()?.join(name))).filter(|place| place.exists()));
        needed.insert(base);
    }
}

/// Where the Python lives that a virtual environment was made of, links or not.
fn virtual_base(configuration: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(configuration).ok()?;
    let home = text.lines().find_map(|line| line.split_once('=').filter(|(key, _)| key.trim() == "home"))?.1.trim();
    Some(PathBuf::from(home)).filter(|home| home.is_absolute() && home.ends_with("bin"))
}

/// What the first line of a script names: `#!/usr/bin/env python3` names two.
fn interpreter(script: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    File::open(script).ok()?.take(FIRST_LINE).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_whitespace();
    let program = PathBuf::from(words.next()?);
    if program.ends_with("env") {
        let named = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
        return find(OsStr::new(named), &std::env::var_os("PATH")?, Path::new("/"));
    }
    Some(program)
}

/// What an installed program has beside its `bin`.
const BESIDE: [&str; 7] = ["lib", "lib64", "libexec", "include", "share/terminfo", "pyvenv.cfg", "ssl"];
/// What pyenv, rbenv, nodenv and asdf have beside their shims.
const BESIDE_SHIMS: [&str; 7] = ["bin", "libexec", "versions", "version", "plugins", "installs", "lib"];
const MOST_INTERPRETERS: usize = 4;
const MOST_LINKS: usize = 32;
/// SPEC: `execve(2)`: 255 bytes of the first line count.
const FIRST_LINE: u64 = 256;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_virtual_environment_needs_itself_and_what_it_was_made_of() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for folder in ["base/bin", "base/lib", "venv/bin", "venv/lib", "project"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        fs::write(at("base/bin/python3.11"), "ELF").unwrap();
        symlink(at("base/bin/python3.11"), at("venv/bin/python")).unwrap();
        fs::write(at("project/crew"), format!("#!{}\n", at("venv/bin/python").display())).unwrap();
        fs::set_permissions(at("project/crew"), fs::Permissions::from_mode(0o755)).unwrap();
        let needed = needs(&at("project/crew"));
        for wanted in ["project/crew", "venv/bin", "venv/lib", "base/bin", "base/lib"] {
            assert!(needed.contains(&at(wanted)), "{wanted}: {needed:?}");
        }
        assert!(!needed.contains(&at("project")) && !needed.contains(&at("venv")), "{needed:?}");
    }

    #[test]
    fn a_shim_needs_the_versions_that_it_chooses_from() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["shims", "versions", "libexec"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("shims/python3"), "#!/bin/sh\n").unwrap();
        fs::write(root.path().join("token"), "").unwrap();
        let needed = needs(&root.path().join("shims/python3"));
        assert!(["versions", "libexec"].iter().all(|name| needed.contains(&root.path().join(name))), "{needed:?}");
        assert!(!needed.contains(root.path()) && !needed.contains(&root.path().join("token")), "{needed:?}");
    }

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        let path = OsStr::new("/nowhere:/usr/bin:/bin");
        assert!(find(OsStr::new("sh"), path, Path::new("/")).is_some());
        assert_eq!(find(OsStr::new("./nothing"), path, Path::new("/")), None);
        assert_eq!(find(OsStr::new("no-such-program"), path, Path::new("/")), None);
    }
}
