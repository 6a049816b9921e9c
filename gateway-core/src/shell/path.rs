//! Paths by their letters: where a word leads, and which paths hold secrets or start code. Looks at no file system.

use super::{
    outcome::Doubt,
    word::{Kind, Word},
};

/// How many folders the shell may be in by now, before nobody can say.
const MAX_PLACES: usize = 4;

/// Where the shell may be. More than one where a `cd` may have failed; none where nobody can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place(Vec<String>);

impl Place {
    /// Where sshd starts a command: written `.`, for it is the home directory, or `/` where there is none.
    pub(super) fn login() -> Self {
        Self(vec![".".to_owned()])
    }

    /// Nobody can say.
    pub(super) const fn lost() -> Self {
        Self(Vec::new())
    }

    /// One of two.
    pub(super) fn or(&self, other: &Self) -> Self {
        if self.0.is_empty() || other.0.is_empty() {
            return Self::lost();
        }
        let mut all = self.0.clone();
        all.extend(other.0.iter().filter(|path| !self.0.contains(path)).cloned());
        if all.len() > MAX_PLACES { Self::lost() } else { Self(all) }
    }

    /// After a `cd` that succeeded.
    pub(super) fn then(&self, word: &Word) -> Self {
        let leads = resolve(word, self).unwrap_or_default();
        if word.kind == Kind::Glob || leads.is_empty() { Self::lost() } else { Self(leads) }
    }
}

/// Every path that a word may name.
pub(super) fn resolve(word: &Word, place: &Place) -> Result<Vec<String>, Doubt> {
    match word.kind {
        Kind::Dynamic => return Err(Doubt("names a path that depends on more than the text")),
        Kind::Glob if word.text.split('/').skip_while(|part| !is_pattern(part)).any(|part| part == "..") => {
            return Err(Doubt("goes up from a folder that a pattern names"));
        }
        _ => {}
    }
    if word.text.starts_with('/') {
        return Ok(vec![normal(&word.text)]);
    }
    let is_home = word.kind == Kind::Home || (word.kind == Kind::Glob && word.text.starts_with('~'));
    if is_home {
        let (user, rest) = word.text.split_once('/').unwrap_or((&word.text, ""));
        return Ok(vec![under(user, rest)]);
    }
    if place.0.is_empty() {
        return Err(Doubt("names a path from a folder that nobody knows"));
    }
    Ok(place.0.iter().map(|folder| joined(folder, &word.text)).collect())
}

fn joined(folder: &str, rest: &str) -> String {
    if folder.starts_with('/') {
        normal(&format!("{folder}/{rest}"))
    } else {
        let (head, tail) = folder.split_once('/').unwrap_or((folder, ""));
        under(head, &format!("{tail}/{rest}"))
    }
}

/// What lies under `.` or `~user`.
fn under(head: &str, rest: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    fold(rest, &mut parts, true);
    if parts.is_empty() { head.to_owned() } else { format!("{head}/{}", parts.join("/")) }
}

fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    fold(path, &mut parts, false);
    // Somebody's root folder, as the kernel shows it, is the root.
    while let ["proc", _, "root" | "task" | "cwd", ..] = parts.as_slice() {
        let skip = match parts.as_slice() {
            ["proc", _, "task", _, ..] => {
                parts.drain(2..4);
                continue;
            }
            ["proc", _, "root", ..] => 3,
            _ => break,
        };
        parts.drain(..skip);
    }
    format!("/{}", parts.join("/"))
}

fn fold<'a>(path: &'a str, parts: &mut Vec<&'a str>, keeps_up: bool) {
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match (part, parts.last()) {
            ("..", Some(last)) if *last != ".." => drop(parts.pop()),
            ("..", _) if !keeps_up => {}
            _ => parts.push(part),
        }
    }
}

/// Everything below a path.
pub(super) fn below(path: &str) -> String {
    format!("{}/**", path.trim_end_matches('/'))
}

/// Where nothing is kept, or only what goes back to the client.
pub(super) fn is_sink(path: &str) -> bool {
    matches!(
        path,
        "/dev/null"
            | "/dev/stdout"
            | "/dev/stderr"
            | "/dev/zero"
            | "/dev/tty"
            | "/dev/full"
            | "/dev/urandom"
            | "/dev/fd/1"
            | "/dev/fd/2"
    )
}

