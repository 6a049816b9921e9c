//! An open `hoop connect`, and psql through it.

use nix::sys::signal::Signal;

use super::{Outcome, Person, Program, Psql, Stream};

/// A tunnel that is open until it is dropped.
pub(crate) struct Tunnel {
    pub(crate) port: u16,
    pub(crate) database: String,
    /// Where its clients connect: an address or a folder.
    pub(crate) host: String,
    /// What it printed for them.
    pub(crate) url: String,
    program: Program,
}

impl Tunnel {
    /// Opens it at a free port.
    pub(crate) fn open(person: &Person, connection: &str) -> Self {
        let port = super::cluster::free_port().to_string();
        Self::open_with(person, connection, &["--port", &port])
    }

    /// Opens it with these arguments.
    pub(crate) fn open_with(person: &Person, connection: &str, arguments: &[&str]) -> Self {
        let all: Vec<&str> = ["connect", connection, "--output", "jsonl"].iter().chain(arguments).copied().collect();
        let mut program = person.start(&all);
        let (port, [database, host, url]) = program.expect("its port", |stream, line| {
            let event: serde_json::Value = serde_json::from_str(line).ok().filter(|_| stream == Stream::Output)?;
            let text = |name: &str| event.get(name).and_then(|value| value.as_str()).map(str::to_owned);
            let texts = [text("database")?, text("host")?, text("url")?];
            Some((u16::try_from(event.get("port")?.as_u64()?).ok()?, texts))
        });
        Self { port, database, host, url, program }
    }

    /// psql through it.
    pub(crate) fn psql(&self) -> Psql {
        Psql::new(&self.host, self.port, "anyone", &self.database)
    }

    /// Runs a script through it and gives the rows; an error fails the story.
    pub(crate) fn rows(&self, script: &str) -> String {
        self.psql().run(script).success()
    }

    /// Ends it as Ctrl-C does.
    pub(crate) fn close(self) -> Outcome {
        self.program.signal(Signal::SIGINT);
        self.program.finish()
    }

    /// Waits for its end, which somebody else asked for.
    pub(crate) fn close_quietly(self) -> Outcome {
        self.program.finish()
    }

    pub(crate) fn pid(&self) -> i32 {
        self.program.pid()
    }

    /// The running `hoop connect`.
    pub(crate) fn program(&mut self) -> &mut Program {
        &mut self.program
    }
}
