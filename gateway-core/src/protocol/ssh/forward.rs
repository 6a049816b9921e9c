//! What is reached through a machine: a host and port, or a socket, as a client names it.
//!
//! Pure. A name that two resolvers could read differently is refused.

use std::{fmt, net::IpAddr};

/// SPEC: RFC 1035, 2.3.4.
const MOST_NAME_BYTES: usize = 253;
/// What a Unix socket's address holds.
const MOST_SOCKET_BYTES: usize = 107;

/// Where a client wants to go through a machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForwardTarget {
    /// A host, in one spelling, and a port.
    Host {
        /// A name in lower case, or an address in its usual form.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket, by an absolute path without `..`.
    Socket(String),
}

impl fmt::Display for ForwardTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { host, port } if host.contains(':') => write!(formatter, "[{host}]:{port}"),
            Self::Host { host, port } => write!(formatter, "{host}:{port}"),
            Self::Socket(path) => formatter.write_str(path),
        }
    }
}

impl ForwardTarget {
    /// A host and port; `None` where its spelling could mean another host to somebody else (`127.1`, `0x7f000001`).
    pub fn host(name: &str, port: u32) -> Option<Self> {
        let port = u16::try_from(port).ok().filter(|port| *port > 0)?;
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Self::Host { host: address.to_canonical().to_string(), port });
        }
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let label = |label: &str| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
            !label.is_empty() && label.len() <= 63 && label.bytes().all(plain)
        };
        let last = name.rsplit('.').next().unwrap_or_default();
        let numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
        let plain = name.len() <= MOST_NAME_BYTES && name.split('.').all(label) && !numeric;
        plain.then_some(Self::Host { host: name, port })
    }

    /// A socket; `None` where its path is not absolute, goes up, or is no text of one line.
    pub fn socket(path: &str) -> Option<Self> {
        let plain = path.starts_with('/')
            && path.len() <= MOST_SOCKET_BYTES
            && !path.chars().any(char::is_control)
            && !path.split('/').any(|part| part == "..");
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        (plain && !parts.is_empty()).then(|| Self::Socket(format!("/{}", parts.join("/"))))
    }

    /// As it is written in a policy case: `db1:5432`, or a path.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with('/') {
            return Self::socket(text);
        }
        let (host, port) = text.rsplit_once(':')?;
        Self::host(host, port.parse().ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_spelling_or_none() {
        let host = |name: &str| ForwardTarget::host(name, 5432).map(|target| target.to_string());
        for (written, read) in [
            ("DB1.Internal.", "db1.internal:5432"),
            ("127.0.0.1", "127.0.0.1:5432"),
            ("::1", "[::1]:5432"),
            ("[0:0::1]", "[::1]:5432"),
            ("::ffff:127.0.0.1", "127.0.0.1:5432"),
            ("localhost", "localhost:5432"),
        ] {
            assert_eq!(host(written).as_deref(), Some(read), "{written}");
        }
        for doubtful in [
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "",
            ".",
            "a..b",
            "a b",
            "a/b",
            "db\u{e9}",
            "a\0",
            "%6c",
            "fe80::1%eth0",
        ] {
            assert_eq!(host(doubtful), None, "{doubtful:?}");
        }
        assert!(ForwardTarget::host("db1", 0).is_none() && ForwardTarget::host("db1", 65_536).is_none());
        assert_eq!(ForwardTarget::parse("[::1]:22"), ForwardTarget::host("::1", 22));
    }

    #[test]
    fn a_socket_is_absolute_and_goes_nowhere_else() {
        let socket = |path: &str| ForwardTarget::socket(path).map(|target| target.to_string());
        assert_eq!(socket("/run//app/./s.sock").as_deref(), Some("/run/app/s.sock"));
        for doubtful in ["s.sock", "/run/../var/run/docker.sock", "", "/", "/a\n", &format!("/{}", "a".repeat(200))] {
            assert_eq!(socket(doubtful), None, "{doubtful:?}");
        }
    }
}
