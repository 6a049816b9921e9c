//! What happens when hoop itself is at fault: the terminal is restored, the place is said, the exit status is 70.

use std::{
    io::Write as _,
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
};

use crate::failure::{ExitStatus, FailureKind};

/// Replaces the standard panic message by one that says whose fault it is and what to do.
pub(crate) fn install_hook() {
    set_hook(Box::new(|panic| {
        if crossterm::terminal::is_raw_mode_enabled().unwrap_or(false) {
            crate::dashboard::restore();
        }
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let said = panic.payload_as_str().unwrap_or("without a message");
        let written = writeln!(
            std::io::stderr().lock(),
            "error: hoop has a fault of its own at {place}: {said}\n  next: please report it with the command that you ran"
        );
        drop(written);
    }));
}

/// Runs `body`; a panic in it becomes the exit status of a fault of our own.
pub(crate) fn guard(body: impl FnOnce() -> ExitStatus) -> ExitStatus {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_panic| FailureKind::Internal.exit_status())
}
