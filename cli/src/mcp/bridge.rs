//! Lines on standard input become messages to the server, its messages lines on standard output; a request for which
//! nothing comes is answered all the same, so that no client waits for ever.
//!
//! Requests are under way side by side: one that waits for an approval holds up no other.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt as _;
use tokio::{
    io::{AsyncWriteExt as _, stdin, stdout},
    sync::{Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_util::{
    codec::{FramedRead, LinesCodec, LinesCodecError},
    sync::CancellationToken,
    task::TaskTracker,
};

use super::{
    exchange::{Answer, Server},
    message::{self, MOST_BYTES, Sketch},
};
use crate::{
    api_client::Messages,
    failure::{ExitStatus, Failure},
};

/// Carries messages both ways.
#[derive(Debug)]
pub(super) struct Bridge {
    server: Arc<Server>,
    room: Arc<Semaphore>,
    under_way: TaskTracker,
    over: CancellationToken,
    /// Ends what listens now: one does, however often a client says that it is ready.
    listening: Mutex<CancellationToken>,
}

type Lines = mpsc::Sender<String>;

impl Bridge {
    pub(super) fn new(server: Server) -> Self {
        let (room, under_way) = (Arc::new(Semaphore::new(MOST_AT_ONCE)), TaskTracker::new());
        let (over, listening) = (CancellationToken::new(), Mutex::default());
        Self { server: Arc::new(server), room, under_way, over, listening }
    }

    /// Until standard input ends; what is under way then gets a moment.
    pub(super) async fn carry(self) -> Result<ExitStatus, Failure> {
        let (lines, mut written) = mpsc::channel::<String>(LINES_AHEAD);
        let writing = tokio::spawn(async move {
            let mut out = stdout();
            while let Some(line) = written.recv().await {
                out.write_all(line.as_bytes()).await?;
                out.flush().await?;
            }
            Ok::<(), std::io::Error>(())
        });
        let mut input = FramedRead::new(stdin(), LinesCodec::new_with_max_length(MOST_BYTES));
        // The reader says that it is over once after each of its errors, and then goes on.
        let mut is_broken = false;
        loop {
            let Some(line) = input.next().await else {
                if std::mem::take(&mut is_broken) {
                    continue;
                }
                break;
            };
            is_broken = line.is_err();
            let is_read_on = match line {
                Ok(line) if line.trim().is_empty() => true,
                Ok(line) => self.take(line, &lines).await,
                Err(LinesCodecError::MaxLineLengthExceeded) => {
                    let what = format!("a message has more than {MOST_BYTES} bytes, and was not sent");
                    lines.send(message::unreadable(&what)).await.is_ok()
                }
                Err(LinesCodecError::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                    lines.send(message::unreadable("a line is not UTF-8, and was not sent")).await.is_ok()
                }
                Err(LinesCodecError::Io(error)) => {
                    return Err(Failure::failed("standard input cannot be read").caused_by(&error));
                }
            };
            if !is_read_on || writing.is_finished() {
                break;
            }
        }
        self.under_way.close();
        // Whoever waits for a reviewer has gone.
        drop(timeout(LAST_ANSWERS, self.under_way.wait()).await);
        self.over.cancel();
        drop(timeout(LAST_ANSWERS, self.server.leave()).await);
        drop(lines);
        drop(timeout(LAST_ANSWERS, writing).await);
        Ok(ExitStatus::SUCCESS)
    }

    /// Sends one message on its way; false once nobody reads answers.
    async fn take(&self, line: String, lines: &Lines) -> bool {
        let Some(sketch) = message::sketch(&line) else {
            return lines.send(message::unreadable("a line is no message of JSON-RPC, and was not sent")).await.is_ok();
        };
        let Ok(room) = Arc::clone(&self.room).acquire_owned().await else { return false };
        let (server, lines, opens) = (Arc::clone(&self.server), lines.clone(), sketch.opens);
        if sketch.is_ready {
            self.listen(&lines);
        }
        let exchange = async move {
            exchange(&server, line, sketch, &lines).await;
            drop(room);
        };
        let exchange = self.over.clone().run_until_cancelled_owned(exchange);
        if opens {
            // What comes next belongs to the session that this opens.
            exchange.await;
        } else {
            self.under_way.spawn(exchange);
        }
        true
    }

    /// Takes what the server says unasked, for as long as it is there, or until a client that is ready anew opened another
    /// session.
    fn listen(&self, lines: &Lines) {
        let mine = self.over.child_token();
        let before =
            std::mem::replace(&mut *self.listening.lock().unwrap_or_else(PoisonError::into_inner), mine.clone());
        before.cancel();
        let (server, lines) = (Arc::clone(&self.server), lines.clone());
        let listening = async move {
            while let Some(mut messages) = server.listen().await {
                while let Some(line) = next(&mut messages).await {
                    if lines.send(line).await.is_err() {
                        return;
                    }
                }
                sleep(BREATH).await;
            }
        };
        tokio::spawn(mine.run_until_cancelled_owned(listening));
    }
}

async fn exchange(server: &Server, line: String, sketch: Sketch, lines: &Lines) {
    let Sketch { mut waiting, opens, .. } = sketch;
    let mut why = "the server answered nothing".to_owned();
    match server.post(line).await {
        Answer::Taken => {}
        // A server that does not say whom it answers answers whoever asked.
        Answer::Whole(text)
            if !waiting.is_empty() && !message::answers(&text).iter().any(|id| waiting.contains(id)) =>
        {
            why = message::complaint(&text).unwrap_or(why);
        }
        Answer::Whole(text) => {
            answered(&mut waiting, &text);
            if opens {
                server.agreed(&text);
            }
            drop(lines.send(message::line(&text)).await);
        }
        Answer::Events(mut messages) => {
            while !(waiting.is_empty() && opens)
                && let Some(line) = next(&mut messages).await
            {
                answered(&mut waiting, &line);
                if opens {
                    server.agreed(&line);
                }
                if lines.send(line).await.is_err() {
                    return;
                }
            }
            "the answer broke off".clone_into(&mut why);
        }
        Answer::Failed(what) => why = what,
    }
    for line in message::failed(&waiting, &why) {
        drop(lines.send(line).await);
    }
}

/// Takes the ids out that a message answers.
fn answered(waiting: &mut Vec<serde_json::Value>, text: &str) {
    let ids = message::answers(text);
    waiting.retain(|id| !ids.contains(id));
}

/// The next message as a line; `None` once the answer is over.
async fn next(messages: &mut Messages) -> Option<String> {
    loop {
        let event = messages.next().await.ok()??;
        // An event without a message only says where the server is.
        if message::is_message(&event.data) {
            return Some(message::line(&event.data));
        }
    }
}

const MOST_AT_ONCE: usize = 64;
const LINES_AHEAD: usize = 64;
const LAST_ANSWERS: Duration = Duration::from_secs(2);
const BREATH: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    /// Somebody listens: the head of their request is read, and an answer begun that never ends.
    async fn listener(server: &TcpListener) -> TcpStream {
        let (mut stream, _from) = server.accept().await.expect("somebody comes");
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.expect("a request");
        assert_eq!(&head, b"GET ");
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        stream.write_all(answer).await.expect("answered");
        stream
    }

    #[tokio::test]
    async fn one_listens_however_often_a_client_says_that_it_is_ready() {
        let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", server.local_addr().expect("an address"));
        let bridge = Bridge::new(Server::new(&url).expect("an address"));
        let (lines, _written) = mpsc::channel(1);
        bridge.listen(&lines);
        let mut first = listener(&server).await;
        bridge.listen(&lines);
        let _second = listener(&server).await;
        let mut rest = Vec::new();
        let ended = timeout(Duration::from_secs(20), first.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the first listens no more");
    }
}
