//! What a site adds to the environment of a run's command for one connection: `MY_DSN = "postgres://{user}@{host}:{port}"`.
//!
//! Pure. The gateway checks it when a site is loaded, and `hoop exec` again before it uses it: neither takes the other's
//! word for a variable that would run code.

/// Why a variable cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// The name has other letters.
    #[error("`{0}` is no name for a variable: capitals, digits and underscores, at most 64")]
    Name(String),
    /// Programs take code or orders from it.
    #[error("`{0}` decides what programs do, so a site may not set it")]
    Forbidden(String),
    /// It has a placeholder that there is not.
    #[error("there is no `{{{0}}}` here; there are {KNOWN}")]
    Placeholder(String),
    /// A brace stands alone, or the text is too long or holds a control character.
    #[error("it has a lone brace (write `{{{{` for one), a control character, or more than 1024 bytes")]
    Malformed,
}

/// Passes a name that a site may set.
pub fn check_name(name: &str) -> Result<(), EnvironmentError> {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let starts_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase());
    if !starts_well || name.len() > 64 || !name.bytes().all(plain) {
        return Err(EnvironmentError::Name(name.chars().take(80).collect()));
    }
    let forbidden = FORBIDDEN.contains(&name) || FORBIDDEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if forbidden { Err(EnvironmentError::Forbidden(name.to_owned())) } else { Ok(()) }
}

/// Fills a template in; `value` answers for the names in [`PLACEHOLDERS`].
pub fn render(template: &str, value: impl Fn(&str) -> String) -> Result<String, EnvironmentError> {
    if template.len() > 1024 || template.chars().any(char::is_control) {
        return Err(EnvironmentError::Malformed);
    }
    let mut written = String::new();
    let mut rest = template;
    while let Some(place) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(place);
        written.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            written.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            written.push('}');
            rest = after;
        } else if let Some((name, after)) = from.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
            if !PLACEHOLDERS.contains(&name) {
                return Err(EnvironmentError::Placeholder(name.chars().take(40).collect()));
            }
            written.push_str(&value(name));
            rest = after;
        } else {
            return Err(EnvironmentError::Malformed);
        }
    }
    written.push_str(rest);
    Ok(written)
}

/// What a template may hold.
pub const PLACEHOLDERS: [&str; 8] = ["name", "user", "password", "host", "port", "database", "url", "run"];

const KNOWN: &str = "{name}, {user}, {password}, {host}, {port}, {database}, {url} and {run}";

const FORBIDDEN: [&str; 17] = [
    "PATH",
    "HOME",
    "SHELL",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "IFS",
    "ENV",
    "BASH_ENV",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "BROWSER",
    "PS4",
    "PROMPT_COMMAND",
    "JAVA_TOOL_OPTIONS",
    "TRACEPARENT",
];

const FORBIDDEN_PREFIXES: [&str; 18] = [
    "LD_", "DYLD_", "GLIBC_", "MALLOC_", "PYTHON", "NODE_", "NPM_", "RUBY", "PERL", "GIT_", "SSH_", "SSL_", "XDG_",
    "HOOP_", "CARGO_", "RUST", "GCONV_", "LOCPATH",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str) -> String {
        format!("<{name}>")
    }

    #[test]
    fn fills_in_what_is_known_and_nothing_else() {
        assert_eq!(
            render("postgres://{user}@{host}:{port}/{database}", value).unwrap(),
            "postgres://<user>@<host>:<port>/<database>"
        );
        assert_eq!(render("{{\"url\": \"{url}\"}}", value).unwrap(), "{\"url\": \"<url>\"}");
        assert_eq!(render("{secret}", value), Err(EnvironmentError::Placeholder("secret".into())));
        for lone in ["{", "}", "a}b", "{user", "x\n"] {
            assert_eq!(render(lone, value), Err(EnvironmentError::Malformed), "{lone}");
        }
    }

    #[test]
    fn a_value_is_not_read_as_a_template_again() {
        assert_eq!(render("{user}", |_| "{host}".into()).unwrap(), "{host}");
    }

    #[test]
    fn refuses_what_would_run_code() {
        for name in [
            "LD_PRELOAD",
            "PATH",
            "PYTHONSTARTUP",
            "NODE_OPTIONS",
            "BASH_ENV",
            "HOOP_GATEWAY",
            "GIT_SSH_COMMAND",
            "PERL5OPT",
        ] {
            assert!(matches!(check_name(name), Err(EnvironmentError::Forbidden(_))), "{name}");
        }
        for name in ["", "lower", "A-B", "1A", "A B", "_A"] {
            assert!(matches!(check_name(name), Err(EnvironmentError::Name(_))), "{name}");
        }
        assert_eq!(check_name("MY_DSN"), Ok(()));
    }
}
