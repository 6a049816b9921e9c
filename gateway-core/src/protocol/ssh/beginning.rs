//! What the first bytes of each direction of a way are of: those of a protocol that a connection of its own would inspect
//! are told apart before they go on.
//!
//! Pure. Fails closed: what may still become something known is kept; what goes on first is looked at further, since many
//! servers pass over what stands before a request. Knows no policy.

use bytes::{Bytes, BytesMut};

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
    /// A header that says whose connection is relayed; what is in it comes behind.
    Proxy,
    /// SOCKS: where it leads is said in it.
    Socks,
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
            Self::Proxy => "proxy",
            Self::Socks => "socks",
        }
    }
}

/// What the first bytes in one direction say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// More are needed.
    NotYet,
    /// None that hoop knows.
    Other,
    /// This.
    Known(Known),
}

/// What becomes of bytes that came.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// They are kept.
    Kept,
    /// These go on.
    Goes(Bytes),
    /// They are of this, and kept.
    Known(Known),
    /// So much came that is nothing, and may still become something.
    Unclear,
}

/// Longer than this is no beginning of anything known.
const MOST_KEPT_BYTES: usize = 64;
/// So far lines of SSH may come before its first one: 64 of the longest.
const MOST_BEFORE_SSH_BYTES: usize = 64 * 256;

/// How requests of HTTP begin, those of `WebDAV` too.
const METHODS: [&[u8]; 22] = [
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"SEARCH",
    b"REPORT",
    b"PURGE",
    b"LINK",
    b"UNLINK",
    b"QUERY",
];

/// One direction of a way.
#[derive(Debug)]
pub struct Beginning {
    side: Side,
    kept: BytesMut,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

#[derive(Debug)]
enum Stage {
    /// Nothing was told yet.
    First,
    /// It began as nothing known.
    Further(Further),
    /// Nothing more is looked for.
    Through,
}

impl Beginning {
    /// Of what a client sends.
    pub fn of_client() -> Self {
        Self { side: Side::Client, kept: BytesMut::new(), stage: Stage::First }
    }

    /// Of what a server sends.
    pub fn of_server() -> Self {
        Self { side: Side::Server, kept: BytesMut::new(), stage: Stage::First }
    }

    /// Takes what came.
    pub fn take(&mut self, data: Bytes) -> Taken {
        if let Stage::Through = self.stage {
            return Taken::Goes(data);
        }
        if let Stage::Further(further) = &mut self.stage {
            if let Some(known) = further.look(&data) {
                self.kept.extend_from_slice(&data);
                return Taken::Known(known);
            }
            if further.is_over() {
                self.stage = Stage::Through;
            }
            return Taken::Goes(data);
        }
        self.kept.extend_from_slice(&data);
        let told = match self.side {
            Side::Client => of_client(&self.kept),
            Side::Server => of_server(&self.kept),
        };
        match told {
            Told::NotYet if self.kept.len() > MOST_KEPT_BYTES => Taken::Unclear,
            Told::NotYet => Taken::Kept,
            Told::Known(known) => Taken::Known(known),
            Told::Other => {
                let mut further = Further::new(self.side);
                if let Some(known) = further.look(&self.kept) {
                    return Taken::Known(known);
                }
                self.stage = if further.is_over() { Stage::Through } else { Stage::Further(further) };
                Taken::Goes(self.kept.split().freeze())
            }
        }
    }

    /// What was kept, where it may go or nothing follows it. Nothing is looked at any more.
    pub fn let_go(&mut self) -> Bytes {
        self.stage = Stage::Through;
        self.kept.split().freeze()
    }
}

/// What is looked for behind a beginning that is nothing known.
#[derive(Debug)]
struct Further {
    /// The last bytes: a word may be cut in two.
    tail: Vec<u8>,
    /// Still in the first line of a client. Servers take methods that nobody knows, and spaces before them; every one
    /// wants the version at the line's end.
    in_first_line: bool,
    /// So far SSH may still begin.
    ssh_bytes: usize,
}

const VERSION: &[u8] = b"HTTP/";
/// SPEC: RFC 4253, 4.2: lines may come before the version; servers take them from clients, too.
const SSH_LINE: &[u8] = b"\nSSH-";
/// One byte before the longer of both, less one.
const TAIL: usize = 5;

impl Further {
    fn new(side: Side) -> Self {
        Self { tail: Vec::new(), in_first_line: side == Side::Client, ssh_bytes: MOST_BEFORE_SSH_BYTES }
    }

    fn look(&mut self, data: &[u8]) -> Option<Known> {
        let mut all = std::mem::take(&mut self.tail);
        all.extend_from_slice(data);
        if self.in_first_line {
            let line = all.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let is_version = |window: &[u8]| match window {
                [before, word @ ..] => is_space(*before) && word.eq_ignore_ascii_case(VERSION),
                [] => false,
            };
            if line.windows(VERSION.len() + 1).any(is_version) {
                return Some(Known::Http);
            }
            self.in_first_line = line.len() == all.len();
        }
        if self.ssh_bytes > 0 {
            self.ssh_bytes = self.ssh_bytes.saturating_sub(data.len());
            if all.windows(SSH_LINE.len()).any(|window| window == SSH_LINE) {
                return Some(Known::Ssh);
            }
        }
        let last = all.len().saturating_sub(TAIL);
        self.tail = all.split_off(last);
        None
    }

