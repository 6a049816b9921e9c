//! Where the pieces of texts stand in the events of each API, and which event ends a text.

use super::{
    super::{super::json::Json, message::Endpoint},
    channel::ChannelKind,
};

/// Names a text of an answer: `chat/0/content`, `block/2`.
pub(super) type Key = String;

/// A piece of a text, taken out of its event.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) key: Key,
    pub(super) kind: ChannelKind,
    /// The way to it inside of the event.
    pub(super) way: Vec<Step>,
    /// The tool that is called, where this event names it.
    pub(super) name: Option<String>,
}

/// One step into a value.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Member(&'static str),
    Named(String),
    Item(usize),
}

/// What follows no more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ends {
    Nothing,
    /// Texts whose key begins so.
    Those(String),
    Everything,
}

/// The value at the end of a way.
pub(super) fn at<'json>(event: &'json mut Json, way: &[Step]) -> Option<&'json mut Json> {
    way.iter().try_fold(event, |value, step| match (value, step) {
        (Json::List(items), Step::Item(index)) => items.get_mut(*index),
        (object, Step::Member(name)) => object.get_mut(name),
        (object, Step::Named(name)) => object.get_mut(name),
        (_, Step::Item(_)) => None,
    })
}

/// The pieces of an event.
pub(super) fn pieces(endpoint: Endpoint, event: &Json) -> Vec<Piece> {
    match endpoint {
        Endpoint::Chat | Endpoint::Completions => choices(event),
        Endpoint::Messages => block(event),
        Endpoint::Responses => delta(event),
        Endpoint::Embeddings | Endpoint::Models | Endpoint::CountTokens => Vec::new(),
    }
}

/// Which texts an event ends: what is kept of them goes on before it.
pub(super) fn ends(endpoint: Endpoint, event: &Json) -> Ends {
    let kind = event.text_of("type").unwrap_or_default();
    match endpoint {
        Endpoint::Chat | Endpoint::Completions => {
            let choices = event.get("choices").map(Json::items).unwrap_or_default();
            let ended = choices.iter().find(|choice| choice.text_of("finish_reason").is_some());
            ended.map_or(Ends::Nothing, |choice| Ends::Those(format!("choice/{}/", index(choice))))
        }
        Endpoint::Messages => match kind {
            "content_block_stop" => Ends::Those(format!("block/{}/", index(event))),
            "message_delta" | "message_stop" | "error" => Ends::Everything,
            _ => Ends::Nothing,
        },
        Endpoint::Responses => match kind.strip_suffix(".done") {
            Some(base) => Ends::Those(response_key(base, event)),
            None if matches!(
                kind,
                "response.completed" | "response.incomplete" | "response.failed" | "response.error" | "error"
            ) =>
            {
                Ends::Everything
            }
            None => Ends::Nothing,
        },
        Endpoint::Embeddings | Endpoint::Models | Endpoint::CountTokens => Ends::Nothing,
    }
}

fn index(of: &Json) -> u64 {
    of.number_of("index").unwrap_or(0)
}

/// `choices[].delta.content`, `choices[].delta.tool_calls[].function.arguments`, `choices[].text`; every other text of
/// a delta is a text of the answer too.
fn choices(event: &Json) -> Vec<Piece> {
    let mut found = Vec::new();
    for (place, choice) in event.get("choices").map(Json::items).unwrap_or_default().iter().enumerate() {
        let (number, way) = (index(choice), vec![Step::Member("choices"), Step::Item(place)]);
        if choice.text_of("text").is_some() {
            let way = [way.as_slice(), &[Step::Member("text")]].concat();
            found.push(Piece { key: format!("choice/{number}/text"), kind: ChannelKind::Text, way, name: None });
        }
        let Some(delta) = choice.get("delta") else { continue };
        let way = [way.as_slice(), &[Step::Member("delta")]].concat();
        for (name, value) in delta.members() {
            match (name.as_str(), value) {
                ("role", _) => {}
                ("tool_calls", Json::List(calls)) => {
                    for (call_place, call) in calls.iter().enumerate() {
                        let key =
                            format!("choice/{number}/call/{}", call.number_of("index").unwrap_or(call_place as u64));
                        for holder in ["function", "custom"] {
                            let steps = [Step::Member("tool_calls"), Step::Item(call_place), Step::Member(holder)];
                            let holds = call.get(holder);
                            found.extend(holds.and_then(|function| arguments(&key, &way, &steps, function)));
                        }
                    }
                }
                ("function_call", function) => {
                    let key = format!("choice/{number}/function");
                    found.extend(arguments(&key, &way, &[Step::Member("function_call")], function));
                }
                (name, Json::Text(_)) => {
                    let way = [way.as_slice(), &[Step::Named(name.to_owned())]].concat();
                    let key = format!("choice/{number}/said/{name}");
                    found.push(Piece { key, kind: ChannelKind::Text, way, name: None });
                }
                _ => {}
            }
        }
    }
    found
}

fn arguments(key: &str, way: &[Step], steps: &[Step], function: &Json) -> Option<Piece> {
    let member = if function.text_of("arguments").is_some() { "arguments" } else { "input" };
    let name = function.text_of("name").map(str::to_owned);
    if function.text_of(member).is_none() && name.is_none() {
        return None;
    }
    let way = [way, steps, &[Step::Member(member)]].concat();
    Some(Piece { key: key.to_owned(), kind: ChannelKind::Arguments, way, name })
}

/// `content_block_start` and `content_block_delta`.
fn block(event: &Json) -> Vec<Piece> {
    let piece = |kind, way: [Step; 2], member: &str, name| {
        vec![Piece { key: format!("block/{}/{member}", index(event)), kind, way: way.to_vec(), name }]
    };
    let (holder, is_start) = match event.text_of("type") {
        Some("content_block_start") => ("content_block", true),
        Some("content_block_delta") => ("delta", false),
        _ => return Vec::new(),
    };
    let Some(inside) = event.get(holder) else { return Vec::new() };
    if is_start && inside.text_of("type") == Some("tool_use") {
        let name = inside.text_of("name").map(str::to_owned);
        // What is called is named here, its arguments come as `partial_json`.
        return piece(
            ChannelKind::Arguments,
            [Step::Member(holder), Step::Member("partial_json")],
            "partial_json",
            name,
        );
    }
    for member in ["text", "thinking", "partial_json"] {
        if inside.text_of(member).is_some() {
            let kind = if member == "partial_json" { ChannelKind::Arguments } else { ChannelKind::Text };
            return piece(kind, [Step::Member(holder), Step::Member(member)], member, None);
        }
    }
    Vec::new()
}

/// `response.….delta` with a text as its delta.
fn delta(event: &Json) -> Vec<Piece> {
    let kind = event.text_of("type").unwrap_or_default();
    let (Some(base), Some(_)) = (kind.strip_suffix(".delta"), event.text_of("delta")) else { return Vec::new() };
    let holds_arguments = base.contains("arguments") || base.ends_with("_input") || base.ends_with("_code");
    let kind = if holds_arguments { ChannelKind::Arguments } else { ChannelKind::Text };
    vec![Piece { key: response_key(base, event), kind, way: vec![Step::Member("delta")], name: None }]
}

fn response_key(base: &str, event: &Json) -> Key {
    let number = |name| event.number_of(name).unwrap_or(0);
    let (output, content, summary) = (number("output_index"), number("content_index"), number("summary_index"));
    format!("{base}/{}/{output}/{content}/{summary}/", event.text_of("item_id").unwrap_or_default())
}
