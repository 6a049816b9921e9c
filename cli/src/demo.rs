//! `hoop demo`: a private PostgreSQL, a gateway, two people and a tour, all real and all gone afterwards.
//!
//! Drives the product only from outside, as a person would: its own binary, psql, the login page. Touches no
//! configuration of the person who runs it.

mod child;
mod lifeline;
mod login_page;
mod narration;
mod postgres;
mod stage;
mod tour;

use std::{
    io::IsTerminal as _,
    sync::atomic::{AtomicBool, Ordering},
};

use tokio::signal::unix::{SignalKind, signal};

use self::{narration::Narration, stage::Stage};
use crate::{
    arguments::DemoArguments,
    context::Context,
    failure::{ExitStatus, Failure},
};

/// Runs the tour, then with `--yes` ends, else leaves the world up until Ctrl-C. Cleans up in every case.
pub(crate) async fn run(arguments: DemoArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let pauses = !arguments.yes && !context.no_input && std::io::stdin().is_terminal();
    let narration = Narration::new(context, pauses);
    let mut stage = Stage::new()?;
    // Whoever plays with the world ends it in order: only a tour is interrupted.
    let plays = AtomicBool::new(false);
    let outcome = tokio::select! {
        outcome = Box::pin(perform(&mut stage, &narration, !arguments.yes, &plays)) => outcome,
        interrupted = interruption() => {
            if plays.load(Ordering::SeqCst) { Ok(ExitStatus::SUCCESS) } else { Err(interrupted) }
        }
    };
    narration.progress("taking everything down");
    let cleaned = stage.end().await;
    narration.rest();
    // The first thing that went wrong is the one to hear about.
    let status = outcome?;
    cleaned?;
    narration.line("Everything that the demo started is gone.")?;
    Ok(status)
}

/// The tour; where the world stays, it is not over before the caller ends it, and `plays` says so from then on.
async fn perform(
    stage: &mut Stage,
    narration: &Narration,
    stays: bool,
    plays: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    narration.line("This is hoop, on this machine only. Everything below is real; nothing of yours is touched.")?;
    let world = Box::pin(stage.build(narration)).await?;
    Box::pin(tour::run(&world, narration)).await?;
    if stays {
        plays.store(true, Ordering::SeqCst);
        tour::invite(&world, narration)?;
        std::future::pending::<()>().await;
    }
    drop(world);
    Ok(ExitStatus::SUCCESS)
}

/// Waits for Ctrl-C, or for being asked to end.
async fn interruption() -> Failure {
    let Ok(mut asked) = signal(SignalKind::terminate()) else {
        return Failure::internal("the system gives no signals");
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = asked.recv() => {}
    }
    Failure::interrupted()
}
