//! `hoop connect --stdio`: one conversation on standard input and output, as ssh's `ProxyCommand` wants it.
//!
//! There is no port, so nobody else can come in.

use std::{
    io,
    os::fd::AsFd,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use hoop_gateway_core::model::ConnectionName;
use hoop_tunnel::{
    client::StreamRequest,
    forward::{Counters, forward},
};
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncWrite, ReadBuf, stdin},
    net::unix::pipe::{Receiver, Sender},
};
use tokio_util::sync::CancellationToken;

use super::{Interrupts, link};
use crate::{
    context::Context,
    failure::{ExitStatus, Failure},
    login::{FreshLogin, Login},
};

/// What `hoop ssh-config` names hosts by.
pub(crate) const SUFFIX: &str = ".hoop";

/// Copies until one side ends. `NAME.hoop` is `NAME`.
pub(super) async fn run(
    name: &ConnectionName,
    context: &Context,
    interrupts: &mut Interrupts,
) -> Result<ExitStatus, Failure> {
    let gateway = context.gateway()?;
    let login = Arc::new(FreshLogin::new(Login::load(context, &gateway).await?));
    let client = link::connect(context, &gateway, login).await?;
    let connection = name.as_str().strip_suffix(SUFFIX).unwrap_or(name.as_str()).to_owned();
    let request = StreamRequest { connection, client_address: None, local_password: None };
    let remote = client.open(&request).await.map_err(|error| {
        Failure::failed("the gateway did not open the session")
            .caused_by(&error)
            .next("`hoop ls` lists what you may use")
    })?;
    let counters = Counters::default();
    let over = CancellationToken::new();
    let mut local = Standard::new(over.clone())
        .map_err(|error| Failure::failed("there is no standard output").caused_by(&error))?;
    tokio::select! {
        copied = forward(&mut local, remote, &counters) => {
            copied.map_err(|error| Failure::unreachable("the session was cut").caused_by(&error))?;
            Ok(ExitStatus::SUCCESS)
        }
        // Whoever reads here waits for the end of this process, and says nothing more until then.
        () = over.cancelled() => Ok(ExitStatus::SUCCESS),
        // ssh ends its ProxyCommand by a signal, and shows what that says: it is no failure.
        () = interrupts.next() => Ok(ExitStatus::SUCCESS),
    }
}

/// Standard input and output as one stream.
struct Standard {
    input: Box<dyn AsyncRead + Send + Unpin>,
    output: Box<dyn AsyncWrite + Send + Unpin>,
    over: CancellationToken,
}

impl Standard {
    /// Cancels `over` once everything is written that came from the gateway. Pipes, which ssh gives, are waited for;
    /// anything else has a thread that blocks.
    fn new(over: CancellationToken) -> io::Result<Self> {
        let input: Box<dyn AsyncRead + Send + Unpin> =
            match Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?) {
                Ok(pipe) => {
                    widen(&pipe);
                    Box::new(pipe)
                }
                Err(_no_pipe) => Box::new(stdin()),
            };
        let output: Box<dyn AsyncWrite + Send + Unpin> =
            match Sender::from_owned_fd(io::stdout().as_fd().try_clone_to_owned()?) {
                Ok(pipe) => {
                    widen(&pipe);
                    Box::new(pipe)
                }
                // Not the library's own standard output, which keeps what follows the last line break: there is none.
                Err(_no_pipe) => Box::new(File::from_std(io::stdout().as_fd().try_clone_to_owned()?.into())),
            };
        Ok(Self { input, output, over })
    }
}

/// ssh expects of a pipe what a socket's buffers give: with the usual 64 KiB each side waits for the other all the time.
#[cfg(target_os = "linux")]
fn widen(pipe: &impl AsFd) {
    const PIPE_BYTES: i32 = 1 << 20;
    if let Err(error) = nix::fcntl::fcntl(pipe, nix::fcntl::FcntlArg::F_SETPIPE_SZ(PIPE_BYTES)) {
        tracing::debug!(%error, "a pipe stays as narrow as it is");
    }
}

#[cfg(not(target_os = "linux"))]
fn widen(_pipe: &impl AsFd) {}

impl AsyncRead for Standard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_read(task, buffer)
    }
}

impl AsyncWrite for Standard {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.output).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.output).poll_flush(task);
        if flushed.is_ready() {
            self.over.cancel();
        }
        flushed
    }
}
