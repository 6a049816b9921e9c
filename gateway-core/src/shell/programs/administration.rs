//! Programs of those who run the machine: what only looks is a read, all else changes the machine.

use super::Run;
use crate::shell::{
    outcome::{Fact, Object, Verb},
    word::Word,
};

/// Start and stop services.
const SERVICES: &[&str] = &["systemctl", "service", "rc-service", "initctl", "supervisorctl"];
/// Install and remove packages.
const PACKAGES: &[&str] = &[
    "apt",
    "apt-get",
    "apt-cache",
    "dnf",
    "yum",
    "apk",
    "zypper",
    "pacman",
    "brew",
    "snap",
    "flatpak",
    "dpkg",
    "dpkg-query",
    "rpm",
    "pip",
    "pip3",
    "pipx",
    "uv",
    "conda",
    "apt-mark",
    "add-apt-repository",
    "apt-key",
];
/// Change accounts.
const ACCOUNTS: &[&str] = &[
    "useradd", "userdel", "usermod", "groupadd", "groupdel", "groupmod", "adduser", "deluser", "passwd", "chpasswd",
    "gpasswd", "chage", "chsh", "chfn", "vipw", "visudo", "newusers", "addgroup", "delgroup",
];
/// Look or change, by their arguments.
const EITHER: &[&str] = &[
    "mount",
    "ip",
    "ifconfig",
    "route",
    "arp",
    "sysctl",
    "hostname",
    "hostnamectl",
    "timedatectl",
    "loginctl",
    "localectl",
    "networkctl",
    "resolvectl",
    "iptables",
    "ip6tables",
    "nft",
    "ufw",
    "crontab",
    "date",
    "dmesg",
    "swapon",
    "lvs",
    "vgs",
    "pvs",
    "blkid",
    "fdisk",
    "coredumpctl",
    "kill",
    "nmcli",
];
/// Change the machine, whatever their arguments.
const ALWAYS: &[&str] = &[
    "umount",
    "reboot",
    "shutdown",
    "halt",
    "poweroff",
    "init",
    "telinit",
    "killall",
    "pkill",
    "skill",
    "fuser",
    "renice",
    "mkfs",
    "mke2fs",
    "mkswap",
    "swapoff",
    "parted",
    "sgdisk",
    "wipefs",
    "losetup",
    "cryptsetup",
    "lvcreate",
    "lvremove",
    "vgremove",
    "pvremove",
    "lvextend",
    "resize2fs",
    "fsck",
    "e2fsck",
    "tune2fs",
    "modprobe",
    "insmod",
    "rmmod",
    "depmod",
    "update-grub",
    "grub-install",
    "update-initramfs",
    "ldconfig",
    "update-alternatives",
    "update-rc.d",
    "chkconfig",
    "firewall-cmd",
    "tc",
    "brctl",
    "ethtool",
    "setenforce",
    "semanage",
    "restorecon",
    "auditctl",
    "logrotate",
    "certbot",
    "a2ensite",
    "a2dissite",
    "nginx",
    "apachectl",
    "mkfs.ext4",
    "mkfs.xfs",
    "hwclock",
    "kexec",
    "sync-accounting",
    "dpkg-reconfigure",
    "iptables-restore",
    "hdparm",
    "debugfs",
    "xfs_repair",
    "pg_ctl",
    "pg_ctlcluster",
    "zpool",
    "zfs",
    "mdadm",
    "multipath",
];

impl Run<'_, '_> {
    pub(super) fn administration(&mut self) -> bool {
        let is_in = |names: &[&str]| names.contains(&self.name);
        match () {
            () if is_in(SERVICES) => self.services(),
            () if is_in(PACKAGES) => self.packages(),
            () if is_in(ACCOUNTS) => self.administer(Some(Fact::Account)),
            () if is_in(EITHER) => self.either(),
            () if is_in(ALWAYS) => self.administer(None),
            () => return false,
        }
        true
    }