    fn is_over(&self) -> bool {
        !self.in_first_line && self.ssh_bytes == 0
    }
}

/// What some server takes for a space in a request's line: those of ASCII, and those of Latin-1 that Python's own server
/// splits at.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | 0x1c..=0x20 | 0x85 | 0xa0)
}

/// What a client's first bytes are of.
fn of_client(first: &[u8]) -> Told {
    // SPEC: RFC 9112, 2.2: a server passes over empty lines before a request.
    if let [b'\r' | b'\n', ..] = first {
        return Told::Known(Known::Http);
    }
    let mut told = http(first);
    told = worse(told, begins(first, &[b"SSH-"], Known::Ssh));
    told = worse(told, begins(first, &[b"PROXY "], Known::Proxy));
    told = worse(told, tls(first));
    told = worse(told, socks(first));
    worse(told, postgres(first))
}

/// What a server's first bytes are of, where it speaks first.
fn of_server(first: &[u8]) -> Told {
    let mut told = begins(first, &[b"SSH-"], Known::Ssh);
    told = worse(told, begins(first, &[VERSION], Known::Http));
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

/// A method and a space, behind any spaces; some servers take methods in small letters.
fn http(first: &[u8]) -> Told {
    let spaces = first.iter().take_while(|byte| is_space(**byte)).count();
    let line = first.get(spaces..).unwrap_or_default();
    let method = line.iter().take_while(|byte| !is_space(**byte)).count();
    let word = line.get(..method.min(MOST_KEPT_BYTES)).unwrap_or_default().to_ascii_uppercase();
    if method < line.len() {
        if METHODS.contains(&word.as_slice()) { Told::Known(Known::Http) } else { Told::Other }
    } else if METHODS.iter().any(|known| known.starts_with(&word)) {
        Told::NotYet
    } else {
        Told::Other
    }
}

/// SPEC: RFC 8446, 5.1: a handshake record, of any version; or RFC 5246, E.2: a greeting in the form of SSL 2.
fn tls(first: &[u8]) -> Told {
    match first {
        [0x16, 0x03, ..] | [0x80..=0xff, _, 0x01, 0x00 | 0x02 | 0x03, ..] => Told::Known(Known::Tls),
        [] | [0x16 | 0x80..=0xff] | [0x80..=0xff, _] | [0x80..=0xff, _, 0x01] => Told::NotYet,
        _ => Told::Other,
    }
}

/// SPEC: RFC 1928, 3: version 5, and at least one method; version 4: connect or bind.
fn socks(first: &[u8]) -> Told {
    match first {
        [5, 1..=0xff, ..] | [4, 1 | 2, ..] => Told::Known(Known::Socks),
        [] | [4 | 5] => Told::NotYet,
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

    /// What becomes of bytes that come in pieces of this length, and what went on before.
    fn taken(mut beginning: Beginning, bytes: &[u8], piece: usize) -> (Option<Taken>, Vec<u8>) {
        let mut gone = Vec::new();
        for piece in bytes.chunks(piece) {
            match beginning.take(Bytes::copy_from_slice(piece)) {
                Taken::Kept => {}
                Taken::Goes(bytes) => gone.extend_from_slice(&bytes),
                stopped @ (Taken::Known(_) | Taken::Unclear) => return (Some(stopped), gone),
            }
        }
        (None, gone)
    }

    /// However it comes, it is told apart, and nothing of it went on that a server could act on.
    fn is_known(side: fn() -> Beginning, bytes: &[u8], known: Known) {
        for piece in [1, 2, 3, 5, 7, bytes.len()] {
            let (found, gone) = taken(side(), bytes, piece);
            assert_eq!(found, Some(Taken::Known(known)), "{bytes:?} in pieces of {piece}");
            assert!(gone.len() < bytes.len(), "{bytes:?} in pieces of {piece}");
            let mut line = gone.split(|byte| *byte == b'\n').next().unwrap_or_default().to_ascii_uppercase();
            line.retain(|byte| *byte != b' ');
            assert!(!line.ends_with(VERSION), "a version went on of {bytes:?}");
        }
    }

    #[test]
    fn what_clients_begin_with_is_told_however_it_comes() {
        let startup = [&[0, 0, 0, 9][..], &[0, 3, 0, 0], b"\0"].concat();
        for (bytes, known) in [
            (&startup[..], Known::Postgres),
            (&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f], Known::Postgres),
            (&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30], Known::Postgres),
            (&[0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e], Known::Postgres),
            (&[0, 0, 0x27, 0x10, 0, 2, 0, 0], Known::Postgres),
            (b"GET / HTTP/1.1\r\n", Known::Http),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Known::Http),
            (b"\r\n\r\nGET / HTTP/1.1\r\n", Known::Http),
            (b"\nGET / HTTP/1.1\r\n", Known::Http),
            (b"get / HTTP/1.1\r\n", Known::Http),
            (b"PROPFIND / HTTP/1.1\r\n", Known::Http),
            // HTTP/0.9 has no version; only these methods are taken so.
            (b"GET /orders\r\n", Known::Http),
            (b"GET\t/orders\r\n", Known::Http),
            (b" GET / HTTP/1.0\r\n", Known::Http),
            (b"\x0b\x1f GET / HTTP/1.0\r\n", Known::Http),
            (b"\xa0GET\xa0/\xa0HTTP/1.0\r\n", Known::Http),
            (b"CONNECT db1:5432 HTTP/1.1\r\n", Known::Http),
            (b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n", Known::Http),
            // A method that nobody knows is a handler's to take.
            (b"XGET /orders HTTP/1.1\r\n", Known::Http),
            (b"anything at all http/1.0\r\n", Known::Http),
            (b"\x01/orders\tHtTp/1.0\r\n", Known::Http),
            (b"SSH-2.0-x\r\n", Known::Ssh),
            (b"hello\r\nand more\nSSH-2.0-x\r\n", Known::Ssh),
            (&[0x16, 3, 1, 2, 0], Known::Tls),
            (&[0x80, 0x2e, 1, 3, 1, 0], Known::Tls),
            (&[0xff, 0x2e, 1, 0, 2, 0], Known::Tls),
            (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", Known::Proxy),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11", Known::Http),
            (&[5, 1, 0], Known::Socks),
            (&[5, 2, 0, 2], Known::Socks),
            (&[4, 1, 0x15, 0x38, 127, 0, 0, 1], Known::Socks),
        ] {
            is_known(Beginning::of_client, bytes, known);
        }
        let long = [&b"XGET /"[..], &vec![b'a'; 70_000], b" HTTP/1.1\r\n"].concat();
        is_known(Beginning::of_client, &long, Known::Http);
    }

    #[test]
    fn what_servers_begin_with_is_told_however_it_comes() {
        let greeting = [&[0x4a, 0, 0, 0, 10][..], b"8.0.36"].concat();
        is_known(Beginning::of_server, &greeting, Known::Mysql);
        is_known(Beginning::of_server, b"SSH-2.0-OpenSSH\r\n", Known::Ssh);
        is_known(Beginning::of_server, b"be welcome\r\nSSH-2.0-OpenSSH\r\n", Known::Ssh);
        is_known(Beginning::of_server, b"HTTP/1.1 200 OK\r\n", Known::Http);
    }

    #[test]
    fn what_is_nothing_known_goes_on_whole() {
        for other in [
            &b"PING\r\n"[..],
            b"hello there",
            b"\0\0\0\x09\x09\x09\0\0\0",
            b"GETX",
            b"*1\r\n$4\r\n",
            b"EHLO HTTP/1.1x\r\n".get(..5).unwrap(),
            b"AMQP\0\0\x09\x01",
            &[4, 0, 0, 0, 5],
            &[0x80, 0x2e, 9, 9],
        ] {
            for piece in [1, 3, other.len()] {
                assert_eq!(taken(Beginning::of_client(), other, piece), (None, other.to_vec()), "{other:?}");
            }
        }
        for other in [&b"220 mail\r\n"[..], b"+OK", b"\0\0\0\x02x"] {
            assert_eq!(taken(Beginning::of_server(), other, 1), (None, other.to_vec()), "{other:?}");
        }
        let bulk: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8 | 0x80).collect();
        assert_eq!(taken(Beginning::of_client(), &bulk, 4096), (None, bulk.clone()));
        let second = b"hello\r\nGET / HTTP/1.1\r\n";
        assert_eq!(taken(Beginning::of_client(), second, 4), (None, second.to_vec()), "no server reads on");
    }

    #[test]
    fn what_stays_undecided_is_not_let_go() {
        let blank = [b' '; 1000];
        let (found, gone) = taken(Beginning::of_client(), &blank, 1);
        assert_eq!((found, gone), (Some(Taken::Unclear), Vec::new()));
        // Whatever the bytes are, no more of them are kept.
        for first in 0..=255_u8 {
            for second in [0, 1, 3, 5, b' ', b'A', b'E', 0x80] {
                let bytes = [&[first, second][..], &[first; 100]].concat();
                for side in [Beginning::of_client, Beginning::of_server] {
                    let mut beginning = side();
                    for byte in &bytes {
                        if beginning.take(Bytes::copy_from_slice(&[*byte])) != Taken::Kept {
                            break;
                        }
                    }
                    assert!(beginning.kept.len() <= MOST_KEPT_BYTES + 1, "{first} {second}");
                }
            }
        }
        let mut beginning = Beginning::of_client();
        assert_eq!(beginning.take(Bytes::from_static(b"GE")), Taken::Kept);
        assert_eq!(&beginning.let_go()[..], b"GE", "nothing follows the end of a direction");
    }
}
