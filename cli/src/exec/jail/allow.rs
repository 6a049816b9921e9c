//! Which files a jail shows: the system's, the interpreter's, the working folder, what was asked for; never a place with credentials.
//!
//! Looks and decides; the mounts and Landlock do. What hoop itself keeps is in no jail, whoever asks.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs,
    path::{Component, Path, PathBuf},
};

use nix::unistd::{User, geteuid};

use crate::{
    context::Directories,
    exec::{plan::JailPlan, program},
    failure::Failure,
};

/// What a jail is wanted for.
#[derive(Debug)]
pub(in crate::exec) struct Wanted<'run> {
    pub(in crate::exec) command: &'run [OsString],
    pub(in crate::exec) folder: &'run Path,
    pub(in crate::exec) read: &'run [PathBuf],
    pub(in crate::exec) write: &'run [PathBuf],
    pub(in crate::exec) listeners: usize,
}

/// Plans a jail. Fails where the working folder or a given path holds what no jail may show.
pub(in crate::exec) fn plan(
    wanted: &Wanted<'_>,
    variables: &[(OsString, OsString)],
    directories: &Directories,
) -> Result<JailPlan, Failure> {
    let variable = |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str());
    let home = variable("HOME").map(PathBuf::from).filter(|home| home.is_absolute() && home.parent().is_some());
    let home = home.unwrap_or_else(|| PathBuf::from("/home/nobody"));
    let private = Private::new(&home, directories);
    let mut places = Places::default();
    for path in SYSTEM {
        places.read(Path::new(path));
    }
    let path = variable("PATH").unwrap_or(OsStr::new("/usr/bin:/bin"));
    for path in interpreters(wanted, path, variable) {
        if !private.is_shown_by(&path) {
            places.read(&path);
        }
    }
    let program = wanted.command.first().and_then(|program| program::find(program, path, wanted.folder));
    for path in wanted.read {
        places.read(&private.refuse(&absolute(path, wanted.folder)?, "--allow-read")?);
    }
    for path in wanted.write {
        places.write(&private.refuse(&absolute(path, wanted.folder)?, "--allow-write")?);
    }
    places.write(&private.refuse(&absolute(wanted.folder, wanted.folder)?, "the working folder")?);
    if let Some(program) = program.filter(|program| !places.shows(program)) {
        return Err(Failure::usage(format!("{} lies where the jail does not show it", program.display()))
            .next("show its folder with `--allow-read`, or use one that lies elsewhere"));
    }
    let sockets = listening_sockets().filter(|socket| places.holds(socket)).collect();
    let Places { read, write, links } = places;
    let (read, write) = (read.into_iter().collect(), write.into_iter().collect());
    Ok(JailPlan { listeners: wanted.listeners, read, write, links: links.into_iter().collect(), home, sockets })
}

/// The command's own program, those that its path leads to, and what Python and Node are told to load.
fn interpreters<'variables>(
    wanted: &Wanted<'_>,
    path: &OsStr,
    variable: impl Fn(&str) -> Option<&'variables OsStr>,
) -> BTreeSet<PathBuf> {
    let mut needed = BTreeSet::new();
    let program = wanted.command.first().and_then(|program| program::find(program, path, wanted.folder));
    needed.extend(program.iter().flat_map(|program| program::needs(program)));
    for folder in std::env::split_paths(path).filter(|folder| folder.is_absolute()) {
        for name in ["python3", "python", "node", "ruby", "uv"] {
            let place = folder.join(name);
            if place.is_file() {
                needed.extend(program::needs(&place));
            }
        }
        needed.insert(folder);
    }
    for name in LOADED_FROM {
        let folders = variable(name).into_iter().flat_map(std::env::split_paths);
        needed.extend(folders.filter(|folder| folder.is_absolute()));
    }
    for name in ["PYENV_ROOT", "RBENV_ROOT", "NODENV_ROOT"] {
        // A manager's root is known by its shims, wherever they lie on the path.
        needed.extend(variable(name).into_iter().flat_map(|root| program::needs(&Path::new(root).join("shims/any"))));
    }
    needed
}

