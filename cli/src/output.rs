//! The only place that prints: data to standard output, talk to standard error.
//!
//! Tables for people, versioned JSON for programs. Text that came from elsewhere passes through [`printable()`].

mod printable;

pub(crate) use printable::{is_shown_as_it_is, printable, printable_line};

use std::io::{IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use owo_colors::OwoColorize as _;
use serde::Serialize;

use crate::{
    arguments::{Colour, Format, GlobalArguments},
    failure::{ExitStatus, Failure, FailureKind},
};

/// How to print: which form, which colours, how wide.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    format: Format,
    data_colour: ColorChoice,
    talk_colour: ColorChoice,
    data_is_terminal: bool,
    talk_is_terminal: bool,
}

/// What a program reads: a version, and the value under its name.
#[derive(Serialize)]
struct Envelope<'value, T: ?Sized> {
    version: u32,
    #[serde(flatten)]
    named: std::collections::BTreeMap<&'static str, &'value T>,
}

/// A line of a list: a version beside the item's own fields.
#[derive(Serialize)]
struct Line<'value, T> {
    version: u32,
    #[serde(flatten)]
    item: &'value T,
}

/// The version of everything that `--output json` and `jsonl` print.
pub(crate) const OUTPUT_VERSION: u32 = 1;

impl Output {
    /// Reads the wishes of the arguments and what the terminal can do.
    pub(crate) fn new(globals: &GlobalArguments) -> Self {
        let choose = |terminal: bool| match globals.color {
            Colour::Always => ColorChoice::Always,
            Colour::Auto if terminal && !colour_is_unwanted() => ColorChoice::Always,
            Colour::Auto | Colour::Never => ColorChoice::Never,
        };
        Self {
            format: globals.output,
            data_colour: choose(std::io::stdout().is_terminal()),
            talk_colour: choose(std::io::stderr().is_terminal()),
            data_is_terminal: std::io::stdout().is_terminal(),
            talk_is_terminal: std::io::stderr().is_terminal() && !terminal_is_dumb(),
        }
    }

    /// Without colour, before the arguments are known.
    pub(crate) const fn plain() -> Self {
        Self {
            format: Format::Table,
            data_colour: ColorChoice::Never,
            talk_colour: ColorChoice::Never,
            data_is_terminal: false,
            talk_is_terminal: false,
        }
    }

    /// The form that `--output` asked for.
    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// Whether a person reads the data.
    pub(crate) const fn data_is_terminal(&self) -> bool {
        self.data_is_terminal
    }

    /// Whether a person reads the talk: then live lines and prompts make sense.
    pub(crate) const fn talk_is_terminal(&self) -> bool {
        self.talk_is_terminal
    }

    /// Whether data may be coloured.
    pub(crate) fn data_has_colour(&self) -> bool {
        self.data_colour == ColorChoice::Always
    }

    /// Columns of the terminal; 100 where there is none.
    pub(crate) fn width(&self) -> u16 {
        let measured = crossterm::terminal::size().ok().map(|(columns, _rows)| columns);
        measured.filter(|columns| self.data_is_terminal && *columns >= 40).unwrap_or(100)
    }

