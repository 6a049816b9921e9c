//! Waits for a command to end: passes signals on, reaps what was left to us, and tells how it ended.
//!
//! When `hoop exec` is gone the command is ended at once.

use std::{io, os::unix::net::UnixStream, process::Child};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

use crate::exec::{
    frame,
    plan::{Ending, Order, Word},
};

/// Returns when the command has ended and that was told, or when nobody is there to be told.
pub(super) fn until_the_end(control: &UnixStream, child: &Child) -> io::Result<()> {
    let child = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    frame::send(control, &Word::Started, &[])?;
    let orders = listen(control.try_clone()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ending = runtime.block_on(wait(child, orders))?;
    match ending {
        Some(ending) => frame::send(control, &Word::Ended(ending), &[]),
        None => Ok(()),
    }
}

/// Reads orders until their end, on a thread of its own.
fn listen(control: UnixStream) -> UnboundedReceiver<i32> {
    let (sender, orders) = unbounded_channel();
    std::thread::spawn(move || {
        while let Ok(Some((order, _))) = frame::receive(&control) {
            if let Order::Signal(number) = order
                && sender.send(number).is_err()
            {
                return;
            }
        }
    });
    orders
}

async fn wait(child: Pid, mut orders: UnboundedReceiver<i32>) -> io::Result<Option<Ending>> {
    let mut children = signal(SignalKind::child())?;
    // A terminal sends these to the command as well as to us: it decides.
    let mut terminal = [signal(SignalKind::interrupt())?, signal(SignalKind::quit())?, signal(SignalKind::hangup())?];
    let mut terminate = signal(SignalKind::terminate())?;
    let [interrupt, quit, hangup] = &mut terminal;
    loop {
        if let Some(ending) = reap(child) {
            return Ok(Some(ending));
        }
        tokio::select! {
            _ = children.recv() => {}
            _ = interrupt.recv() => {}
            _ = quit.recv() => {}
            _ = hangup.recv() => {}
            _ = terminate.recv() => pass_on(child, Signal::SIGTERM),
            order = orders.recv() => {
                let Some(number) = order else {
                    pass_on(child, Signal::SIGKILL);
                    return Ok(None);
                };
                if let Ok(signal) = Signal::try_from(number) {
                    pass_on(child, signal);
                }
            }
        }
    }
}

fn pass_on(child: Pid, signal: Signal) {
    if let Err(error) = kill(child, signal) {
        tracing::debug!(%error, "the command is gone already");
    }
}

/// Reaps everybody who ended; says how the command did, if it did.
fn reap(child: Pid) -> Option<Ending> {
    let mut ending = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) if pid == child => ending = Some(Ending::Status(status)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => ending = Some(Ending::Signal(signal as i32)),
            Ok(WaitStatus::StillAlive) => return ending,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return ending,
        }
    }
}