/// Paths that lead elsewhere by themselves.
pub(super) fn doubtful(path: &str) -> Option<Doubt> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts.as_slice() {
        ["dev", "fd", ..] | ["dev", "stdin"] => Some(Doubt("names an open file")),
        ["dev", "tcp" | "udp", ..] | ["inet" | "inet4" | "inet6", ..] => {
            Some(Doubt("opens a connection through a path"))
        }
        ["proc", _, "fd" | "cwd" | "exe" | "map_files", ..] => Some(Doubt("names an open file of a process")),
        _ => None,
    }
}

/// Secrets wherever they lie: the last components of a path.
const SECRET_NAMES: [&str; 36] = [
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.kdbx",
    "*.ppk",
    "*.keytab",
    "*.ovpn",
    ".env",
    ".env.*",
    "*.env",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    ".pgpass",
    ".my.cnf",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".htpasswd",
    ".vault-token",
    ".bash_history",
    ".zsh_history",
    ".psql_history",
    ".mysql_history",
    "credentials",
    "*credentials.json",
    "secrets.y*ml",
    "*.tfstate",
    "*.tfvars",
    "wallet.dat",
    "terraform.rc",
    ".s3cfg",
];

/// Secrets at one place; `~` is any home directory.
const SECRET_PLACES: [&str; 35] = [
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/var/backups/shadow.bak",
    "/var/backups/gshadow.bak",
    "/etc/sudoers",
    "/etc/sudoers.d/*",
    "/etc/ssh/*_key",
    "/etc/ssl/private/*",
    "/etc/krb5.keytab",
    "/etc/security/opasswd",
    "/etc/ppp/*-secrets",
    "/etc/NetworkManager/system-connections/*",
    "/etc/wireguard/*",
    "/etc/openvpn/*",
    "/etc/kubernetes/*.conf",
    "/etc/rancher/*/*.yaml",
    "/etc/mysql/debian.cnf",
    "/var/lib/kubelet/*",
    "/var/run/secrets/*",
    "/run/secrets/*",
    "/proc/*/environ",
    "/proc/*/mem",
    "/proc/kcore",
    "/dev/*",
    "/var/lib/docker/*",
    "~/.ssh/*",
    "~/.aws/*",
    "~/.gnupg/*",
    "~/.kube/*",
    "~/.docker/config.json",
    "~/.config/*",
    "~/.azure/*",
    "~/.local/share/keyrings/*",
];

/// Where writing is running, later: `~` is any home directory.
const CODE_PLACES: [&str; 27] = [
    // Whatever a program looks for at its start is hidden there, under more names than are known.
    "~/.*",
    "~/bin/*",
    "/etc/*",
    "/bin/*",
    "/sbin/*",
    "/usr/*",
    "/lib*/*",
    "/boot/*",
    "/root/*",
    "/var/spool/cron/*",
    "/var/spool/at/*",
    "/opt/*/bin/*",
    "/snap/*",
    "/proc/sys/*",
    "/sys/*",
    "/dev/*",
    "/proc/*/mem",
    "/run/systemd/*",
    "/var/lib/dpkg/*",
    "/var/lib/rpm/*",
    "/lib/*",
    "/var/lib/docker/*",
    "/var/run/*",
    "/proc/sysrq-trigger",
    "/run/*",
    "/opt/*/sbin/*",
    "/var/spool/anacron/*",
];

/// Whether reading a path may read a secret.
pub(super) fn is_secret(path: &str, is_pattern: bool) -> bool {
    readings(path).iter().any(|path| is_one_secret(path, is_pattern))
}

/// What a path may be: one that goes up from a home may lead anywhere that its end names.
fn readings(path: &str) -> Vec<String> {
    let mut all = vec![path.to_owned()];
    if let Some((_, end)) = path.rsplit_once("../") {
        all.extend([format!("/{end}"), format!("/home/{end}")]);
    }
    all
}

/// Folders of secrets, in whatever home they lie.
const SECRET_FOLDERS: [&str; 6] = [".ssh", ".aws", ".gnupg", ".kube", ".azure", ".docker"];

