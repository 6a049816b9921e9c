//! Body → prompt: what is said to which model, with which tools. And the operation that a policy decides.
//!
//! Kinds of content that are not known are refused: what is not understood cannot be masked. Pure.

mod anthropic;
mod openai;
pub mod operation;
mod parts;

use super::{
    super::json::Json,
    codec,
    message::{Endpoint, Prompt},
    refuse::unsupported,
};
use crate::model::Refusal;

/// How many messages a prompt may have.
const MOST_TURNS: usize = 4096;

/// What a body says to a model.
pub fn prompt(endpoint: Endpoint, body: &Json) -> Result<Prompt, Refusal> {
    if !matches!(body, Json::Object(_)) {
        return Err(unsupported("the body of this request is no JSON object", "Send what the API documents."));
    }
    let mut prompt = match endpoint {
        Endpoint::Chat => openai::chat(body),
        Endpoint::Responses => openai::responses(body),
        Endpoint::Completions => openai::completions(body),
        Endpoint::Embeddings => openai::embeddings(body),
        Endpoint::Messages | Endpoint::CountTokens => anthropic::messages(body),
        Endpoint::Models => Ok(Prompt::default()),
    }?;
    if endpoint != Endpoint::Models {
        let model = body.text_of("model").filter(|name| codec::is_model(name));
        let missing = || unsupported("this request names no model in plain letters", "Set `model` to a model's name.");
        model.ok_or_else(missing)?.clone_into(&mut prompt.model);
    }
    prompt.stream = body.get("stream").is_some_and(Json::is_true);
    prompt.max_tokens =
        ["max_tokens", "max_completion_tokens", "max_output_tokens"].iter().find_map(|name| body.number_of(name));
    if prompt.turns.len() > MOST_TURNS {
        return Err(unsupported(format!("a prompt has at most {MOST_TURNS} messages here"), "Send fewer."));
    }
    Ok(prompt)
}

#[cfg(test)]
mod tests;
