//! Asks the desktop to open an address, where there is a desktop. The address was checked to be https or loopback.

use std::{
    env,
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
};

use url::Url;

/// Starts the desktop's opener, detached; says whether it was started. Its success is the person's to see.
pub(super) fn open(address: &Url) -> bool {
    if !has_desktop() {
        return false;
    }
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = Command::new(opener)
        .arg(address.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C here must not close the browser.
        .process_group(0)
        .spawn();
    started.is_ok()
}

/// Over SSH the desktop, if any, is not the person's.
pub(super) fn has_desktop() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    if set("SSH_CONNECTION") || set("SSH_TTY") {
        return false;
    }
    cfg!(target_os = "macos") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}
