//! Which shell reads the command lines of an account: a question to it, and what an answer says.
//!
//! The login shell decides what a line means. What is read here is read so by sh, dash, bash and zsh; csh, tcsh and fish
//! quote, substitute and redirect otherwise, and what is harmless by the letter may run something there.

/// Runs nothing but what these shells have built in. csh and fish do not parse it; a shell that is no POSIX shell does not
/// divide `$x`, or does not know `set`; a Korn shell reads the end of a pipe itself, as zsh does.
pub const QUESTION: &str = "x='a b'; set -- $x; y=0; echo 1 | read y; \
                            echo \"hoop reads $# $y ${ZSH_VERSION:+zsh}${KSH_VERSION:+ksh}${YASH_VERSION:+yash}\"";

/// Who reads a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A shell that reads it as it is read here.
    Known,
    /// Another one, or a program that is no shell.
    Other,
}

impl Reader {
    /// Whose answer to [`QUESTION`] this is. FAIL-CLOSED: whatever is not the answer of a shell that is known is another's.
    pub fn of(answer: &str) -> Self {
        let mut said = answer.lines().filter_map(|line| line.trim_end().strip_prefix("hoop reads "));
        match (said.next(), said.next()) {
            (Some("2 0" | "1 1 zsh"), None) => Self::Known,
            _ => Self::Other,
        }
    }
}