/// Whether a path leads into one of these folders.
fn leads_into(path: &str, folders: &[&str]) -> bool {
    let is_one = |part: &str| folders.iter().any(|folder| meets(part, folder));
    path.rsplit_once('/').is_some_and(|(above, _)| above.split('/').any(is_one))
}

fn is_one_secret(path: &str, is_pattern: bool) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    let is_public = !is_pattern && last.strip_suffix(".pub").is_some();
    let is_open = last.starts_with(['*', '?']);
    let named = SECRET_NAMES.iter().any(|name| {
        if is_pattern && last != "**" {
            (name.starts_with('*') || !is_open) && meets(last, name)
        } else {
            fits(last, name)
        }
    });
    let bare_pattern = is_pattern && last.trim_matches(['*', '?']).len() < 2 && !last.starts_with('.');
    !is_public
        && ((named && (!bare_pattern || held(path)))
            || at(path, &SECRET_PLACES, is_pattern)
            || leads_into(path, &SECRET_FOLDERS))
}

/// Whether a folder is one in which secrets are known to lie.
fn held(path: &str) -> bool {
    at(path, &SECRET_PLACES, true)
}

/// Whether a tree holds secrets that lie at known places.
pub(super) fn holds_secrets(root: &str) -> bool {
    if root.ends_with("..") {
        return true;
    }
    let inside = below(root);
    matches!(root, "/" | "." | "~" | ".." | "/etc" | "/root" | "/home" | "/proc" | "/run" | "/var")
        || readings(&inside).iter().any(|inside| at(inside, &SECRET_PLACES, true))
}

/// Whether changing a path may change what will be run.
pub(super) fn starts_code(path: &str, is_pattern: bool) -> bool {
    let is_one = |path: &String| at(path, &CODE_PLACES, is_pattern) || leads_into(path, &[".ssh"]);
    // Git runs what a repository's own files say: its folder, and the file that makes any folder one.
    path.split('/').any(|part| part.strip_suffix(".git").is_some())
        || path.ends_with("/HEAD")
        || path.ends_with("..")
        || readings(path).iter().any(is_one)
}

/// Files that a login or the machine runs, wherever their folder stands: whose home it is may not be known by its letters.
pub(super) fn starts_code_for_somebody(path: &str) -> bool {
    const NAMES: [&str; 12] = [
        ".bashrc",
        ".bash_profile",
        ".bash_login",
        ".bash_logout",
        ".profile",
        ".zshrc",
        ".zshenv",
        ".zprofile",
        ".kshrc",
        ".login",
        ".cshrc",
        ".pam_environment",
    ];
    const FOLDERS: [&str; 9] =
        ["/.ssh/", "/etc/", "/bin/", "/sbin/", "/usr/", "/lib/", "/boot/", "/var/spool/cron/", "/.config/systemd/"];
    let last = path.rsplit('/').next().unwrap_or_default();
    NAMES.contains(&last) || FOLDERS.iter().any(|folder| path.contains(folder)) || starts_code(path, false)
}

/// Whether a path goes up, so that a symbolic link on its way may lead elsewhere than its letters.
pub(super) fn goes_up(word: &Word) -> bool {
    word.text.split('/').any(|part| part == "..")
}

/// Whether it goes up from where the kernel itself keeps links.
pub(super) fn goes_up_from_links(word: &Word) -> bool {
    goes_up(word) && (word.text.contains("/proc") || word.text.contains("/dev"))
}

fn at(path: &str, places: &[&str], is_pattern: bool) -> bool {
    let homes = ["/root", "~", "."];
    let home = homes.iter().find_map(|home| path.strip_prefix(home)).filter(|rest| rest.starts_with('/'));
    let other = path.strip_prefix("/home/").or_else(|| path.strip_prefix('~')).and_then(|rest| rest.split_once('/'));
    let rest = home.map(|rest| rest.trim_start_matches('/')).or(other.map(|(_, rest)| rest));
    places.iter().any(|place| match (place.strip_prefix("~/"), rest) {
        (Some(place), Some(rest)) => begins(rest, place, is_pattern),
        (Some(_), None) => false,
        (None, _) => {
            begins(path.trim_start_matches('/'), place.trim_start_matches('/'), is_pattern) && path.starts_with('/')
        }
    })
}

