//! What names mean in a session: the catalogue snapshot, the search path of its own backend, and which tags are masked
//! for its principal. A change makes a new [`Sight`].
//!
//! Reads with the gateway's own recorded messages. Knows no message of the client.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    environment::{Environment, Served},
    login::{Failure, lost, next_frame, uncredentialed, unreachable, unrecorded},
    relay::{Ending, Session},
};
use crate::{
    model::{ConnectionKind, Principal},
    policy::{PolicySet, Reveal},
    protocol::postgres::{
        codec::FrameDecoder,
        inspect::{Sight, Veil},
        message::backend::DataRow,
    },
    record::{Own, OwnPurpose, Recorded, SessionRecorder},
    upstream::{self, Catalogue, CatalogueRead, Outlet, Overheard, OwnMessage},
};

/// Distinguishes sights, so that sessions with the same one share what was understood.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The schemas that unqualified names are looked up in, as the session's own backend sees them.
/// Then which server process answers.
const OPENING: &str = "select s from pg_catalog.unnest(pg_catalog.current_schemas(true)) s; \
                       select pg_catalog.pg_backend_pid()";

/// What a new backend says of itself.
pub(super) struct Backend {
    pub(super) search_path: Vec<String>,
    /// The server process.
    pub(super) process_id: Option<u32>,
}

pub(super) async fn read_backend<W: AsyncWrite + Unpin>(
    recorder: &mut SessionRecorder,
    outlet: &mut Outlet<W>,
    read: &mut (impl AsyncRead + Unpin),
    decoder: &mut FrameDecoder,
    buffer: &mut BytesMut,
) -> Result<Backend, Failure> {
    let query =
        recorder.own(OwnPurpose::Setting, OwnMessage::ReadSetting(OPENING)).map_err(|error| unrecorded(&error))?;
    outlet.send_own(query);
    outlet.write_all().await.map_err(|error| lost(&error))?;
    let mut schemas = Vec::new();
    loop {
        let frame = next_frame(read, decoder, buffer).await?;
        match frame.tag {
            b'D' => schemas.extend(first_cell(&frame.body)),
            b'Z' => {
                let process_id = schemas.pop().and_then(|process_id| process_id.parse().ok());
                return Ok(Backend { search_path: schemas, process_id });
            }
            b'E' => {
                return Err(Failure {
                    sqlstate: "08006",
                    message: "the upstream does not say its search_path".to_owned(),
                    hint: "Connect again; tell the gateway's operator if it stays.".to_owned(),
                });
            }
            _ => {}
        }
    }
}

fn first_cell(body: &Bytes) -> Option<String> {
    let mut row = DataRow::new(body).ok()?;
    row.next_cell().ok()??.map(|value| String::from_utf8_lossy(value).into_owned())
}

/// Dials a connection of the gateway's own, beside the session's, as the same role and to the same database.
pub(super) async fn side_connection(
    served: &Served,
    recorder: &mut SessionRecorder,
    purpose: OwnPurpose,
) -> Result<Recorded<Own<CatalogueRead>>, Failure> {
    let order = side_order(served).await?;
    recorder.own(purpose, order).map_err(|error| unrecorded(&error))
}

/// The same, to be recorded by whoever sends it.
pub(super) async fn side_order(served: &Served) -> Result<CatalogueRead, Failure> {
    let login = served.own_login().await.map_err(|error| uncredentialed(&error))?;
    let wire = upstream::dial(&served.target).await.map_err(|error| unreachable(&error))?;
    Ok(CatalogueRead { wire, login })
}

/// Reads the catalogue over a side connection, or takes the young snapshot.
pub(super) async fn read_catalogue(
    environment: &Environment,
    served: &Served,
    recorder: &mut SessionRecorder,
    fresh: bool,
) -> Result<Arc<Catalogue>, Failure> {
    served
        .catalogue(fresh, async || {
            let order = side_connection(served, recorder, OwnPurpose::Catalogue).await?;
            let tag_of = tags_of(environment, served);
            Catalogue::read(order, &tag_of, &overheard(environment, served)).await.map_err(|error| Failure {
                sqlstate: "08001",
                message: error.to_string(),
                hint: "The gateway's operator must mend the connection's credential or its rights.".to_owned(),
            })
        })
        .await
}

/// Which tags the site puts on a column.
pub(super) fn tags_of<'site>(
    environment: &'site Environment,
    served: &'site Served,
) -> impl Fn(&str, &str, &str) -> Vec<Arc<str>> + Send + Sync + 'site {
    |schema, table, column| {
        environment.masking.tags(&served.facts, schema, table, column).into_iter().map(Arc::from).collect()
    }
}

