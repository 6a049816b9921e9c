//! A real OpenSSH server on a free port, with keys of its own, run by whoever runs the stories.

use std::{
    fs,
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{Program, cluster::free_port, until};

/// A running server.
pub(crate) struct Sshd {
    pub(crate) port: u16,
    /// The account: whoever runs the stories.
    pub(crate) user: String,
    folder: TempDir,
    _program: Program,
}

impl Sshd {
    /// Starts one that takes the gateway's key, and certificates of its authority once that is written.
    pub(crate) fn start() -> Self {
        Self::saying("VERBOSE")
    }

    /// One whose log is as long as this level makes it.
    pub(crate) fn saying(level: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("hoop-sshd-").tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["host", "other", "gateway"] {
            let mut made = Command::new("ssh-keygen");
            Program::run(made.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(path(name)), "").success();
        }
        fs::copy(path("gateway.pub"), path("authorized")).expect("copied");
        fs::write(path("user_ca.pub"), "").expect("written");
        let user = Program::run(Command::new("id").arg("-un"), "").success().trim().to_owned();
        if user == "root" {
            // Debian's server wants its empty folder when root starts it.
            fs::create_dir_all("/run/sshd").expect("made");
        }
        let port = free_port();
        let shown = |name: &str| path(name).display().to_string();
        let settings = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nTrustedUserCAKeys {}\n\
             PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n\
             AcceptEnv STORY_* FORBIDDEN\nSubsystem sftp internal-sftp\nMaxSessions 100\nMaxStartups 100\n\
             PerSourceMaxStartups none\nLogLevel {level}\n",
            shown("host"),
            shown("authorized"),
            shown("user_ca.pub"),
        );
        fs::write(path("sshd_config"), settings).expect("written");
        let mut command = Command::new("/usr/sbin/sshd");
        command.arg("-D").arg("-E").arg(path("log")).arg("-f").arg(path("sshd_config"));
        let program = Program::start(&mut command);
        until("sshd listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        fs::set_permissions(path("gateway"), fs::Permissions::from_mode(0o600)).expect("private");
        Self { port, user, folder, _program: program }
    }

    /// Waits for a line of its log that has these parts.
    pub(crate) fn logged(&self, parts: &[&str]) -> String {
        let found = || {
            let log = self.log();
            log.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
        };
        until(&format!("sshd says {}", parts.join(" … ")), || found().is_some());
        found().expect("it was said")
    }

    /// A file of its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).expect("readable")
    }

    /// The public half of a key, in one line.
    pub(crate) fn public_key(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path(&format!("{name}.pub"))).expect("readable");
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// What a site says of it.
    pub(crate) fn connection(&self, name: &str, more: &str) -> String {
        let (port, user, key) = (self.port, &self.user, self.path("gateway"));
        let host = self.public_key("host");
        Self::connection_with(
            name,
            &format!("host_key = \"{host}\"\n{more}"),
            &format!("type = \"key\"\nusername = \"{user}\"\nsecret = \"file:{}\"", key.display()),
            port,
        )
    }

    /// The same, with other words.
    pub(crate) fn connection_with(name: &str, settings: &str, credential: &str, port: u16) -> String {
        format!(
            "[[connection]]\nname = \"{name}\"\nkind = \"ssh\"\nupstream = \"127.0.0.1:{port}\"\n\
             labels = {{ env = \"prod\" }}\n{settings}\n[connection.credential]\n{credential}\n\n"
        )
    }

    /// ssh, scp, sftp with nothing of the machine's user: their options for a port on this machine.
    pub(crate) fn client(program: &str, port: u16) -> Command {
        let mut command = Command::new(program);
        for option in [
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "GlobalKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "IdentityFile=none",
            "ConnectTimeout=30",
        ] {
            command.args(["-o", option]);
        }
        command.args(["-F", "none", "-o", &format!("Port={port}")]);
        command
    }

    /// A folder for what is carried.
    pub(crate) fn room(&self) -> PathBuf {
        let room = self.path("room");
        fs::create_dir_all(&room).expect("made");
        room
    }
}

/// SHA-256 of a file, as coreutils prints it.
pub(crate) fn sha256(path: &Path) -> String {
    let said = Program::run(Command::new("sha256sum").arg(path), "").success();
    said.split(' ').next().unwrap_or_default().to_owned()
}
