//! A client that speaks the protocol by hand: any message in any order, any byte.
//!
//! Frames are written here and not with a driver, which would refuse to send most of what an attacker sends.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use super::super::harness::{PATIENCE, Tunnel};

/// What came back: a tag and a body.
#[derive(Clone)]
pub(in super::super) struct Reply {
    pub(in super::super) tag: char,
    pub(in super::super) body: Vec<u8>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}({})", self.tag, String::from_utf8_lossy(&self.body).replace('\0', "·"))
    }
}

/// One connection to the local end of a tunnel.
pub(in super::super) struct Raw {
    stream: TcpStream,
    pub(in super::super) key: Vec<u8>,
}

impl Raw {
    /// A socket on which nothing was said yet.
    pub(in super::super) fn socket(tunnel: &Tunnel) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", tunnel.port)).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream
    }

    /// Starts up and waits until the server is ready.
    pub(in super::super) fn open(tunnel: &Tunnel) -> Self {
        Self::open_with(tunnel, &[]).unwrap_or_else(|replies| panic!("not opened: {replies:?}"))
    }

    /// Starts up with more parameters; the replies where that failed.
    pub(in super::super) fn open_with(tunnel: &Tunnel, parameters: &[(&str, &str)]) -> Result<Self, Vec<Reply>> {
        let mut raw = Self { stream: Self::socket(tunnel), key: Vec::new() };
        raw.send(&startup(&tunnel.database, parameters));
        let replies = raw.until('Z');
        if replies.last().is_none_or(|reply| reply.tag != 'Z') {
            return Err(replies);
        }
        raw.key = replies.into_iter().find(|reply| reply.tag == 'K').expect("a cancel key").body;
        Ok(raw)
    }

    pub(in super::super) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("written");
    }

    /// Sends what the other side takes before it closes.
    pub(in super::super) fn send_what_is_taken(&mut self, bytes: &[u8]) -> bool {
        self.stream.set_write_timeout(Some(PATIENCE)).expect("set");
        self.stream.write_all(bytes).is_ok()
    }

    /// Everything up to the end of the stream.
    pub(in super::super) fn rest(&mut self) -> Vec<Reply> {
        self.until('\0')
    }

    /// Everything up to a message of this type, or to the end of the stream.
    pub(in super::super) fn until(&mut self, tag: char) -> Vec<Reply> {
        let mut replies = Vec::new();
        while let Some(reply) = self.next() {
            replies.push(reply);
            if replies.last().is_some_and(|reply| reply.tag == tag) {
                break;
            }
        }
        replies
    }

    /// Runs a simple query to its end.
    pub(in super::super) fn query(&mut self, text: &str) -> Vec<Reply> {
        self.send(&query(text));
        self.until('Z')
    }

    fn next(&mut self) -> Option<Reply> {
        let mut head = [0; 5];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the session is stuck"),
            Err(_) => return None,
        }
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; usize::try_from(length).expect("small") - 4];
        self.stream.read_exact(&mut body).ok()?;
        Some(Reply { tag: char::from(head[0]), body })
    }
}

/// Every byte of these replies, as text.
pub(in super::super) fn shown(replies: &[Reply]) -> String {
    format!("{replies:?}")
}

/// The types of these replies, in order.
pub(in super::super) fn tags(replies: &[Reply]) -> String {
    replies.iter().map(|reply| reply.tag).filter(|tag| *tag != 'S' && *tag != 'N').collect()
}

pub(in super::super) fn startup(database: &str, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    for (name, value) in [("user", "anyone"), ("database", database)].iter().chain(parameters) {
        for text in [name, value] {
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
    }
    body.push(0);
    let mut out = length(&body).to_vec();
    out.extend_from_slice(&body);
    out
}

fn length(body: &[u8]) -> [u8; 4] {
    u32::try_from(body.len() + 4).expect("small").to_be_bytes()
}

pub(in super::super) fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    out.extend_from_slice(&length(body));
    out.extend_from_slice(body);
    out
}

pub(in super::super) fn query(text: &str) -> Vec<u8> {
    frame(b'Q', format!("{text}\0").as_bytes())
}

pub(in super::super) fn parse(name: &str, text: &str) -> Vec<u8> {
    frame(b'P', format!("{name}\0{text}\0\0\0").as_bytes())
}

/// A Bind with text parameters and one format for every result.
pub(in super::super) fn bind(portal: &str, statement: &str, parameters: &[&str], format: u8) -> Vec<u8> {
    let mut body = format!("{portal}\0{statement}\0\0\0").into_bytes();
    body.extend_from_slice(&u16::try_from(parameters.len()).expect("few").to_be_bytes());
    for parameter in parameters {
        body.extend_from_slice(&u32::try_from(parameter.len()).expect("small").to_be_bytes());
        body.extend_from_slice(parameter.as_bytes());
    }
    body.extend_from_slice(&[0, 1, 0, format]);
    frame(b'B', &body)
}

pub(in super::super) fn execute(portal: &str, rows: u32) -> Vec<u8> {
    let mut body = format!("{portal}\0").into_bytes();
    body.extend_from_slice(&rows.to_be_bytes());
    frame(b'E', &body)
}

/// A function call with binary arguments and a binary result.
pub(in super::super) fn call(function: u32, arguments: &[&[u8]]) -> Vec<u8> {
    let mut body = function.to_be_bytes().to_vec();
    body.extend_from_slice(&[0, 1, 0, 1]);
    body.extend_from_slice(&u16::try_from(arguments.len()).expect("few").to_be_bytes());
    for argument in arguments {
        body.extend_from_slice(&u32::try_from(argument.len()).expect("small").to_be_bytes());
        body.extend_from_slice(argument);
    }
    body.extend_from_slice(&[0, 1]);
    frame(b'F', &body)
}

/// Describe (`D`) or Close (`C`) of a statement (`S`) or portal (`P`).
pub(in super::super) fn target(tag: u8, kind: char, name: &str) -> Vec<u8> {
    frame(tag, format!("{kind}{name}\0").as_bytes())
}

pub(in super::super) fn sync() -> Vec<u8> {
    frame(b'S', b"")
}

pub(in super::super) fn flush() -> Vec<u8> {
    frame(b'H', b"")
}
