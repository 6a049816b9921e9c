//! `hoop completions`: a shell's completions, made from the one definition of the arguments.

use clap_complete::aot;

use crate::{
    arguments::{self, CompletionsArguments, Shell},
    failure::{ExitStatus, Failure},
    output::Output,
};

/// Prints the completions of one shell.
pub(crate) fn run(arguments: &CompletionsArguments) -> Result<ExitStatus, Failure> {
    Output::bytes(&script(arguments.shell))?;
    Ok(ExitStatus::SUCCESS)
}

/// The completion script of `shell`.
pub(crate) fn script(shell: Shell) -> Vec<u8> {
    let generator = match shell {
        Shell::Bash => aot::Shell::Bash,
        Shell::Zsh => aot::Shell::Zsh,
        Shell::Fish => aot::Shell::Fish,
    };
    let mut script = Vec::new();
    aot::generate(generator, &mut arguments::definition(), "hoop", &mut script);
    script
}