/// Which tags texts may carry that run in other databases of the same server: a statistics view shows them here too.
pub(super) fn overheard(environment: &Environment, served: &Served) -> Overheard {
    let (mut found, here) = (Overheard::default(), &served.target);
    let is_beside = |other: &&Arc<Served>| {
        other.facts.name != served.facts.name
            && other.facts.kind == ConnectionKind::Postgres
            && (other.target.host.as_str(), other.target.port) == (here.host.as_str(), here.port)
    };
    for other in environment.connections.values().filter(is_beside) {
        let rules = environment.masking.columns.iter();
        for rule in rules.filter(|rule| rule.connection.selects(&other.facts)) {
            found.add(&rule.tag, &other.facts);
        }
    }
    found
}

/// What a principal's statements mean on a connection now.
pub(super) fn sight(
    environment: &Environment,
    policies: &PolicySet,
    principal: &Principal,
    served: &Served,
    catalogue: Arc<Catalogue>,
    search_path: Arc<[String]>,
) -> Sight {
    let reveal = |tag: &str| policies.reveal(principal, &served.facts, tag);
    let mut veils = BTreeMap::new();
    let (mut hides, mut overhears) = (false, false);
    let elsewhere = overheard(environment, served);
    for tag in catalogue.all_tags() {
        // What is overheard is masked where it would be masked at either place.
        let is_own = catalogue.own_tags().contains(&tag);
        let taggers = if is_own { &[] } else { elsewhere.taggers(&tag) };
        let there = taggers.iter().map(|there| policies.reveal(principal, there, &tag));
        let mut masked =
            std::iter::once(reveal(&tag)).chain(there).filter(|said| matches!(said, Reveal::Masked { .. }));
        if let Some(Reveal::Masked { function, rule }) = masked.next() {
            veils.insert(tag, Veil { function, rule });
            (hides, overhears) = (hides || is_own, overhears || !is_own);
        }
    }
    let mut detectors = environment.detectors.idle();
    for class in environment.detectors.classes() {
        if let Reveal::Masked { function, rule } = reveal(class.as_str()) {
            detectors = detectors.with(class, function);
            veils.insert(Arc::from(class.as_str()), Veil { function, rule });
        }
    }
    let veiled: Vec<(&str, String)> =
        veils.iter().map(|(tag, veil)| (&**tag, format!("{:?}", veil.function))).collect();
    let fingerprint = HASHER.hash_one((catalogue.serial(), served.connection.name.as_str(), &*search_path, veiled));
    let record_detectors = environment.detectors.clone();
    Sight { catalogue, search_path, veils: Arc::new(veils), hides, overhears, detectors, record_detectors, fingerprint }
}

/// A snapshot older than this is taken anew before the next statement: not every change of names goes through here.
/// What somebody replaces beside the gateway is known after this and the life of a shared snapshot, 15 seconds together;
/// what is new there has a name that no snapshot knows, and is looked up at once.
pub(super) const SIGHT_LIFE: Duration = Duration::from_secs(10);
/// The same, where neither a decision nor a mask can depend on what names mean.
pub(super) const IDLE_SIGHT_LIFE: Duration = Duration::from_mins(1);

impl Session {
    /// Whether a decision or a mask can depend on what names mean. Where none can, names that other statements changed
    /// are not read again at once: they stand in the record as they were up to a minute ago.
    pub(super) fn names_matter(&self) -> bool {
        let Environment { masking, detectors, .. } = &*self.environment;
        self.policies.reads_names() || !masking.columns.is_empty() || !detectors.is_empty()
    }

    /// Takes a new snapshot of what names mean. Only while nothing is unanswered.
    pub(super) async fn refresh_sight(&mut self) -> Result<(), Ending> {
        let generation = self.served.generation();
        let fresh = self.outdated || generation != self.generation;
        self.sighted_at = Instant::now();
        let catalogue = match read_catalogue(&self.environment, &self.served, &mut self.recorder, fresh).await {
            Ok(catalogue) => catalogue,
            Err(failure) if fresh => return Err(Ending::Catalogue(failure.message)),
            // Nothing says that a name changed: what was true a moment ago is kept, and asked again later.
            Err(failure) => {
                tracing::warn!(session = %self.id, why = failure.message, "an old catalogue snapshot could not be renewed");
                return Ok(());
            }
        };
        self.meaning.base = catalogue;
        self.look_again();
        (self.generation, self.outdated) = (generation, false);
        Ok(())
    }
}
