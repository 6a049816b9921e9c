//! The jail: namespaces with nothing in them but the run's tunnels, a root of what may be read, and a kernel that refuses the rest.
//!
//! Two processes make it, each with one thread: the first takes the namespaces and makes the listeners, the second is the first
//! process inside, closes every door behind itself and only then starts the command. What cannot be enforced fully fails.

mod allow;
mod calls;
mod files;
mod loopback;
mod mounts;
mod namespace;
mod privileges;

pub(super) use allow::{Wanted, plan};

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Child, Command, Stdio},
};

use hoop_tunnel::peer::RUN_MARK;
use rustix::process::{DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    frame,
    keeper::{self, SELF, Stage, give_up},
    plan::{Ending, JailPlan, Order, Trouble, Word},
};

/// Takes the namespaces, makes the listeners, starts the first process inside, and waits for it.
pub(super) fn build() -> io::Result<()> {
    namespace::close_what_was_inherited()?;
    let control = keeper::control()?;
    let Some((Order::Jail(jail), _)) = frame::receive(&control)? else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let listeners = prepare(&jail).map_err(|trouble| give_up(&control, trouble))?;
    let told = listeners.iter().map(|listener| listener.port).collect();
    let descriptors: Vec<_> =
        listeners.iter().flat_map(|listener| [listener.v4.as_fd(), listener.v6.as_fd()]).collect();
    frame::send(&control, &Word::Listening(told), &descriptors)?;
    drop(listeners);
    let inside = start_inside(&jail, &control)
        .map_err(|error| give_up(&control, Trouble::new("the jail's first process could not be started", error)))?;
    drop(control);
    wait(inside)
}

struct Listener {
    v4: TcpListener,
    v6: TcpListener,
    port: u16,
}

fn prepare(jail: &JailPlan) -> Result<Vec<Listener>, Trouble> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Trouble::new("the jail cannot be tied to `hoop exec`", error))?;
    namespace::enter()?;
    loopback::bring_up()
        .map_err(|error| Trouble::new("the jail's loopback device cannot be used", error).next(namespace::ADVICE))?;
    privileges::keep_for_the_inside()?;
    (0..jail.listeners)
        .map(|_| listen().map_err(|error| Trouble::new("a tunnel cannot listen in the jail", error)))
        .collect()
}

/// One port on both loopback addresses, so that `localhost` is ours whatever it resolves to.
fn listen() -> io::Result<Listener> {
    let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = v4.local_addr()?.port();
    let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port))?;
    Ok(Listener { v4, v6, port })
}

fn start_inside(jail: &JailPlan, control: &UnixStream) -> io::Result<Child> {
    let (near, far) = UnixStream::pair()?;
    let mut command = Command::new(SELF);
    command.env_clear().arg0(RUN_MARK).arg(Stage::Inside.word()).stdin(Stdio::from(OwnedFd::from(far)));
    let child = command.spawn()?;
    frame::send(&near, &Order::Jail(jail.clone()), &[control.as_fd()])?;
    Ok(child)
}

/// A terminal's signals are the command's business: they must not end us before it.
fn wait(mut inside: Child) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut ended = signal(SignalKind::child())?;
        let _ignored =
            [SignalKind::interrupt(), SignalKind::quit(), SignalKind::hangup(), SignalKind::terminate()].map(signal);
        while inside.try_wait()?.is_none() {
            ended.recv().await;
        }
        Ok(())
    })
}

/// The first process inside: closes the jail, then keeps the command. With its end the kernel ends everybody inside.
pub(super) fn enter() -> io::Result<()> {
    let told = keeper::control()?;
    let Some((Order::Jail(jail), descriptors)) = frame::receive(&told)? else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let control = descriptors.into_iter().next().map(UnixStream::from).ok_or(io::ErrorKind::InvalidData)?;
    drop(told);
    close(&jail).map_err(|trouble| give_up(&control, trouble))?;
    let (plan, stdin) = keeper::await_start(&control)?;
    let Some(program) = plan.command.first() else { return Err(io::ErrorKind::InvalidData.into()) };
    let mut command = keeper::command(&plan, program.as_os(), stdin);
    command.args(plan.command.iter().skip(1).map(super::plan::Text::as_os));
    match command.spawn() {
        Ok(child) => keeper::supervise_inside(&control, &child),
        Err(error) => {
            let next = "check the command behind `--`; what it needs of your home is shown with `--allow-read PATH`";
            keeper::not_started(program.as_os(), &error, next);
            let status = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
            frame::send(&control, &Word::Ended(Ending::Status(status)), &[])
        }
    }
}

fn close(jail: &JailPlan) -> Result<(), Trouble> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .map_err(|error| Trouble::new("the jail's first process cannot be guarded", error))?;
    mounts::build(jail)?;
    privileges::drop_all()?;
    files::restrict(jail)?;
    calls::restrict()
}