fn absolute(path: &Path, folder: &Path) -> Result<PathBuf, Failure> {
    let path = folder.join(path);
    fs::canonicalize(&path).map_err(|error| {
        Failure::usage(format!("{} cannot be shown in the jail", path.display()))
            .caused_by(&error)
            .next("name a path that exists")
    })
}

/// Places that no jail shows, whoever asks.
struct Private {
    /// The home, and the user's own where the surroundings name another.
    homes: Vec<PathBuf>,
    ours: Vec<PathBuf>,
}

impl Private {
    fn new(home: &Path, directories: &Directories) -> Self {
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_absent| path.to_owned());
        let mut ours = vec![real(directories.config()), real(directories.state())];
        ours.extend(ALWAYS_PRIVATE.iter().map(|path| real(Path::new(path))));
        let own = User::from_uid(geteuid()).ok().flatten().map(|user| user.dir);
        let homes = own.iter().map(PathBuf::as_path).chain([home]).map(real).collect();
        Self { homes, ours }
    }

    /// Whether showing `path` would show one of them, or the whole home.
    fn is_shown_by(&self, path: &Path) -> bool {
        let real = fs::canonicalize(path).unwrap_or_else(|_absent| path.to_owned());
        self.homes.iter().any(|home| home.starts_with(&real))
            || self.ours.iter().any(|ours| ours.starts_with(&real) || real.starts_with(ours))
    }

    /// The path, where it may be shown.
    fn refuse(&self, path: &Path, what: &str) -> Result<PathBuf, Failure> {
        if !self.is_shown_by(path) {
            return Ok(path.to_owned());
        }
        Err(Failure::usage(format!("{what} {} cannot be shown in the jail", path.display()))
            .because("it is, holds, or lies in the home itself, a place of hoop's own, or the system's live state")
            .next("run it from a folder of the project's own"))
    }
}

/// What is shown, by real paths, and the links that lead there.
#[derive(Debug, Default)]
struct Places {
    read: BTreeSet<PathBuf>,
    write: BTreeSet<PathBuf>,
    links: BTreeSet<(PathBuf, PathBuf)>,
}

impl Places {
    fn read(&mut self, path: &Path) {
        if let Some(real) = self.follow(path) {
            self.read.insert(real);
        }
    }

    fn write(&mut self, path: &Path) {
        if let Some(real) = self.follow(path) {
            self.write.insert(real);
        }
    }

    fn shows(&self, path: &Path) -> bool {
        fs::canonicalize(path).is_ok_and(|real| self.holds(&real))
    }

    fn holds(&self, path: &Path) -> bool {
        self.read.iter().chain(&self.write).any(|shown| path.starts_with(shown))
    }

    /// The real path of what exists; every link on the way is shown as well.
    fn follow(&mut self, path: &Path) -> Option<PathBuf> {
        let real = fs::canonicalize(path).ok()?;
        let mut place = PathBuf::new();
        for component in path.components() {
            if matches!(component, Component::ParentDir | Component::CurDir) {
                return Some(real);
            }
            place.push(component);
            if let Ok(target) = fs::read_link(&place) {
                let rest = path.strip_prefix(&place).unwrap_or(Path::new(""));
                self.links.insert((place.clone(), target.clone()));
                let target = place.parent().unwrap_or(Path::new("/")).join(target);
                if self.links.len() < MOST_LINKS {
                    self.follow(&target.join(rest));
                }
                break;
            }
        }
        Some(real)
    }
}

/// Sockets on the file system that somebody listens on now. Neither Landlock nor a read-only mount keeps anybody from them.
fn listening_sockets() -> impl Iterator<Item = PathBuf> {
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let paths: BTreeSet<PathBuf> = table
        .lines()
        .filter_map(|line| line.split_whitespace().nth(7))
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .collect();
    paths.into_iter()
}

