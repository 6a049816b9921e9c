//! `hoop connect --stdio`: one conversation on standard input and output, as ssh's `ProxyCommand` wants it.
//!
//! There is no port, so nobody else can come in.

use std::sync::Arc;

use hoop_gateway_core::model::ConnectionName;
use hoop_tunnel::{
    client::StreamRequest,
    forward::{Counters, forward},
};
use tokio::io::{join, stdin, stdout};

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
    let mut local = join(stdin(), stdout());
    tokio::select! {
        copied = forward(&mut local, remote, &counters) => {
            copied.map_err(|error| Failure::unreachable("the session was cut").caused_by(&error))?;
            Ok(ExitStatus::SUCCESS)
        }
        () = interrupts.next() => Err(Failure::interrupted()),
    }
}
