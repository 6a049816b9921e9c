//! Whatever the pieces are, a stream is read as the same requests, and what two servers could read in two ways in none.

use proptest::prelude::*;

use super::*;

/// Every message by itself, as it goes on; then what is wrong.
fn read(bytes: &[u8], piece: usize) -> (Vec<String>, Option<FramingError>) {
    let (mut framing, mut messages, mut out) = (Framing::default(), Vec::new(), Vec::new());
    for part in bytes.chunks(piece.max(1)) {
        let mut rest = part;
        while !rest.is_empty() {
            match framing.take(rest, &mut out) {
                Ok(taken) => rest = rest.get(taken.bytes..).unwrap_or_default(),
                Err(error) => return (messages, Some(error)),
            }
            if framing.is_between() && !out.is_empty() {
                messages.push(String::from_utf8_lossy(&std::mem::take(&mut out)).into_owned());
            }
        }
    }
    if !out.is_empty() {
        messages.push(String::from_utf8_lossy(&out).into_owned());
    }
    (messages, None)
}

const STREAM: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\r\n\
                      PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-T: 1\r\n\r\n\
                      GET /d HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn requests_are_told_apart_whatever_the_pieces() {
    let (whole, error) = read(STREAM.as_bytes(), STREAM.len());
    assert_eq!((whole.len(), error), (4, None), "{whole:?}");
    assert!(whole[1].ends_with("\r\n\r\nabc") && whole[2].ends_with("X-T: 1\r\n\r\n"), "{whole:?}");
    for piece in 1..40 {
        assert_eq!(read(STREAM.as_bytes(), piece), (whole.clone(), None), "pieces of {piece}");
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for (lines, why) in [
        ("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", FramingError::LengthTwice),
        ("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", FramingError::LengthTwice),
        ("Content-Length: 6\r\nContent-Length: 6\r\n", FramingError::LengthTwice),
        ("Content-Length: 6\r\nContent_Length: 7\r\n", FramingError::LengthTwice),
        ("Content-Length: 5, 5\r\n", FramingError::Length),
        ("Content-Length: +5\r\n", FramingError::Length),
        ("Content-Length:\r\n", FramingError::Length),
        ("Transfer-Encoding: xchunked\r\n", FramingError::Coding),
        ("Transfer-Encoding: gzip, chunked\r\n", FramingError::Coding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", FramingError::Coding),
        ("Transfer-Encoding: \u{b}chunked\r\n", FramingError::Coding),
        ("X-A: b\r\n c\r\n", FramingError::Folded),
        ("X-A: b\r\n\tTransfer-Encoding: chunked\r\n", FramingError::Folded),
        ("Transfer-Encoding : chunked\r\n", FramingError::Name),
        ("no colon\r\n", FramingError::Name),
        (": x\r\n", FramingError::Name),
        ("X-A: b\nX-B: c\r\n", FramingError::Line),
        ("X-A: b\rX-B: c\r\n", FramingError::Line),
        ("X-A: \0\r\n", FramingError::Line),
    ] {
        let text = format!("POST /a HTTP/1.1\r\nHost: x\r\n{lines}\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n");
        for piece in [1, 7, text.len()] {
            let (messages, _error) = read(text.as_bytes(), piece);
            let said = messages.concat();
            assert!(said.contains(&format!("{REFUSED}: {why}")), "{lines:?}: {said}");
            assert!(said.starts_with("POST /a HTTP/1.1\r\nHost: localhost") && !said.contains("smuggled"), "{said}");
        }
    }
    for line in
        ["GET /a", "GET  /a HTTP/1.1", "GET /a HTTP/1.1 x", "GET /a HTTP/0.9", " /a HTTP/1.1", "GET /a http/1.1"]
    {
        let (messages, _error) = read(format!("{line}\r\nHost: x\r\n\r\n").as_bytes(), 64);
        assert!(messages.concat().contains(REFUSED), "{line}");
    }
    let old = "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(read(old.as_bytes(), 64).0.concat().contains(REFUSED));
}

#[test]
fn a_body_that_is_no_body_ends_the_stream() {
    let head = "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in [
        "zz\r\n",
        "\r\n",
        "3\nabc",
        "3\r\nabcd\r\n",
        "3\r\nabc\n",
        "-1\r\n",
        "0x3\r\n",
        "3 \r\nabc",
        "3;a\rb\r\nabc",
        "FFFFFFFFFFFFFFFFF\r\n",
        "0\r\nX-T : 1\r\n\r\n",
        "0\r\nX-T: 1\r\n folded\r\n\r\n",
    ] {
        for piece in [1, 64] {
            assert!(read(format!("{head}{body}").as_bytes(), piece).1.is_some(), "{body:?}");
        }
    }
    let long = format!("{head}0\r\n{}", "X-T: 1\r\n".repeat(2_000));
    assert_eq!(read(long.as_bytes(), 64).1, Some(FramingError::Chunk));
}

#[test]
fn http2_and_what_was_switched_pass_as_they_are() {
    let two = [PREFACE, b"\0\0\0\x04\0\0\0\0\0 any \n bytes \r"].concat();
    let (messages, error) = read(&two, 5);
    assert_eq!((messages.concat(), error), (String::from_utf8_lossy(&two).into_owned(), None));
    let (mut framing, mut out) = (Framing::default(), Vec::new());
    framing.switch();
    framing.take(b"\x81\n\0", &mut out).unwrap();
    assert_eq!(out, b"\x81\n\0");
}

#[test]
fn a_head_without_an_end_is_not_kept() {
    let text = format!("GET / HTTP/1.1\r\nX-A: {}", "a".repeat(MOST_HEAD_BYTES));
    assert!(read(text.as_bytes(), 4096).0.concat().contains("too long"));
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_read_alike(bytes in prop::collection::vec(any::<u8>(), 0..200), piece in 1_usize..50) {
        prop_assert_eq!(read(&bytes, piece), read(&bytes, bytes.len()));
    }
}