/// Variables that name what interpreters load, and certificates that libraries trust.
const LOADED_FROM: [&str; 9] = [
    "PYTHONPATH",
    "PYTHONHOME",
    "NODE_PATH",
    "VIRTUAL_ENV",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
];
const ALWAYS_PRIVATE: [&str; 5] = ["/proc", "/sys", "/dev", "/run", "/boot"];
const MOST_LINKS: usize = 200;

/// What programs need of a system. Of /etc, what tells them how to be here, and no key, password or hash.
const SYSTEM: [&str; 52] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt/hoop",
    "/etc/alternatives",
    "/etc/bash.bashrc",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/debian_version",
    "/etc/default/locale",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/inputrc",
    "/etc/issue",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/localtime",
    "/etc/login.defs",
    "/etc/lsb-release",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/networks",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/perl",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/postgresql-common",
    "/etc/profile",
    "/etc/profile.d",
    "/etc/protocols",
    "/etc/python3",
    "/etc/python3.11",
    "/etc/rpc",
    "/etc/services",
    "/etc/shells",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/timezone",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(home: &Path, folder: &Path, read: &[PathBuf]) -> Result<JailPlan, Failure> {
        let command = [OsString::from("sh")];
        let wanted = Wanted { command: &command, folder, read, write: &[], listeners: 1 };
        let variables = [("HOME".into(), home.into()), ("PATH".into(), "/usr/bin:/bin".into())];
        plan(&wanted, &variables, &Directories::at(&home.join(".hoop")))
    }

    #[test]
    fn shows_the_working_folder_but_not_the_home_around_it() {
        let home = tempfile::tempdir().unwrap();
        let project = home.path().join("project");
        for folder in ["project", ".ssh", ".hoop/state"] {
            fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        let plan = planned(home.path(), &project, &[]).unwrap();
        assert_eq!(plan.write, [fs::canonicalize(&project).unwrap()]);
        assert!(!plan.read.iter().any(|path| path.starts_with(home.path())), "{plan:?}");
        assert!(planned(home.path(), home.path(), &[]).is_err(), "the home itself");
        assert!(planned(home.path(), Path::new("/"), &[]).is_err(), "everything");
        let own = User::from_uid(geteuid()).unwrap().unwrap().dir;
        if own.is_dir() {
            assert!(planned(home.path(), &own, &[]).is_err(), "the user's own home, whatever HOME says");
        }
    }

    #[test]
    fn what_hoop_keeps_is_shown_to_nobody() {
        let home = tempfile::tempdir().unwrap();
        let project = home.path().join("project");
        for folder in ["project", ".hoop/state/tokens"] {
            fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        for path in [".hoop", ".hoop/state", ".hoop/state/tokens", "."] {
            assert!(planned(home.path(), &project, &[home.path().join(path)]).is_err(), "{path}");
        }
        assert!(planned(home.path(), &project, &["/run".into()]).is_err());
        assert!(planned(home.path(), &project, &["/proc/1".into()]).is_err());
    }

    #[test]
    fn links_lead_where_they_lead_outside() {
        let home = tempfile::tempdir().unwrap();
        let (project, shared) = (home.path().join("project"), home.path().join("shared"));
        fs::create_dir_all(&project).unwrap();
        fs::create_dir_all(&shared).unwrap();
        std::os::unix::fs::symlink(&shared, home.path().join("link")).unwrap();
        let plan = planned(home.path(), &project, &[home.path().join("link")]).unwrap();
        assert!(plan.read.contains(&fs::canonicalize(&shared).unwrap()), "{plan:?}");
    }

    #[test]
    fn keys_and_hashes_of_the_system_are_not_shown() {
        for secret in [
            "/etc/shadow",
            "/etc/sudoers",
            "/etc/ssh/ssh_host_ed25519_key",
            "/etc/ssl/private",
            "/root",
            "/home",
            "/var",
            "/srv",
        ] {
            assert!(!SYSTEM.iter().any(|shown| Path::new(secret).starts_with(shown)), "{secret}");
        }
    }
}
