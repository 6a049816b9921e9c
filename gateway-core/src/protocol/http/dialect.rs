//! What differs between the kinds that HTTP carries: what a request asks for, what goes on of its body, and how its
//! answer is read and masked as it streams.
//!
//! [`super::plain`] is the dialect of kind `http`. A dialect is made once for a connection and shared by its sessions;
//! what it has to remember it keeps behind locks of its own. It decides nothing: it is told what is masked and may ask
//! [`Sight::permits`]; the operations that it finds are decided by `session`.

use std::{collections::BTreeMap, fmt, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use super::{
    message::{HttpRequest, RequestHead, ResponseHead},
    refuse::{self, PROBLEM_JSON, Rejection},
};
use crate::{
    mask::{DetectedClass, Detectors, MaskFunction},
    model::{Operation, Refusal, SealSpan, SessionId},
};

/// Asks whether an operation would pass for this principal, now or after an approval.
pub type Permits = Arc<dyn Fn(&Operation) -> bool + Send + Sync>;

/// How a principal sees a connection.
#[derive(Clone)]
pub struct Sight {
    /// Finds what is masked for this principal.
    pub detectors: Arc<Detectors>,
    /// Finds everything that this site calls sensitive: what the record seals.
    pub sensitive: Arc<Detectors>,
    /// What is masked whole, by its place in a body.
    pub places: Arc<[MaskedPlace]>,
    /// Every place that this site tags: what the record seals.
    pub tagged: Arc<[MaskedPlace]>,
    /// Whether an operation would pass, for lists that show only what may be used.
    pub permits: Permits,
    /// Who asks, for what a dialect remembers of them; never shown.
    pub who: Arc<str>,
}

impl Sight {
    /// Whether nothing has to be masked.
    pub fn is_clear(&self) -> bool {
        self.detectors.is_empty() && self.places.is_empty()
    }

    /// Whether the same is masked in the same way.
    pub fn masks_like(&self, other: &Self) -> bool {
        fn functions(detectors: &Detectors) -> impl Iterator<Item = (DetectedClass, Option<MaskFunction>)> + '_ {
            detectors.classes().map(|class| (class, detectors.function(class)))
        }
        self.places == other.places && functions(&self.detectors).eq(functions(&other.detectors))
    }
}

impl fmt::Debug for Sight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sight").field("places", &self.places).finish_non_exhaustive()
    }
}

/// A place in JSON bodies whose value is masked whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskedPlace {
    /// The names on the way to it, each of which may hold `*`; places in lists have no name.
    pub path: Vec<String>,
    /// Its class or tag.
    pub class: Arc<str>,
    /// How.
    pub function: MaskFunction,
}

impl MaskedPlace {
    /// Whether a value with these names on the way to it is at this place, or below it.
    pub fn holds(&self, names: &[&str]) -> bool {
        self.path.len() <= names.len()
            && self.path.iter().zip(names).all(|(pattern, name)| pattern == "*" || pattern == name)
    }
}

/// What a request turned out to ask for.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Everything that it asks for; never empty.
    pub operations: Vec<Operation>,
    /// What is sent on in the place of the client's body; `None` where that goes on as it came.
    pub body: Option<Bytes>,
    /// Which parts of the operations' text are sealed in the record, besides what the site's detectors find.
    pub seals: Vec<SealSpan>,
    /// What is recorded besides the operation, before the request goes on.
    pub notes: Vec<Note>,
    /// The texts that an answer of a model may have proposed: arguments of a call, a body. In canonical spelling.
    pub proposals: Vec<String>,
}

/// Something that the record keeps besides operations: a prompt, an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The kind of record: `prompt`, `answer`.
    pub kind: &'static str,
    /// What was said. What the site's detectors find in it is sealed.
    pub text: String,
    /// Which other parts of it are sealed.
    pub seals: Vec<SealSpan>,
    /// Facts beside it, by name: `model`, `finish_reason`, `input_tokens`. No values that could be sensitive.
    pub facts: BTreeMap<&'static str, String>,
}

/// Reads one answer as it streams. What it gives out may go to the client at once.
pub trait ResponseReader: Send {
    /// Takes the next bytes and writes to `out` what may go on of all that it has by now. What it keeps back is
    /// bounded. A refusal ends the answer: what follows is not shown.
    fn chunk(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Refusal>;

    /// What the answer has used up so far, where budgets count it while it goes on.
    fn used(&self) -> Used {
        Used::default()
    }

    /// What the gateway says to the upstream in the client's place; each is given once.
    fn replies(&mut self) -> Vec<HttpRequest> {
        Vec::new()
    }

    /// How the format of the answer says that nothing more follows, and why; `None` where it has no words for it.
    fn last_words(&self, _refusal: &Refusal) -> Option<Bytes> {
        None
    }

    /// The body has ended, whole or cut off; writes the rest, and says what is to be recorded.
    fn end(self: Box<Self>, end: BodyEnd, out: &mut BytesMut) -> Result<Ended, Refusal>;
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEnd {
    /// The upstream said all of it.
    Whole,
    /// The client left, the upstream broke off, or the gateway cut it: what is kept back is not to be shown.
    Cut,
}

/// What an answer came to.
#[derive(Debug, Clone, Default)]
pub struct Ended {
    /// Masked values by class; never values.
    pub masked: BTreeMap<String, u64>,
    /// What is recorded of it.
    pub notes: Vec<Note>,
    /// What a model said, where it was a model that answered: what budgets and provenance need of it.
    pub answer: Option<ModelAnswer>,
    /// What the gateway says to the upstream in the client's place.
    pub replies: Vec<HttpRequest>,
}

/// What an answer has used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Tokens of prompt and answer.
    pub tokens: u64,
    /// What they cost.
    pub spend_microdollars: u64,
}

/// What a model said, as the client got it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelAnswer {
    /// Which model.
    pub model: String,
    /// Who asked for it, as the program says of itself.
    pub names: BTreeMap<String, String>,
    /// Its text.
    pub text: String,
    /// The arguments of the tools that it calls.
    pub arguments: Vec<String>,
    /// Tokens of prompt and answer.
    pub tokens: u64,
    /// What they cost.
    pub spend_microdollars: u64,
}

/// A refusal as it is written to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The media type.
    pub media_type: &'static str,
    /// The body.
    pub body: Bytes,
}

/// One kind that HTTP carries.
pub trait Dialect: fmt::Debug + Send + Sync {
    /// What a request asks for. The head is canonical and the body whole; what cannot be understood is rejected.
    fn inspect(&self, head: &RequestHead, body: &Bytes, sight: &Sight) -> Result<Inspection, Rejection>;

    /// Who reads the answer to a request that was let through. It may change the head: what is said there is not
    /// masked by anybody else than `session`, which has the detectors read every value of a header.
    fn reader(
        &self,
        asked: &HttpRequest,
        head: &mut ResponseHead,
        sight: &Sight,
    ) -> Result<Box<dyn ResponseReader>, Refusal>;

    /// Whether a WebSocket may be asked for at all.
    fn relays_websockets(&self) -> bool {
        false
    }

    /// How a refusal is said, where clients of this kind read something else than a problem.
    fn refusal(
        &self,
        _asked: Option<(&RequestHead, &Bytes)>,
        rejection: &Rejection,
        approval: Option<&str>,
        session: &SessionId,
    ) -> Answer {
        let body = Bytes::from(refuse::problem(rejection, approval, session));
        Answer { status: rejection.status, media_type: PROBLEM_JSON, body }
    }
}
