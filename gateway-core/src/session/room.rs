//! How much room a read is given: little while messages are short, so that a session that says nothing holds little,
//! and much once a read filled what it had.
//!
//! Pure; the relay asks before every read and says what came of it.

use bytes::BytesMut;

/// What a session that is idle, or whose messages are short, holds for a direction.
const LITTLE_BYTES: usize = 1024;
/// What is read at once of a stream that keeps coming.
const MUCH_BYTES: usize = 32 * 1024;

/// The room that one direction reads into.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// What the last read could have filled.
    given: usize,
    much: bool,
    /// The buffer may be larger than what is given now.
    grown: bool,
}

impl Room {
    /// Makes room in `buffer` for the next read.
    pub(super) fn make(&mut self, buffer: &mut BytesMut) {
        if self.grown && !self.much && buffer.is_empty() {
            *buffer = BytesMut::new();
            self.grown = false;
        }
        buffer.reserve(if self.much { MUCH_BYTES } else { LITTLE_BYTES });
        self.grown |= self.much;
        self.given = buffer.capacity() - buffer.len();
    }

    /// Takes how much a read brought.
    pub(super) fn took(&mut self, read: usize) {
        self.much = read >= if self.much { LITTLE_BYTES } else { self.given.max(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_grows_with_what_comes_and_gives_back_when_it_is_idle() {
        let (mut room, mut buffer) = (Room::default(), BytesMut::new());
        for _ in 0..3 {
            room.make(&mut buffer);
            assert!((LITTLE_BYTES..4 * LITTLE_BYTES).contains(&buffer.capacity()));
            room.took(100);
        }
        let full = buffer.capacity();
        buffer.resize(full, 0);
        room.took(full);
        room.make(&mut buffer);
        assert!(buffer.capacity() - buffer.len() >= MUCH_BYTES);
        let message = buffer.split();
        room.took(LITTLE_BYTES - 1);
        drop(message);
        room.make(&mut buffer);
        assert!(buffer.capacity() < 4 * LITTLE_BYTES);
    }
}
