//! What a prompt and an answer say, whichever API carries them.
//!
//! Plain values; texts are as the client wrote them until `inspect` masks the body that goes out.

use super::super::json::Tally;

/// An endpoint that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `GET /v1/models`, `GET /v1/models/{id}`
    Models,
    /// `POST /v1/messages`
    Messages,
    /// `POST /v1/messages/count_tokens`
    CountTokens,
}

impl Endpoint {
    /// The word in records and policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Models => "models",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
        }
    }

    /// Whether it is of Anthropic's shape.
    pub const fn is_anthropic(self) -> bool {
        matches!(self, Self::Messages | Self::CountTokens)
    }
}

/// A prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The model that is asked.
    pub model: String,
    /// What it is told, in order.
    pub turns: Vec<Turn>,
    /// The names of the functions that it may call.
    pub tools: Vec<String>,
    /// What the provider itself would run or reach on the model's behalf, out of sight of the gateway.
    pub hosted_tools: Vec<String>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The most tokens that the answer may have.
    pub max_tokens: Option<u64>,
}

/// One message of a prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// Who says it: `system`, `user`, `assistant`, `tool`, …
    pub role: String,
    /// What.
    pub parts: Vec<Part>,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A text.
    Text(String),
    /// A call of a tool that the model made earlier.
    Call(Call),
    /// What is no text: an image, a sound, a file.
    Attachment {
        /// `image_url`, `input_audio`, …
        kind: String,
        /// SHA-256 of what stands in the message, hexadecimal.
        digest: String,
        /// How long that is.
        bytes: usize,
    },
}

/// A call of a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// The tool.
    pub name: String,
    /// Its arguments, as JSON.
    pub arguments: String,
}

/// An answer, masked as the client gets it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// What it says.
    pub text: String,
    /// Which tools it calls.
    pub calls: Vec<Call>,
    /// Why it ended: `stop`, `tool_calls`, …
    pub finish: Option<String>,
    /// The model that answered, as it says.
    pub model: Option<String>,
    /// Tokens of the prompt, as the provider counted.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer, as the provider counted.
    pub output_tokens: Option<u64>,
    /// What was masked in it.
    pub masked: Tally,
}

impl Prompt {
    /// How many parts are no text.
    pub fn attachments(&self) -> usize {
        let parts = self.turns.iter().flat_map(|turn| &turn.parts);
        parts.filter(|part| matches!(part, Part::Attachment { .. })).count()
    }

    /// The prompt as people read it: one paragraph a message, the oldest left out where they are more than `most` bytes.
    pub fn transcript(&self, most: usize) -> String {
        let paragraphs: Vec<String> = self.turns.iter().map(Turn::paragraph).collect();
        let mut left = most;
        let shown = paragraphs.iter().rev().take_while(|text| {
            let fits = text.len() < left;
            left = left.saturating_sub(text.len() + 1);
            fits
        });
        let first = paragraphs.len() - shown.count();
        let mut text = String::new();
        if first > 0 {
            text.extend(["… ", &first.to_string(), " earlier messages are not kept\n"]);
        }
        text.push_str(&paragraphs.get(first..).unwrap_or_default().join("\n"));
        text
    }

    /// How long everything is that it says.
    pub fn bytes(&self) -> usize {
        self.turns.iter().flat_map(|turn| &turn.parts).map(Part::bytes).sum()
    }
}

impl Turn {
    /// A message of one text.
    pub fn says(role: &str, text: &str) -> Self {
        Self { role: role.to_owned(), parts: vec![Part::Text(text.to_owned())] }
    }

    fn paragraph(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(Part::shown).collect();
        format!("{}: {}", self.role, parts.join("\n  "))
    }
}

impl Part {
    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Call(call) => format!("calls {} {}", call.name, call.arguments),
            Self::Attachment { kind, digest, bytes } => format!("[{kind} of {bytes} bytes, SHA-256 {digest}]"),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Call(call) => call.name.len() + call.arguments.len(),
            Self::Attachment { bytes, .. } => *bytes,
        }
    }
}
