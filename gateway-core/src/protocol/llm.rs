//! APIs of language models as a dialect of HTTP: OpenAI-compatible ones and those of Anthropic's shape.
//!
//! Knows which endpoints carry prompts, what a prompt says, and what an answer says, whole or streamed. Every text of a
//! prompt is masked before it leaves, every text of an answer before it comes back; what is not understood is refused.
//!
//! ```text
//! client ── POST /v1/chat/completions ──> codec (JSON) ──> inspect (prompt, operation) ──> masked body ──> upstream
//! client <── masked events, held back by a few words ── reframe (answer, tool calls, tokens) <── SSE or JSON ──
//! ```
//!
//! Formats: <https://platform.openai.com/docs/api-reference>, <https://docs.anthropic.com/en/api/messages>.

mod baggage;
pub mod codec;
pub mod dialect;
#[doc(hidden)]
pub mod fuzz_entry;
pub mod inspect;
pub mod message;
pub mod price;
pub mod reframe;
pub mod refuse;

/// Members whose plain words are never masked: they steer, and say nothing of anybody.
pub const KEPT_MEMBERS: &[&str] = &["type", "role", "model", "object"];
