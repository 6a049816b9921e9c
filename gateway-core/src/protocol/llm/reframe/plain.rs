//! An answer that comes whole.

use super::{
    super::{
        super::json::{Json, Tally},
        KEPT_MEMBERS,
        message::{Answer, Call, Endpoint},
    },
    AnswerError,
};
use crate::mask::Detectors;

/// Reads and masks an answer; gives what it says and the body that goes on.
pub fn plain(endpoint: Endpoint, body: &[u8], detectors: &Detectors) -> Result<(Answer, String), AnswerError> {
    let mut json = Json::parse(body)?;
    let mut masked = Tally::default();
    json.mask(detectors, KEPT_MEMBERS, &mut masked);
    let answer = Answer { masked, ..read(endpoint, &json) };
    Ok((answer, json.write()))
}

/// What an answer says.
pub fn read(endpoint: Endpoint, json: &Json) -> Answer {
    let mut answer = match endpoint {
        Endpoint::Chat => chat(json),
        Endpoint::Completions => completions(json),
        Endpoint::Responses => responses(json),
        Endpoint::Messages => messages(json),
        Endpoint::Embeddings | Endpoint::Models | Endpoint::CountTokens => Answer::default(),
    };
    answer.model = json.text_of("model").map(str::to_owned);
    (answer.input_tokens, answer.output_tokens) = usage(json.get("usage"));
    answer
}

/// Tokens of prompt and answer, in either shape; those of caches count as the prompt's.
pub(super) fn usage(usage: Option<&Json>) -> (Option<u64>, Option<u64>) {
    let Some(usage) = usage else { return (None, None) };
    let number = |name: &str| usage.number_of(name);
    let cached = ["cache_creation_input_tokens", "cache_read_input_tokens"].into_iter().filter_map(number);
    let input = number("prompt_tokens").or_else(|| Some(number("input_tokens")?.saturating_add(cached.sum())));
    (input, number("completion_tokens").or_else(|| number("output_tokens")))
}

fn chat(json: &Json) -> Answer {
    let mut answer = Answer::default();
    for choice in json.get("choices").map(Json::items).unwrap_or_default() {
        if let Some(message) = choice.get("message") {
            ["content", "refusal"].iter().filter_map(|name| message.text_of(name)).for_each(|text| answer.say(text));
            let calls = message.get("tool_calls").map(Json::items).unwrap_or_default();
            let functions = calls.iter().filter_map(|call| call.get("function").or_else(|| call.get("custom")));
            answer.calls.extend(functions.chain(message.get("function_call")).filter_map(call));
        }
        answer.finish = choice.text_of("finish_reason").map(str::to_owned).or(answer.finish);
    }
    answer
}

fn completions(json: &Json) -> Answer {
    let mut answer = Answer::default();
    for choice in json.get("choices").map(Json::items).unwrap_or_default() {
        answer.say(choice.text_of("text").unwrap_or_default());
        answer.finish = choice.text_of("finish_reason").map(str::to_owned).or(answer.finish);
    }
    answer
}

fn responses(json: &Json) -> Answer {
    let mut answer = Answer { finish: json.text_of("status").map(str::to_owned), ..Answer::default() };
    for item in json.get("output").map(Json::items).unwrap_or_default() {
        for part in item.get("content").map(Json::items).unwrap_or_default() {
            ["text", "refusal"].iter().filter_map(|name| part.text_of(name)).for_each(|text| answer.say(text));
        }
        if matches!(item.text_of("type"), Some("function_call" | "custom_tool_call")) {
            answer.calls.extend(call(item));
        }
    }
    answer
}

fn messages(json: &Json) -> Answer {
    let mut answer = Answer { finish: json.text_of("stop_reason").map(str::to_owned), ..Answer::default() };
    for part in json.get("content").map(Json::items).unwrap_or_default() {
        match part.text_of("type") {
            Some("tool_use") => answer.calls.push(Call {
                name: part.text_of("name").unwrap_or_default().to_owned(),
                arguments: part.get("input").map(Json::write).unwrap_or_default(),
            }),
            _ => answer.say(part.text_of("text").unwrap_or_default()),
        }
    }
    answer
}

fn call(function: &Json) -> Option<Call> {
    let name = function.text_of("name")?.to_owned();
    let arguments = function.text_of("arguments").or_else(|| function.text_of("input")).unwrap_or_default();
    Some(Call { name, arguments: arguments.to_owned() })
}

impl Answer {
    /// Adds a text of its own line.
    pub(super) fn say(&mut self, text: &str) {
        if !text.is_empty() {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            self.text.push_str(text);
        }
    }
}
