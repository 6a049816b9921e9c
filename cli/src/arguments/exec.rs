//! Arguments of `exec`.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, builder::FalseyValueParser};
use hoop_gateway_core::model::ConnectionName;

use super::lasting::lasting;

/// Run a command with tunnels, and nothing beside them.
#[derive(Debug, Args)]
#[command(
    long_about = "Run a command with a tunnel to each connection, told by the variables that its libraries read.\n\n\
                  The run has a token of its own, which only its tunnels use and which ends with it. Variables that look \
                  like credentials are withheld. Agents run in a jail: no network but the tunnels, no files but the \
                  system's and the working folder, no way to other processes. \
                  Leaves with the command's exit status, or 128 plus the signal that ended it.",
    after_help = "Examples:\n  hoop exec -c pg-prod -- psql\n  \
                  hoop exec -c pg-prod -c openai --jail --label team=ops -- python crew.py\n  \
                  hoop exec -c pg-prod --as-agent crew -- python crew.py\n  \
                  hoop exec -c pg-prod --request 'incident 4711' --for 1h -- ./mend\n  \
                  hoop exec -c pg-prod --keep GITHUB_TOKEN -- ./release"
)]
pub(crate) struct ExecArguments {
    /// A connection that the command may use, as `hoop ls` names it; once for each
    #[arg(
        short,
        long = "connection",
        env = "HOOP_EXEC_CONNECTION",
        value_name = "NAME",
        required = true,
        value_delimiter = ','
    )]
    pub(crate) connections: Vec<ConnectionName>,
    /// Run the command in a jail; agents are jailed without it
    #[arg(long, env = "HOOP_EXEC_JAIL", value_parser = FalseyValueParser::new(), conflicts_with = "no_jail")]
    pub(crate) jail: bool,
    /// Run the command without a jail, and say what stays open
    #[arg(long, env = "HOOP_EXEC_NO_JAIL", value_parser = FalseyValueParser::new())]
    pub(crate) no_jail: bool,
    /// Open the tunnels to databases as Unix sockets in a private folder instead of ports; not in a jail
    #[arg(long, env = "HOOP_EXEC_SOCKET", value_parser = FalseyValueParser::new())]
    pub(crate) socket: bool,
    /// Something to know the run by, such as team=ops; once for each
    #[arg(long = "label", env = "HOOP_EXEC_LABEL", value_name = "KEY=VALUE", value_parser = label, value_delimiter = ',')]
    pub(crate) labels: Vec<(String, String)>,
    /// Lend this agent your presence: both it and you must be permitted
    #[arg(long, env = "HOOP_EXEC_AS_AGENT", value_name = "NAME")]
    pub(crate) as_agent: Option<String>,
    /// Why the command needs access, where connecting needs an approval; reviewers see it
    #[arg(long, env = "HOOP_EXEC_REQUEST", value_name = "REASON")]
    pub(crate) request: Option<String>,
    /// For how long, such as 30m or 1h; without it an hour, or what the policy allows
    #[arg(long = "for", env = "HOOP_EXEC_FOR", value_name = "TIME", value_parser = lasting)]
    pub(crate) lasting: Option<Duration>,
    /// Let the command have a variable although it looks like a credential; once for each
    #[arg(long = "keep", env = "HOOP_EXEC_KEEP", value_name = "VARIABLE", value_delimiter = ',')]
    pub(crate) keep: Vec<String>,
    /// In the jail, let the command also read this file or folder; once for each
    #[arg(long = "allow-read", env = "HOOP_EXEC_ALLOW_READ", value_name = "PATH", value_delimiter = ':')]
    pub(crate) allow_read: Vec<PathBuf>,
    /// In the jail, let the command also read and write this file or folder; once for each
    #[arg(long = "allow-write", env = "HOOP_EXEC_ALLOW_WRITE", value_name = "PATH", value_delimiter = ':')]
    pub(crate) allow_write: Vec<PathBuf>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// `key=value`, both in the letters that labels have.
fn label(text: &str) -> Result<(String, String), String> {
    let plain = |part: &str| {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        !part.is_empty() && part.len() <= LABEL_BYTES && part.bytes().all(letters)
    };
    match text.split_once('=') {
        Some((key, value)) if plain(key) && plain(value) => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as key=value, of letters, digits and ._-/".to_owned()),
    }
}

const LABEL_BYTES: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_key_and_a_value() {
        assert_eq!(label("team=ops"), Ok(("team".to_owned(), "ops".to_owned())));
        for wrong in ["team", "=ops", "team=", "te am=x", "team=a b"] {
            assert!(label(wrong).is_err(), "{wrong}");
        }
    }
}
