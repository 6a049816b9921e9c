//! `hoop exec`'s side of its keeper: starts it, tells it what to do, hears how the command ends.
//!
//! The keeper's death, and ours, end the command: the kernel tells one of the other's.

use std::{
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::Stdio,
    time::Duration,
};

use hoop_tunnel::{listener::LocalListener, peer::RUN_MARK};
use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior};
use tokio::{
    process::{Child, Command},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

use super::{
    frame,
    keeper::{self, SELF, Stage},
    plan::{Ending, JailPlan, Order, Plan, Trouble, Word},
};
use crate::failure::Failure;

/// What the keeper said.
#[derive(Debug)]
pub(super) enum Told {
    /// The command runs.
    Started,
    /// It ended.
    Ended(Ending),
}

/// A running keeper.
#[derive(Debug)]
pub(super) struct Warden {
    control: UnixStream,
    words: UnboundedReceiver<(Word, Vec<OwnedFd>)>,
    child: Child,
    process: u32,
}

/// Nobody of the same user may look into this process from now on, and whoever loses their parent becomes our child.
pub(super) fn protect_ourselves() -> Result<(), Failure> {
    set_child_subreaper(Some(getpid()))
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .map_err(|error| Failure::failed("this process cannot be guarded from the command").caused_by(&error))
}

impl Warden {
    /// Starts a keeper. To be called by the thread that lives as long as this process: the keeper ends with it.
    pub(super) fn start(stage: Stage) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::failed("the command's keeper could not be started").caused_by(&error);
        let (control, theirs) = UnixStream::pair().map_err(failed)?;
        let mut command = std::process::Command::new(SELF);
        // Nothing of our surroundings: they may hold what is withheld.
        command.env_clear().arg0(RUN_MARK).arg(stage.word()).stdin(Stdio::from(OwnedFd::from(theirs)));
        let child = Command::from(command).kill_on_drop(true).spawn().map_err(failed)?;
        let process = child.id().ok_or_else(|| Failure::internal("the command's keeper ended at once"))?;
        let words = listen(control.try_clone().map_err(failed)?);
        Ok(Self { control, words, child, process })
    }

    /// The keeper, as the process table has it.
    pub(super) const fn keeper(&self) -> u32 {
        self.process
    }

    /// Has it make a jail; gives the listeners that were made inside.
    pub(super) async fn jail(&mut self, jail: &JailPlan) -> Result<Vec<LocalListener>, Failure> {
        self.order(&Order::Jail(jail.clone()), &[])?;
        let (ports, descriptors) = match self.words.recv().await {
            Some((Word::Listening(ports), descriptors)) => (ports, descriptors),
            Some((Word::Failed(trouble), _)) => return Err(failure(trouble)),
            Some(_) | None => return Err(lost()),
        };
        let mut sockets = descriptors.into_iter().map(std::net::TcpListener::from);
        let mut listeners = Vec::new();
        while let (Some(v4), v6) = (sockets.next(), sockets.next()) {
            let adopted = LocalListener::adopt(v4, v6);
            listeners.push(
                adopted.map_err(|error| Failure::failed("the jail's listeners cannot be used").caused_by(&error))?,
            );
        }
        if listeners.len() == ports.len() { Ok(listeners) } else { Err(lost()) }
    }

    /// Has it start the command, with our standard input.
    pub(super) fn begin(&mut self, plan: &Plan) -> Result<(), Failure> {
        self.order(&Order::Start(plan.clone()), &[io::stdin().as_fd()])
    }

    /// Passes a signal on.
    pub(super) fn pass_on(&mut self, number: i32) {
        if self.order(&Order::Signal(number), &[]).is_err() {
            tracing::debug!(number, "the keeper is gone already");
        }
    }

    /// What it says next. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Told, Failure> {
        match self.words.recv().await {
            Some((Word::Started, _)) => Ok(Told::Started),
            Some((Word::Ended(ending), _)) => Ok(Told::Ended(ending)),
            Some((Word::Failed(trouble), _)) => Err(failure(trouble)),
            Some((Word::Listening(_), _)) | None => Err(lost()),
        }
    }

    /// Waits for its end, and ends whoever it left behind.
    pub(super) async fn finish(mut self) {
        // Whatever it still does, it does for nobody.
        drop(self.control.shutdown(std::net::Shutdown::Both));
        if tokio::time::timeout(PATIENCE, self.child.wait()).await.is_err() {
            tracing::info!("the command's keeper had to be killed");
            drop(self.child.kill().await);
        }
        keeper::rest::end_all();
    }

    fn order(&self, order: &Order, descriptors: &[std::os::fd::BorrowedFd<'_>]) -> Result<(), Failure> {
        frame::send(&self.control, order, descriptors).map_err(|error| lost().caused_by(&error))
    }
}

/// Hears it on a thread of its own, until it is gone.
fn listen(control: UnixStream) -> UnboundedReceiver<(Word, Vec<OwnedFd>)> {
    let (sender, words) = unbounded_channel();
    std::thread::spawn(move || {
        while let Ok(Some(word)) = frame::receive(&control) {
            if sender.send(word).is_err() {
                return;
            }
        }
    });
    words
}

fn failure(trouble: Trouble) -> Failure {
    let failure = Failure::failed(trouble.what).because(trouble.why);
    match trouble.next {
        Some(next) => failure.next(next),
        None => failure,
    }
}

fn lost() -> Failure {
    Failure::failed("the command's keeper is gone")
        .because("it was killed, or ended by itself; its command ended with it")
}

/// How long a keeper may take to end what its command left running.
const PATIENCE: Duration = Duration::from_secs(10);
