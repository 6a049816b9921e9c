//! Which endpoint a request is for, and its body as JSON.
//!
//! Only endpoints that are understood have a name here; everything else is `llm_other`, which no default permits.

use super::message::Endpoint;

/// Parameters of a query that change nothing of what a prompt says.
const HARMLESS_PARAMETERS: [&str; 7] = ["api-version", "beta", "limit", "after", "after_id", "before_id", "order"];

/// The endpoint of a request; `None` where it is none that is understood. `/v1` may be missing, as where the upstream's
/// base path has it.
pub fn endpoint(method: &str, path: &str, query: Option<&str>) -> Option<Endpoint> {
    if !query.unwrap_or_default().split('&').all(is_harmless) {
        return None;
    }
    let path = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    match (method, path) {
        ("POST", "/chat/completions") => Some(Endpoint::Chat),
        ("POST", "/responses") => Some(Endpoint::Responses),
        ("POST", "/completions") => Some(Endpoint::Completions),
        ("POST", "/embeddings") => Some(Endpoint::Embeddings),
        ("POST", "/messages") => Some(Endpoint::Messages),
        ("POST", "/messages/count_tokens") => Some(Endpoint::CountTokens),
        ("GET", "/models") => Some(Endpoint::Models),
        ("GET", one) => named_model(one).map(|_name| Endpoint::Models),
        _ => None,
    }
}

/// The model that `GET /v1/models/{id}` names.
pub fn named_model(path: &str) -> Option<&str> {
    let path = path.strip_prefix("/v1").unwrap_or(path);
    path.strip_prefix("/models/").filter(|name| is_model(name))
}

/// Whether a text can be the name of a model: what policies compare must be plain.
pub fn is_model(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'/' | b'@');
    (1..=128).contains(&name.len()) && name.bytes().all(plain) && !name.contains("..")
}

fn is_harmless(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    parameter.is_empty() || (HARMLESS_PARAMETERS.contains(&name) && value.len() <= 64 && value.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_understood_is_an_endpoint() {
        for (method, path, expected) in [
            ("POST", "/v1/chat/completions", Some(Endpoint::Chat)),
            ("POST", "/chat/completions", Some(Endpoint::Chat)),
            ("POST", "/v1/responses", Some(Endpoint::Responses)),
            ("POST", "/v1/messages/count_tokens", Some(Endpoint::CountTokens)),
            ("GET", "/v1/models/gpt-4o-mini", Some(Endpoint::Models)),
            ("GET", "/v1/models/../files", None),
            ("GET", "/v1/chat/completions", None),
            ("POST", "/v1/chat/completions/", None),
            ("POST", "/v1//chat/completions", None),
            ("POST", "/v1/files", None),
            ("POST", "/v1/batches", None),
            ("DELETE", "/v1/models/x", None),
            ("POST", "/v1chat/completions", None),
            ("GET", "/v1/responses/resp_1", None),
        ] {
            assert_eq!(endpoint(method, path, None), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_query_carries_nothing_out() {
        assert_eq!(endpoint("POST", "/v1/messages", Some("beta=true")), Some(Endpoint::Messages));
        assert_eq!(endpoint("POST", "/v1/messages", Some("note=ada@example.com")), None);
        assert_eq!(endpoint("POST", "/v1/messages", Some("beta=ada%40example.com")), None);
    }

    #[test]
    fn names_of_models_are_plain() {
        assert!(is_model("gpt-4o-mini") && is_model("meta-llama/Llama-3.1-8B:free"));
        for odd in ["", "a b", "x\u{0}", "../files", "ż", "a?b", "a%2fb"] {
            assert!(!is_model(odd), "{odd}");
        }
    }
}
