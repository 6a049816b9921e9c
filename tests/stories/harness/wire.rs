//! A client of the wire that keeps every byte it was sent, through a tunnel or straight at the server.
//!
//! Plays the steps of a script; knows nothing of what they ought to bring.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use super::{PATIENCE, tls_over};

/// One message that came back.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) tag: u8,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body).replace('\0', "·");
        write!(formatter, "{}({body})", char::from(self.tag))
    }
}

/// How reading ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The message that was waited for came.
    Reached,
    /// The statement is held, under this request.
    Held(String),
    /// The other side closed.
    Closed,
    /// Nothing came for a long time.
    Stuck,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// One connection.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    /// Everything that was received.
    pub(crate) received: Vec<u8>,
    /// The same, as messages.
    pub(crate) replies: Vec<Reply>,
    reviewed: Vec<String>,
    expected: usize,
    user: String,
    database: String,
    password: Option<String>,
}

impl Wire {
    /// To the local end of a tunnel, or to any server at a port of this machine.
    pub(crate) fn to_port(port: u16, user: &str, database: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        stream.set_read_timeout(Some(patience())).expect("set");
        stream.set_nodelay(true).expect("set");
        Self::over(Box::new(stream), user, database)
    }

    /// Straight to a server that trusts its socket.
    pub(crate) fn to_socket(path: &Path, user: &str, database: &str) -> Self {
        let stream = UnixStream::connect(path).expect("connected");
        stream.set_read_timeout(Some(patience())).expect("set");
        Self::over(Box::new(stream), user, database)
    }

    /// To a native listener, by TLS, with a password in cleartext inside of it.
    pub(crate) fn to_native(port: u16, authority: &Path, user: &str, database: &str, password: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        stream.set_read_timeout(Some(patience())).expect("set");
        stream.set_nodelay(true).expect("set");
        stream.write_all(&[0, 0, 0, 8, 4, 0xD2, 0x16, 0x2F]).expect("written");
        let mut answer = [0];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"S");
        let mut wire = Self::over(Box::new(tls_over(stream, authority, &[])), user, database);
        wire.password = Some(password.to_owned());
        wire
    }

    fn over(stream: Box<dyn Stream>, user: &str, database: &str) -> Self {
        let (user, database) = (user.to_owned(), database.to_owned());
        Self {
            stream,
            received: Vec::new(),
            replies: Vec::new(),
            reviewed: Vec::new(),
            expected: 1,
            user,
            database,
            password: None,
        }
    }

    /// Starts up with more parameters, and reads until the server is ready.
    pub(crate) fn start(&mut self, parameters: &[(&str, &str)]) -> End {
        let mut body = 196_608_u32.to_be_bytes().to_vec();
        let given = |name: &str| parameters.iter().any(|(other, _)| *other == name);
        let own = [("user", self.user.clone()), ("database", self.database.clone())];
        let own = own.iter().map(|(name, value)| (*name, value.as_str())).filter(|(name, _)| !given(name));
        for (name, value) in own.chain(parameters.iter().copied()) {
            body.extend([name, "\0", value, "\0"].concat().bytes());
        }
        body.push(0);
        let mut packet = (u32::try_from(body.len()).expect("small") + 4).to_be_bytes().to_vec();
        packet.extend(body);
        self.send(&packet);
        self.until(b'Z')
    }

    /// From now on, notices about this request do not mean that something is held.
    pub(crate) fn reviewed(&mut self, request: &str) {
        self.reviewed.push(request.to_owned());
    }

    /// So many more answers are to come.
    pub(crate) fn expects(&mut self, answers: usize) {
        self.expected += answers;
    }

    /// Whether everything that was asked has its answer.
    pub(crate) fn is_answered(&self) -> bool {
        self.replies.iter().filter(|reply| reply.tag == b'Z').count() >= self.expected
    }

    /// Writes these bytes; that the other side has gone is noticed by whoever reads.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes).and_then(|()| self.stream.flush()));
    }

    /// Reads up to a message of this type.
    pub(crate) fn until(&mut self, tag: u8) -> End {
        loop {
            let reply = match self.next() {
                Ok(reply) => reply,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return End::Stuck,
                Err(_) => return End::Closed,
            };
            self.replies.push(reply.clone());
            if let Some(password) = self.password.clone().filter(|_| reply.tag == b'R' && reply.body == [0, 0, 0, 3]) {
                self.send(&frame(b'p', [&password, "\0"].concat().as_bytes()));
            }
            // Whoever waits for something else is not kept waiting by a server that has already given up.
            if reply.tag == tag || reply.tag == b'Z' || (reply.tag == b'E' && tag != b'Z') {
                return End::Reached;
            }
            if let Some(id) = held(&reply).filter(|id| !self.reviewed.contains(id)) {
                return End::Held(id);
            }
        }
    }

    /// Runs a simple query to its end.
    pub(crate) fn query(&mut self, text: &str) -> End {
        self.expects(1);
        self.send(&query(text));
        self.until(b'Z')
    }

    /// The first value of the first row of a query that must work.
    pub(crate) fn value(&mut self, text: &str) -> String {
        let from = self.replies.len();
        let end = self.query(text);
        let replies = self.replies.get(from..).unwrap_or_default();
        let row = replies.iter().find(|reply| reply.tag == b'D').map(|reply| cells(&reply.body));
        let first = row.unwrap_or_else(|| panic!("{text}: {end:?} {replies:?}")).into_iter().next();
        first.flatten().map(|value| String::from_utf8_lossy(&value).into_owned()).unwrap_or_default()
    }

    fn next(&mut self) -> std::io::Result<Reply> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let [tag, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length)).expect("small");
        let mut body = vec![0; length.checked_sub(4).ok_or(std::io::ErrorKind::InvalidData)?];
        self.stream.read_exact(&mut body)?;
        self.received.extend_from_slice(&head);
        self.received.extend_from_slice(&body);
        Ok(Reply { tag, body })
    }
}

/// How long one answer may take: a busy machine is slow, a stuck session is silent.
fn patience() -> Duration {
    PATIENCE / 2
}

/// The request's id, where this is the notice that a statement is held.
fn held(reply: &Reply) -> Option<String> {
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    let mut words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.find(|word| reply.tag == b'N' && word.starts_with("apr_")).map(str::to_owned)
}

/// The values of a row.
pub(crate) fn cells(body: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut rest = body.get(2..).unwrap_or_default();
    let mut found = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(i32::from_be_bytes(*length)).ok();
        let (value, next) = after.split_at(length.unwrap_or(0).min(after.len()));
        found.push(length.map(|_| value.to_vec()));
        rest = next;
    }
    found
}

pub(crate) fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    out.extend((u32::try_from(body.len()).expect("small") + 4).to_be_bytes());
    out.extend_from_slice(body);
    out
}

pub(crate) fn query(text: &str) -> Vec<u8> {
    frame(b'Q', format!("{text}\0").as_bytes())
}