    /// A list: a table for people, `{"version":1,"NAME":[…]}` as JSON, one object a line as JSONL.
    pub(crate) fn list<T: Serialize>(
        &self,
        name: &'static str,
        items: &[T],
        table: impl FnOnce(&[T]) -> Table,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.table(table(items)),
            Format::Json => self.json(name, items),
            Format::Jsonl => items.iter().try_for_each(|item| self.json_line(item)),
        }
    }

    /// One value: text for people, `{"version":1,"NAME":{…}}` as JSON, the object itself on one line as JSONL.
    pub(crate) fn value<T: Serialize>(
        &self,
        name: &'static str,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.text(&text(value)),
            Format::Json => self.json(name, value),
            Format::Jsonl => self.json_line(value),
        }
    }

    /// One line of JSONL: the item's fields beside the version.
    pub(crate) fn json_line<T: Serialize>(&self, item: &T) -> Result<(), Failure> {
        let text =
            serde_json::to_string(&Line { version: OUTPUT_VERSION, item }).map_err(|error| unserialisable(&error))?;
        self.text(&text)
    }

    /// An empty table in the house's style: columns by two spaces, no lines, headings in capitals.
    pub(crate) fn new_table(&self, headings: &[&str]) -> Table {
        let mut table = Table::new();
        // What no person's terminal shows is never wrapped: it is for grep.
        let arrangement =
            if self.data_is_terminal() { ContentArrangement::Dynamic } else { ContentArrangement::Disabled };
        table.load_style(presets::NOTHING).set_content_arrangement(arrangement).set_width(self.width());
        table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
        table
    }

    /// Data, as lines; a newline is added where it is missing.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        let mut stream = AutoStream::new(std::io::stdout().lock(), self.data_colour);
        stream.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            stream.write_all(b"\n")?;
        }
        Ok(stream.flush()?)
    }

    /// Data as it is: no newline added, nothing removed.
    pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
        let mut stream = std::io::stdout().lock();
        stream.write_all(bytes)?;
        Ok(stream.flush()?)
    }

    /// Talk: one line for a person, to standard error. Nobody listening is no failure.
    pub(crate) fn say(&self, text: &str) {
        let mut stream = AutoStream::new(std::io::stderr().lock(), self.talk_colour);
        drop(writeln!(stream, "{text}"));
    }

    /// A question to a person: the answer is typed behind it.
    pub(crate) fn ask(&self, question: &str) {
        let mut stream = AutoStream::new(std::io::stderr().lock(), self.talk_colour);
        drop(write!(stream, "{question}").and_then(|()| stream.flush()));
    }

    /// Talk that wants attention.
    pub(crate) fn warn(&self, text: &str) {
        self.say(&format!("{} {text}", "warning:".yellow().bold()));
    }

    /// Prints a failure and gives the status to leave with.
    pub(crate) fn failure(&self, failure: &Failure) -> ExitStatus {
        if !matches!(failure.kind(), FailureKind::BrokenPipe) {
            self.say(&render(failure));
        }
        failure.kind().exit_status()
    }

    /// Sends log lines to standard error: those that `HOOP_LOG` or `-v` ask for. The certificate verifier is silent, as
    /// what it refuses is told as a failure anyway.
    pub(crate) fn install_tracing(&self, verbosity: u8) {
        let asked = std::env::var("HOOP_LOG").ok().filter(|filter| !filter.is_empty());
        let default = match verbosity {
            0 => "error,rustls_platform_verifier=off",
            1 => "warn,hoop=info,hoop_tunnel=info,hoop_gateway_core=info",
            2 => "info,hoop=debug,hoop_tunnel=debug,hoop_gateway_core=debug",
            _ => "debug,hoop=trace,hoop_tunnel=trace,hoop_gateway_core=trace",
        };
        let filter = tracing_subscriber::EnvFilter::new(asked.as_deref().unwrap_or(default));
        let installed = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(self.talk_colour == ColorChoice::Always)
            .with_writer(std::io::stderr)
            .try_init();
        drop(installed);
    }

    fn json<T: Serialize + ?Sized>(&self, name: &'static str, value: &T) -> Result<(), Failure> {
        let envelope = Envelope { version: OUTPUT_VERSION, named: [(name, value)].into() };
        let text = serde_json::to_string_pretty(&envelope).map_err(|error| unserialisable(&error))?;
        self.text(&text)
    }

    fn table(&self, mut table: Table) -> Result<(), Failure> {
        // The first column is the name or id that one copies into the next command: never broken over lines.
        if let Some(first) = table.column_mut(0) {
            first.set_constraint(ColumnConstraint::ContentWidth);
        }
        // Cells have a space on both sides; the outermost ones would only be in the way.
        let lines = table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
        let lines: Vec<String> = lines.collect();
        self.text(&lines.join("\n"))
    }
}

fn render(failure: &Failure) -> String {
    let what = format!("{} {}", "error:".red().bold(), printable(failure.what()));
    let why = failure.why().iter().map(|why| format!("  {} {}", "why:".dimmed(), indent(&printable(why))));
    let next = failure.next_step().map(|next| format!("  {} {}", "next:".cyan(), indent(&printable(next))));
    std::iter::once(what).chain(why).chain(next).collect::<Vec<_>>().join("\n")
}

fn indent(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

fn unserialisable(error: &serde_json::Error) -> Failure {
    Failure::internal("the result does not serialise").caused_by(error)
}

fn colour_is_unwanted() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || terminal_is_dumb()
}

fn terminal_is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}
