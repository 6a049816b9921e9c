//! What the person who watches reads: headings, commands as they would type them, what came of them, progress.

use std::{cell::RefCell, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize as _;
use tokio::io::AsyncBufReadExt as _;

use crate::{
    context::Context,
    failure::Failure,
    output::{Output, printable},
};

/// The voice of the tour.
#[derive(Debug)]
pub(super) struct Narration {
    output: Output,
    pauses: bool,
    spinner: RefCell<Option<ProgressBar>>,
}

impl Narration {
    /// `pauses`: waits for Enter before every act.
    pub(super) fn new(context: &Context, pauses: bool) -> Self {
        Self { output: context.output.clone(), pauses, spinner: RefCell::new(None) }
    }

    /// Says what is being done while nothing can be shown yet.
    pub(super) fn progress(&self, what: &str) {
        if !self.output.talk_is_terminal() {
            self.output.say(&format!("… {what}"));
            return;
        }
        let mut spinner = self.spinner.borrow_mut();
        let bar = spinner.get_or_insert_with(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(what.to_owned());
    }

    /// Nothing is in progress any more.
    pub(super) fn rest(&self) {
        if let Some(spinner) = self.spinner.borrow_mut().take() {
            spinner.finish_and_clear();
        }
    }

    /// Begins an act: waits for Enter where a person is watching.
    pub(super) async fn act(&self, heading: &str, what: &str) -> Result<(), Failure> {
        self.rest();
        if self.pauses {
            self.output.say(&format!("{}", "  (Enter to go on, Ctrl-C to end)".dimmed()));
            let mut line = String::new();
            let read = tokio::io::BufReader::new(tokio::io::stdin()).read_line(&mut line).await;
            read.map_err(|error| Failure::failed("the keyboard could not be read").caused_by(&error))?;
        }
        self.output.text(&format!("\n{}\n{what}", heading.bold().underline()))
    }

    /// A command as a person would type it, and at whose shell.
    pub(super) fn command(&self, who: &str, command: &str) -> Result<(), Failure> {
        self.rest();
        self.output.text(&format!("\n{} {}", format!("{who}$").green().bold(), command.bold()))
    }

    /// What a command said; text of elsewhere is made harmless.
    pub(super) fn result(&self, text: &str) -> Result<(), Failure> {
        text.lines().try_for_each(|line| self.output.text(&format!("    {}", printable(line))))
    }

    /// A sentence.
    pub(super) fn line(&self, text: &str) -> Result<(), Failure> {
        self.rest();
        self.output.text(text)
    }
}
