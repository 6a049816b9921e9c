//! What is reached through a machine: a host and port, or a socket, as a client names it; and what its first bytes are of.
//!
//! Pure. A name that two resolvers could read differently is refused. Bytes are looked at only until they are told apart.

use std::{fmt, net::IpAddr};

/// SPEC: RFC 1035, 2.3.4.
const MOST_NAME_BYTES: usize = 253;
/// What a Unix socket's address holds.
const MOST_SOCKET_BYTES: usize = 107;

/// Where a client wants to go through a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// A protocol that a connection of its own inspects, or one that hides which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// PostgreSQL.
    Postgres,
    /// `MySQL` and MariaDB.
    Mysql,
    /// SSH.
    Ssh,
    /// HTTP, every version without TLS.
    Http,
    /// TLS, whatever is in it.
    Tls,
}

impl Known {
    /// The word that policies see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Ssh => "ssh",
            Self::Http => "http",
            Self::Tls => "tls",
        }
    }
}

/// What the first bytes in one direction say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// More are needed.
    NotYet,
    /// None that hoop knows.
    Other,
    /// This.
    Known(Known),
}

/// The longest beginning that is needed to tell.
pub const MOST_BEGINNING: usize = 16;

/// How requests of HTTP begin, those of `WebDAV` too, and its second version.
const METHODS: [&[u8]; 24] = [
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"DELETE ",
    b"CONNECT ",
    b"OPTIONS ",
    b"TRACE ",
    b"PATCH ",
    b"PROPFIND ",
    b"PROPPATCH ",
    b"MKCOL ",
    b"COPY ",
    b"MOVE ",
    b"LOCK ",
    b"UNLOCK ",
    b"SEARCH ",
    b"REPORT ",
    b"PURGE ",
    b"LINK ",
    b"UNLINK ",
    b"QUERY ",
    b"PRI * HTTP",
    b"HTTP/",
];

/// What a client's first bytes are of.
pub fn of_client(first: &[u8]) -> Told {
    // SPEC: RFC 9112, 2.2: a server passes over empty lines before a request.
    if let [b'\r' | b'\n', ..] = first {
        return Told::Known(Known::Http);
    }
    // Some servers take methods in small letters.
    let mut told = begins(&first.to_ascii_uppercase(), &METHODS, Known::Http);
    told = worse(told, begins(first, &[b"SSH-"], Known::Ssh));
    told = worse(told, tls(first));
    worse(told, postgres(first))
}

/// What a server's first bytes are of, where it speaks first.
pub fn of_server(first: &[u8]) -> Told {
    let mut told = begins(first, &[b"SSH-"], Known::Ssh);
    told = worse(told, begins(first, &[b"HTTP/"], Known::Http));
    worse(told, mysql(first))
}

/// FAIL-CLOSED: what may still become something known waits.
fn worse(one: Told, other: Told) -> Told {
    match (one, other) {
        (Told::Known(known), _) | (_, Told::Known(known)) => Told::Known(known),
        (Told::NotYet, _) | (_, Told::NotYet) => Told::NotYet,
        (Told::Other, Told::Other) => Told::Other,
    }
}

fn begins(first: &[u8], all: &[&[u8]], known: Known) -> Told {
    if all.iter().any(|word| first.starts_with(word)) {
        Told::Known(known)
    } else if all.iter().any(|word| word.starts_with(first)) {
        Told::NotYet
    } else {
        Told::Other
    }
}

/// SPEC: RFC 8446, 5.1: a handshake record, of any version.
fn tls(first: &[u8]) -> Told {
    match first {
        [] | [0x16] => Told::NotYet,
        [0x16, 0x03, ..] => Told::Known(Known::Tls),
        _ => Told::Other,
    }
}

/// A startup packet, or one of the requests that come in its place: length, then a code.
fn postgres(first: &[u8]) -> Told {
    // Protocol 2 and 3; and cancel, TLS and GSS encryption: the high half of the code.
    const CODES: [[u8; 2]; 3] = [[0, 2], [0, 3], [0x04, 0xd2]];
    match first {
        [0, 0, _, _, one, two, ..] if CODES.contains(&[*one, *two]) => Told::Known(Known::Postgres),
        [0, 0, _, _, _, _, ..] => Told::Other,
        [0, 0, ..] | [0] | [] => Told::NotYet,
        _ => Told::Other,
    }
}

/// A greeting: three bytes of length, number 0, version 10 or 9; or an error in its place.
fn mysql(first: &[u8]) -> Told {
    match first {
        [_, _, 0, 0, 9 | 10 | 0xff, ..] => Told::Known(Known::Mysql),
        [] | [_] | [_, _] | [_, _, 0] | [_, _, 0, 0] => Told::NotYet,
        _ => Told::Other,
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

    #[test]
    fn first_bytes_tell_what_they_are_of_however_they_come() {
        let startup = [&[0, 0, 0, 9][..], &[0, 3, 0, 0], b"\0"].concat();
        let ask_tls = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
        for (bytes, known) in [
            (&startup[..], Known::Postgres),
            (&ask_tls[..], Known::Postgres),
            (b"GET / HTTP/1.1\r\n", Known::Http),
            (b"PRI * HTTP/2.0\r\n", Known::Http),
            (b"\r\n\r\nGET / HTTP/1.1\r\n", Known::Http),
            (b"\nGET / HTTP/1.1\r\n", Known::Http),
            (b"get / HTTP/1.1\r\n", Known::Http),
            (b"PROPFIND / HTTP/1.1\r\n", Known::Http),
            (b"SSH-2.0-x\r\n", Known::Ssh),
            (&[0x16, 3, 1, 2, 0][..], Known::Tls),
        ] {
            assert_eq!(of_client(bytes), Told::Known(known), "{bytes:?}");
            let early = (0..MOST_BEGINNING.min(bytes.len())).map(|length| of_client(bytes.get(..length).unwrap()));
            assert!(early.into_iter().all(|told| told != Told::Other), "let go too early: {bytes:?}");
        }
        let greeting = [&[0x4a, 0, 0, 0, 10][..], b"8.0.36"].concat();
        assert_eq!(of_server(&greeting), Told::Known(Known::Mysql));
        assert!((0..5).all(|length| of_server(&greeting[..length]) == Told::NotYet));
        assert_eq!(of_server(b"SSH-2.0-OpenSSH\r\n"), Told::Known(Known::Ssh));
        for other in [&b"PING\r\n"[..], b"hello", b"\0\0\0\x09\x09\x09\0\0\0", b"GETX", b"*1\r\n$4\r\n"] {
            assert_eq!(of_client(other), Told::Other, "{other:?}");
        }
        for other in [&b"220 mail\r\n"[..], b"+OK", b"\0\0\0\x02x"] {
            assert_eq!(of_server(other), Told::Other, "{other:?}");
        }
    }
}
