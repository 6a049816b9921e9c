//! Files over SSH: sftp, scp of both kinds, rsync, byte for byte, and what is refused among them.

use std::{fs, path::Path};

use super::{POLICY, stage, stage_with};
use crate::stories::harness::{Program, Sshd, sha256};

/// So large that it is split over many packets and windows.
const BYTES: usize = 20 << 20;

fn large(path: &Path) {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()
    })
    .take(BYTES / 8)
    .flatten()
    .collect();
    fs::write(path, bytes).expect("written");
}

#[test]
fn files_are_carried_whole_and_their_hashes_are_on_record() {
    let stage = stage();
    let room = stage.sshd.room();
    let (here, there, back) = (room.join("here"), room.join("there"), room.join("back"));
    large(&here);
    let sum = sha256(&here);
    let at = |path: &Path| format!("127.0.0.1:{}", path.display());
    let port = stage.tunnel.port;
    for legacy in [None, Some("-O")] {
        let copy = |from: &str, to: &str| {
            let mut command = Sshd::client("scp", port);
            Program::run(command.args(legacy).args(["-q", from, to]), "").success();
        };
        copy(&here.display().to_string(), &at(&there));
        assert_eq!(sha256(&there), sum);
        copy(&at(&there), &back.display().to_string());
        assert_eq!(sha256(&back), sum);
        fs::remove_file(&there).expect("there");
    }
    let batch = room.join("batch");
    let folder = room.display();
    fs::write(
        &batch,
        format!(
            "put {here} {folder}/s1\nrename {folder}/s1 {folder}/s2\nchmod 600 {folder}/s2\nls -l {folder}\n\
             get {folder}/s2 {folder}/s3\nmkdir {folder}/d\nrmdir {folder}/d\nln -s {folder}/s2 {folder}/l\nrm {folder}/s2\n",
            here = here.display()
        ),
    )
    .expect("written");
    let mut sftp = Sshd::client("sftp", port);
    Program::run(sftp.arg("-b").arg(&batch).arg("127.0.0.1"), "").success();
    assert_eq!(sha256(&room.join("s3")), sum);
    assert!(!room.join("s2").exists() && room.join("l").is_symlink());
    let (tree, copied) = (room.join("tree"), room.join("copied"));
    fs::create_dir_all(&tree).expect("made");
    for number in 0..50 {
        fs::write(tree.join(format!("f{number}")), format!("content of {number}\n")).expect("written");
    }
    let shell =
        format!("ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -p {port}");
    let mut rsync = std::process::Command::new("rsync");
    let from = format!("{}/", tree.display());
    Program::run(rsync.args(["-a", "-e", &shell, &from, &at(&copied)]), "").success();
    assert_eq!(fs::read_to_string(copied.join("f49")).expect("copied"), "content of 49\n");
    let recorded = stage.recorded();
    assert!(recorded.matches(&sum).count() >= 3, "up, down and by sftp: {recorded}");
}

#[test]
fn each_file_is_decided_and_a_refusal_leaves_the_conversation() {
    let policy = format!(
        "{POLICY}\n@id(\"no-removals\")\n@message(\"nothing is removed here\")\n\
         forbid(principal, action == Action::\"ssh_delete\", resource);\n\
         @id(\"no-secrets\")\n@message(\"this folder is closed\")\nforbid(principal, action, resource is SystemObject)\n\
         when {{ resource is SystemObject && resource.name like \"*/closed/*\" }};\n"
    );
    let stage = stage_with("", &policy, "");
    let room = stage.sshd.room();
    fs::create_dir_all(room.join("closed")).expect("made");
    fs::write(room.join("closed/key"), "secret\n").expect("written");
    fs::write(room.join("kept"), "kept\n").expect("written");
    let folder = room.display().to_string();
    let batch = format!(
        "-rm {folder}/kept\n-get {folder}/closed/key {folder}/stolen\n-get {folder}/closed/../closed/key {folder}/stolen\n\
         -ln -s {folder}/closed/key {folder}/link\n-rename {folder}/kept {folder}/closed/kept\nget {folder}/kept {folder}/copy\n"
    );
    fs::write(room.join("batch"), batch).expect("written");
    let mut sftp = Sshd::client("sftp", stage.tunnel.port);
    let outcome = Program::run(sftp.arg("-b").arg(room.join("batch")).arg("127.0.0.1"), "");
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert!(outcome.errors.contains("nothing is removed here") && outcome.errors.contains("no-secrets"), "{outcome:?}");
    assert!(room.join("kept").exists() && room.join("copy").exists(), "{outcome:?}");
    assert!(!room.join("stolen").exists() && !room.join("link").is_symlink(), "{outcome:?}");
    let recorded = stage.recorded();
    assert!(recorded.contains("no-removals") && recorded.contains("/closed/key"), "{recorded}");
}
