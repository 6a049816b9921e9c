//! Ends what the demo started, however the demo itself ends.
//!
//! A small shell holds the other end of a pipe and knows the long-lived processes. When the pipe closes, because the
//! demo is done, failed or was killed, it ends them, the youngest first, and removes the folder.

use std::{path::Path, process::Stdio};

use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, ChildStdin, Command},
};

use crate::failure::Failure;

const SCRIPT: &str = r#"
pids=
while read -r pid; do pids="$pid $pids"; done
for pid in $pids; do kill -INT "$pid" 2>/dev/null; done
tries=0
for pid in $pids; do
    while kill -0 "$pid" 2>/dev/null && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
    kill -KILL "$pid" 2>/dev/null
done
rm -rf -- "$1"
"#;

/// The pipe and the shell at its other end.
#[derive(Debug)]
pub(super) struct Lifeline {
    pipe: Option<ChildStdin>,
    shell: Child,
}

impl Lifeline {
    /// Starts the shell that will remove `folder`.
    pub(super) fn start(folder: &Path) -> Result<Self, Failure> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "hoop-demo-lifeline"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in the terminal is for the demo; this must outlive it.
            .process_group(0)
            .spawn()
            .map_err(|error| Failure::failed("/bin/sh did not start").caused_by(&error))?;
        let pipe = shell.stdin.take();
        Ok(Self { pipe, shell })
    }

    /// Entrusts it with a process.
    pub(super) async fn watch(&mut self, pid: u32) -> Result<(), Failure> {
        let lost = || Failure::failed("the demo's watching shell is gone");
        let pipe = self.pipe.as_mut().ok_or_else(lost)?;
        pipe.write_all(format!("{pid}\n").as_bytes()).await.map_err(|error| lost().caused_by(&error))?;
        pipe.flush().await.map_err(|error| lost().caused_by(&error))
    }

    /// Lets go: everything watched is asked to end. [`Self::ended`] waits for it.
    pub(super) fn let_go(&mut self) {
        self.pipe = None;
    }

    /// Waits until all is ended and removed.
    pub(super) async fn ended(&mut self) -> Result<(), Failure> {
        let status = self.shell.wait().await;
        status.map(drop).map_err(|error| Failure::failed("the clean-up did not end").caused_by(&error))
    }
}
