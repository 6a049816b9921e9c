//! What is asked of a machine by commands of the gateway's own that change nothing: what its account may do, and which
//! shell reads its command lines.

use std::time::Duration;

use russh::ChannelMsg;

use super::{SshError, SshLink};
use crate::{
    record::{Own, Recorded},
    shell::{self, Reader},
};

/// Who it is, and what sudo lets it do without a password. `sudo -n -l` runs nothing; the machine's log has a line of it.
const QUESTION: &str = "id -u && id -nG && sudo -n -l 2>/dev/null";
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 16 * 1024;

/// The question; on record before it is asked.
#[derive(Debug, Clone, Copy)]
pub struct SshProbe;

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAccount {
    /// Its number is 0.
    pub is_root: bool,
    /// Groups by which machines often give everything: `sudo`, `wheel`, `docker`, …
    pub powers: Vec<String>,
    /// Some command, or every one, by sudo without a password.
    pub sudo: Option<&'static str>,
}

impl SshAccount {
    /// Asks over a link that is logged in; `None` where the account runs no commands, or answers nothing to read.
    pub async fn read(link: &SshLink, order: Recorded<Own<SshProbe>>) -> Result<Option<Self>, SshError> {
        let SshProbe = order.into_inner().into_message();
        Ok(understood(&answer(link, QUESTION).await?))
    }
}

/// Which shell reads command lines; on record before it is asked.
#[derive(Debug, Clone, Copy)]
pub struct ReaderOrder;

/// Asks which shell reads command lines, over a link that is logged in.
pub(super) async fn reader(link: &SshLink, order: Recorded<Own<ReaderOrder>>) -> Result<Reader, SshError> {
    let ReaderOrder = order.into_inner().into_message();
    Ok(Reader::of(&answer(link, shell::QUESTION).await?))
}

/// What a command says on its standard output.
async fn answer(link: &SshLink, command: &str) -> Result<String, SshError> {
    let asking = async {
        let mut channel = link.handle.channel_open_session().await?;
        channel.exec(true, command).await?;
        let mut said = Vec::new();
        while let Some(message) = channel.wait().await {
            if let ChannelMsg::Data { data } = message {
                said.extend_from_slice(&data);
            }
            if said.len() > MOST_BYTES {
                break;
            }
        }
        Ok::<_, SshError>(said)
    };
    let said = tokio::time::timeout(PATIENCE, asking).await.map_err(|_elapsed| SshError::Slow)??;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn understood(said: &str) -> Option<SshAccount> {
    const POWERS: [&str; 8] = ["root", "sudo", "wheel", "admin", "docker", "lxd", "disk", "shadow"];
    let mut lines = said.lines();
    let number: u32 = lines.next()?.trim().parse().ok()?;
    let groups = lines.next()?.split_whitespace();
    let powers = groups.filter(|group| POWERS.contains(group)).map(str::to_owned).collect();
    let rules: Vec<&str> = lines.filter(|line| line.contains("NOPASSWD")).collect();
    let all = rules.iter().any(|line| line.rsplit(':').next().is_some_and(|last| last.trim() == "ALL"));
    let sudo = if all { Some("everything") } else { (!rules.is_empty()).then_some("some commands") };
    Some(SshAccount { is_root: number == 0, powers, sudo })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_known_by_its_number_its_groups_and_what_sudo_lists() {
        let plain = understood("1000\ndeploy\n").unwrap();
        assert_eq!(plain, SshAccount { is_root: false, powers: Vec::new(), sudo: None });
        let rules = "User deploy may run the following commands on app:\n    (ALL : ALL) NOPASSWD: ALL\n";
        let all = understood(&format!("1000\ndeploy sudo docker\n{rules}")).unwrap();
        assert_eq!((all.powers, all.sudo), (vec!["sudo".to_owned(), "docker".to_owned()], Some("everything")));
        let some = understood("1000\ndeploy\n    (root) NOPASSWD: /usr/bin/systemctl restart app\n").unwrap();
        assert_eq!(some.sudo, Some("some commands"));
        assert!(understood("0\nroot\n").unwrap().is_root);
        assert_eq!(understood("This account is not available.\n"), None);
    }
}
