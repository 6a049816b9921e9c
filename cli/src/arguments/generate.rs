//! Arguments of `completions` and `man`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Print shell completions.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop completions bash > ~/.local/share/bash-completion/completions/hoop\n  \
                        hoop completions zsh > ~/.zfunc/_hoop\n  \
                        hoop completions fish > ~/.config/fish/completions/hoop.fish")]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// A shell that completions are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
}

/// Print or write the man pages.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoop man | man -l -\n  hoop man --out ~/.local/share/man/man1")]
pub(crate) struct ManArguments {
    /// Write one page per command into this folder instead of printing hoop(1)
    #[arg(long, env = "HOOP_MAN_OUT", value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
}
