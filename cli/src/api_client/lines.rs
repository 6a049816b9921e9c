//! An answer of one JSON value a line, read as it comes: however long it is, no more than a line of it is held.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use reqwest::Response;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

type Chunks = dyn Stream<Item = Result<Bytes, String>> + Send;

/// The lines of one answer.
pub(crate) struct Lines {
    chunks: Pin<Box<Chunks>>,
    held: BytesMut,
    /// How much of what is held was looked through.
    seen: usize,
    who: String,
}

impl Lines {
    pub(super) fn of(response: Response, who: String) -> Self {
        Self::read(response.bytes_stream().map(|chunk| chunk.map_err(|error| error.without_url().to_string())), who)
    }

    fn read(chunks: impl Stream<Item = Result<Bytes, String>> + Send + 'static, who: String) -> Self {
        Self { chunks: Box::pin(chunks), held: BytesMut::new(), seen: 0, who }
    }

    /// The next value; `None` at the end. An answer that is broken off is an error, so that half of one never looks whole.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        loop {
            let ahead = self.held.get(self.seen..).unwrap_or_default();
            if let Some(place) = ahead.iter().position(|byte| *byte == b'\n') {
                let line = self.held.split_to(self.seen + place + 1);
                self.seen = 0;
                if line.len() > 1 {
                    return self.value(&line).map(Some);
                }
                continue;
            }
            self.seen = self.held.len();
            if self.seen > MAX_LINE_BYTES {
                return Err(Failure::failed(format!("{} sends a line of more than {MAX_LINE_BYTES} bytes", self.who)));
            }
            match self.chunks.next().await {
                Some(Ok(chunk)) => self.held.extend_from_slice(&chunk),
                Some(Err(why)) => {
                    return Err(Failure::unreachable(format!("{} did not finish its answer", self.who)).because(why));
                }
                None if self.held.is_empty() => return Ok(None),
                None => {
                    let line = self.held.split();
                    self.seen = 0;
                    return self.value(&line).map(Some);
                }
            }
        }
    }

    fn value<T: DeserializeOwned>(&self, line: &[u8]) -> Result<T, Failure> {
        super::read(line, &self.who)
    }
}

/// One recorded event, with what is kept of a result.
const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn lines(chunks: impl IntoIterator<Item = Result<Bytes, String>, IntoIter: Send + 'static>) -> Lines {
        Lines::read(stream::iter(chunks), "the gateway".to_owned())
    }

    #[tokio::test]
    async fn an_answer_far_longer_than_what_is_held_is_read_to_its_end() {
        let megabyte = Bytes::from(format!("\"{}\"\n", "x".repeat(1 << 20)));
        let mut lines = lines((0..100).map(move |_| Ok(megabyte.clone())));
        let mut read = 0;
        while let Some(line) = lines.next::<String>().await.unwrap() {
            assert_eq!(line.len(), 1 << 20);
            assert!(lines.held.len() < 4 << 20, "{} bytes are held", lines.held.len());
            read += 1;
        }
        assert_eq!(read, 100);
    }

    #[tokio::test]
    async fn lines_in_pieces_are_lines_and_a_broken_answer_is_an_error() {
        let pieces = ["1\n2", "2\n\n3"].map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
        let mut whole = lines(pieces.clone());
        let mut read = Vec::new();
        while let Some(number) = whole.next::<u32>().await.unwrap() {
            read.push(number);
        }
        assert_eq!(read, [1, 22, 3]);
        let mut broken = lines(pieces.into_iter().chain([Err("reset".to_owned())]));
        assert_eq!(broken.next::<u32>().await.unwrap(), Some(1));
        assert_eq!(broken.next::<u32>().await.unwrap(), Some(22));
        assert!(broken.next::<u32>().await.is_err());
    }
}
