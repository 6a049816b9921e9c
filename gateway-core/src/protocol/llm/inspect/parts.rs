//! The parts of a message, in both shapes: a text, or a list of typed parts.

use aws_lc_rs::digest;

use super::super::{
    super::json::{Json, hexadecimal},
    message::{Call, Part},
    refuse::unsupported,
};
use crate::model::Refusal;

/// A message's content.
pub(super) fn content(content: Option<&Json>) -> Result<Vec<Part>, Refusal> {
    match content {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::Text(text)) => Ok(vec![Part::Text(text.clone())]),
        Some(Json::List(parts)) => {
            let mut found = Vec::with_capacity(parts.len());
            parts.iter().try_for_each(|one| part(one, &mut found))?;
            Ok(found)
        }
        Some(Json::Bool(_) | Json::Number(_) | Json::Object(_)) => {
            Err(unsupported("the content of a message is neither a text nor a list", "Send what the API documents."))
        }
    }
}

/// One typed part.
pub(super) fn part(part: &Json, found: &mut Vec<Part>) -> Result<(), Refusal> {
    if let Json::Text(text) = part {
        found.push(Part::Text(text.clone()));
        return Ok(());
    }
    let kind = part.text_of("type").unwrap_or_default();
    match kind {
        "text" | "input_text" | "output_text" | "summary_text" | "reasoning_text" => {
            found.push(Part::Text(part.text_of("text").unwrap_or_default().to_owned()));
        }
        "refusal" => found.push(Part::Text(part.text_of("refusal").unwrap_or_default().to_owned())),
        "thinking" => found.push(Part::Text(part.text_of("thinking").unwrap_or_default().to_owned())),
        "tool_use" => found.push(Part::Call(Call {
            name: part.text_of("name").unwrap_or_default().to_owned(),
            arguments: part.get("input").map(Json::write).unwrap_or_default(),
        })),
        "tool_result" | "search_result" => found.extend(content(part.get("content"))?),
        "document" if is_text_document(part) => {
            let text = part.get("source").and_then(|source| source.text_of("data")).unwrap_or_default();
            found.push(Part::Text(text.to_owned()));
        }
        "image_url" | "input_image" | "image" | "input_audio" | "audio" | "input_file" | "file" | "document"
        | "video_url" | "redacted_thinking" => found.push(attachment(part, kind)),
        _ => {
            return Err(unsupported(
                format!("a part of the prompt is of the kind `{}`, which is not understood", plain(kind)),
                "Send it as text.",
            ));
        }
    }
    Ok(())
}

/// What is no text: its kind, and a digest of all that stands there.
fn attachment(part: &Json, kind: &str) -> Part {
    let whole = part.canonical();
    let digest = digest::digest(&digest::SHA256, whole.as_bytes());
    let digest = hexadecimal(digest.as_ref());
    Part::Attachment { kind: kind.to_owned(), digest, bytes: whole.len() }
}

fn is_text_document(part: &Json) -> bool {
    part.get("source").is_some_and(|source| source.text_of("type") == Some("text"))
}

/// A word of the client, safe to be said back.
pub(super) fn plain(word: &str) -> String {
    word.chars().filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.')).take(40).collect()
}
