//! An open `hoop connect`, and psql through it.

use nix::sys::signal::Signal;

use super::{Outcome, Person, Program, Psql, Stream};

/// A tunnel that is open until it is dropped.
pub(crate) struct Tunnel {
    pub(crate) port: u16,
    pub(crate) database: String,
    program: Program,
}

impl Tunnel {
    /// Opens it at a free port.
    pub(crate) fn open(person: &Person, connection: &str) -> Self {
        let port = super::cluster::free_port().to_string();
        let mut program = person.start(&["connect", connection, "--port", &port, "--output", "jsonl"]);
        let (port, database) = program.expect("its port", |stream, line| {
            let event: serde_json::Value = serde_json::from_str(line).ok().filter(|_| stream == Stream::Output)?;
            let database = event.get("database")?.as_str()?.to_owned();
            Some((u16::try_from(event.get("port")?.as_u64()?).ok()?, database))
        });
        Self { port, database, program }
    }

    /// psql through it.
    pub(crate) fn psql(&self) -> Psql {
        Psql::new("127.0.0.1", self.port, "anyone", &self.database)
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

    pub(crate) fn pid(&self) -> i32 {
        self.program.pid()
    }
}