    fn administer(&mut self, fact: Option<Fact>) {
        self.seen.does_to(Verb::Administer, Object::Program(self.name.to_owned()));
        if let Some(fact) = fact {
            self.seen.fact(fact);
        }
    }

    /// The arguments that are no options.
    fn plain_words(&self) -> Vec<String> {
        let words = self.arguments.iter().filter_map(Word::literal).filter(|word| !word.starts_with('-'));
        words.map(str::to_owned).collect()
    }

    fn services(&mut self) {
        let words = self.plain_words();
        let certain = self.literals().is_some();
        let (verb, names) = match self.name {
            "service" | "rc-service" => (words.get(1).map_or("", String::as_str), words.get(..1).unwrap_or_default()),
            _ => (words.first().map_or("", String::as_str), words.get(1..).unwrap_or_default()),
        };
        // Another machine, container or image; long options may be cut short, and short ones stand in one word.
        let remote = self.arguments.iter().any(|word| match word.text.strip_prefix("--") {
            Some(long) => ["ho", "ma", "ro", "im", "ca"].iter().any(|elsewhere| long.starts_with(elsewhere)),
            None => word.text.starts_with('-') && word.text.contains(['H', 'M', 'C']),
        });
        let looks = matches!(
            verb,
            "status"
                | "is-active"
                | "is-enabled"
                | "is-failed"
                | "list-units"
                | "list-timers"
                | "list-unit-files"
                | "show"
                | "cat"
                | "list-dependencies"
                | "list-sockets"
                | "is-system-running"
        ) || (verb.is_empty() && self.name == "systemctl");
        if certain && looks && !remote {
            self.seen.fact(Fact::Pages);
            return self.seen.does(Verb::Read);
        }
        self.seen.fact(Fact::Service);
        self.administer(None);
        for name in names.iter().cloned() {
            self.seen.does_to(Verb::Administer, Object::Service(name));
        }
    }

    fn packages(&mut self) {
        let words = self.plain_words();
        let certain = self.literals().is_some();
        let first = self.arguments.first().and_then(Word::literal).unwrap_or_default();
        let rest = self.arguments.get(1..).unwrap_or_default();
        let plain = rest.iter().all(|word| {
            let text = word.text.as_str();
            !text.starts_with('-')
                || matches!(text, "--installed" | "--upgradable" | "--all-versions" | "-a" | "-n" | "-q" | "--quiet")
        });
        let looks = match self.name {
            "dpkg" => {
                matches!(
                    first,
                    "-l" | "-s"
                        | "-L"
                        | "-S"
                        | "--list"
                        | "--status"
                        | "--listfiles"
                        | "--search"
                        | "--get-selections"
                        | "--print-architecture"
                )
            }
            "dpkg-query" => matches!(first, "-l" | "-s" | "-L" | "-S" | "-W"),
            "rpm" => {
                let letters = first.strip_prefix("-q").unwrap_or("?");
                letters.chars().all(|one| "ailfcdRp".contains(one))
                    && !rest.iter().any(|word| word.text.contains("://"))
            }
            "pip" | "pip3" | "conda" | "pipx" => matches!(first, "list" | "show" | "freeze" | "check"),
            "apt-cache" | "brew" | "snap" | "apt" | "dnf" | "yum" | "apk" | "zypper" => matches!(
                first,
                "list" | "show" | "search" | "policy" | "depends" | "rdepends" | "info" | "madison" | "repolist"
            ),
            _ => false,
        };
        if certain && plain && (looks || (first == "--version" && rest.is_empty())) {
            return self.seen.does(Verb::Read);
        }
        self.seen.fact(Fact::Package);
        self.administer(None);
        for name in words.into_iter().skip(1) {
            self.seen.does_to(Verb::Administer, Object::Package(name));
        }
    }

    /// Programs that look or change, by their arguments.
    fn either(&mut self) {
        let Some(literals) = self.literals() else { return self.administer(None) };
        if self.network_looks(&literals) || self.machine_looks(&literals) {
            self.seen.does(Verb::Read);
        } else {
            if self.name == "crontab" {
                self.seen.fact(Fact::ChangesStartup);
            }
            self.administer(None);
        }
    }