/// Whether a path leads to, or below, what a pattern of a table names.
fn begins(path: &str, place: &str, is_pattern: bool) -> bool {
    let mut parts = path.split('/');
    for wanted in place.split('/') {
        match parts.next() {
            None => return false,
            Some("**") => return true,
            Some(part) if is_pattern && is_pattern_text(part) => {
                if !meets(part, wanted) {
                    return false;
                }
            }
            Some(part) if !fits(part, wanted) => return false,
            Some(_) => {}
        }
    }
    true
}

fn is_pattern(part: &str) -> bool {
    is_pattern_text(part)
}

fn is_pattern_text(part: &str) -> bool {
    part.contains(['*', '?', '['])
}

/// Whether a name fits a pattern of the tables, which know only `*`.
fn fits(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((head, tail)) => name.strip_prefix(head).is_some_and(|rest| {
            tail.is_empty() || (0..=rest.len()).filter_map(|at| rest.get(at..)).any(|rest| fits(rest, tail))
        }),
    }
}

/// Whether some name fits both a glob of the text and a pattern of the tables; when in doubt, yes.
fn meets(glob: &str, pattern: &str) -> bool {
    if !is_pattern_text(glob) {
        return fits(glob, pattern);
    }
    let head = |text: &str| text.split(['*', '?', '[']).next().unwrap_or_default().to_owned();
    let tail = |text: &str| text.rsplit(['*', '?', ']']).next().unwrap_or_default().to_owned();
    let (one, other) = (head(glob), head(pattern));
    let (last, end) = (tail(glob), tail(pattern));
    let heads = one.starts_with(&other) || other.starts_with(&one);
    let tails = last.ends_with(&end) || end.ends_with(&last);
    // A pattern without a star has to be reached by the glob as a whole.
    let hidden = pattern.starts_with('.') && glob.starts_with(['*', '?', '[']);
    heads && tails && !hidden && (pattern.contains('*') || one.len() + last.len() <= pattern.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::word;

    fn lead(source: &str) -> Vec<String> {
        resolve(&word::read(source), &Place::login()).unwrap_or_default()
    }

    #[test]
    fn paths_are_normalised_by_their_letters() {
        for (source, path) in [
            ("/etc//passwd", "/etc/passwd"),
            ("/etc/./x/../shadow", "/etc/shadow"),
            ("/../../etc/shadow", "/etc/shadow"),
            ("a/../../b", "./../b"),
            ("./a//b/", "./a/b"),
            ("~/x/../y", "~/y"),
            ("~", "~"),
            (".", "."),
            ("/", "/"),
            ("/proc/self/root/etc/shadow", "/etc/shadow"),
            ("/proc/1/task/1/root/etc/shadow", "/etc/shadow"),
            ("~bob/../x", "~bob/../x"),
        ] {
            assert_eq!(lead(source), [path.to_owned()], "{source}");
        }
    }

    #[test]
    fn secrets_are_known_by_name_and_place_and_through_globs() {
        for path in [
            "/etc/shadow",
            "~/.ssh/id_rsa",
            "./.ssh/config",
            "/home/a/.aws/credentials",
            "/srv/app/.env",
            "/x/k.pem",
            "/proc/1/environ",
            "/proc/self/environ",
            "~bob/.ssh/id_x",
            "/root/.ssh/x",
        ] {
            assert!(is_secret(path, false), "{path}");
        }
        for glob in
            ["/etc/sha*", "/etc/*", "/etc/s?adow", "~/.ssh/*", "/etc/[s]hadow", "/*/shadow", "~/.s*/id_rsa", "/x/*.pem"]
        {
            assert!(is_secret(glob, true), "{glob}");
        }
        for path in ["/etc/passwd", "/var/log/syslog", "~/.ssh/id_rsa.pub", "./notes.txt", "/srv/app/env"] {
            assert!(!is_secret(path, false), "{path}");
        }
        for glob in ["/var/log/*.log", "/var/log/*", "./*.txt", "./*"] {
            assert!(!is_secret(glob, true), "{glob}");
        }
        assert!(holds_secrets("/") && holds_secrets("~/.ssh") && holds_secrets("/etc") && !holds_secrets("/var/log"));
    }
}