    /// Whether a program of the network only prints.
    fn network_looks(&self, literals: &[&str]) -> bool {
        let all = |known: &[&str]| literals.iter().all(|word| known.contains(word));
        let first = literals.first().copied().unwrap_or_default();
        match self.name {
            "ip" => {
                let words: Vec<&str> =
                    literals.iter().skip_while(|word| word.starts_with('-') && **word != "-batch").copied().collect();
                let flags = literals.iter().filter(|word| word.starts_with('-'));
                let shows = |word: &str| matches!(word, "show" | "list" | "ls" | "get");
                flags.clone().all(|flag| {
                    matches!(*flag, "-4" | "-6" | "-br" | "-brief" | "-s" | "-d" | "-j" | "-c" | "-o" | "-a")
                }) && words.first().is_some_and(|word| {
                    matches!(*word, "a" | "addr" | "address" | "l" | "link" | "r" | "route" | "n" | "neigh" | "rule")
                }) && words.get(1).is_none_or(|word| shows(word))
            }
            "ifconfig" => all(&["-a"]) || (literals.len() == 1 && !first.starts_with('-')),
            "route" | "arp" => all(&["-n", "-a", "-e", "-an"]),
            "hostname" => all(&["-f", "-s", "-i", "-I", "-d", "--fqdn"]),
            "iptables" | "ip6tables" => {
                matches!(first, "-L" | "-S" | "-nL" | "-nvL" | "-vnL" | "--list")
                    && all(&[
                        "-L",
                        "-S",
                        "-n",
                        "-v",
                        "-nL",
                        "-nvL",
                        "-vnL",
                        "--list",
                        "--line-numbers",
                        "INPUT",
                        "OUTPUT",
                        "FORWARD",
                        "-t",
                        "nat",
                        "filter",
                        "mangle",
                    ])
            }
            "nft" => first == "list",
            "ufw" => all(&["status", "verbose", "numbered"]) && first == "status",
            "nmcli" => all(&["device", "status", "connection", "show", "d", "c"]),
            _ => false,
        }
    }

    /// Whether another program only prints.
    fn machine_looks(&self, literals: &[&str]) -> bool {
        let all = |known: &[&str]| literals.iter().all(|word| known.contains(word));
        let first = literals.first().copied().unwrap_or_default();
        match self.name {
            "mount" => all(&["-l"]),
            "swapon" => all(&["-s", "--show"]) && !literals.is_empty(),
            "lvs" | "vgs" | "pvs" => all(&["-a", "-v", "--noheadings"]),
            "blkid" => literals.is_empty(),
            "fdisk" => first == "-l",
            "sysctl" => literals.iter().all(|word| {
                !word.contains('=') && (!word.starts_with('-') || matches!(*word, "-a" | "-n" | "-N" | "-e" | "-A"))
            }),
            "hostnamectl" | "timedatectl" | "localectl" | "loginctl" | "networkctl" | "resolvectl" | "coredumpctl" => {
                all(&["status", "list", "list-sessions", "list-users", "show", "--no-pager"])
            }
            "crontab" => all(&["-l"]) && !literals.is_empty(),
            "date" => {
                let mut is_value = false;
                literals.iter().all(|word| {
                    let takes = matches!(*word, "-d" | "--date" | "-r");
                    let fits = is_value
                        || takes
                        || word.starts_with('+')
                        || matches!(*word, "-u" | "-R" | "--utc" | "-I" | "-Iseconds" | "-Is")
                        || word.starts_with("--date=");
                    is_value = takes;
                    fits
                })
            }
            "dmesg" => all(&[
                "-T",
                "-H",
                "-k",
                "-x",
                "-w",
                "-l",
                "err",
                "warn",
                "err,warn",
                "--level=err",
                "--level=err,warn",
                "-P",
            ]),
            "kill" => first == "-l" || first == "-0",
            _ => false,
        }
    }
}
