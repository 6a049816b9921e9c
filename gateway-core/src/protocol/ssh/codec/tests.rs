//! Packets in pieces, packets too long, packets whose parts do not add up.

use proptest::prelude::*;

use super::*;

fn packet(kind: u8, id: u32, parts: &[&[u8]]) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u8(kind);
    body.put_u32(id);
    for part in parts {
        body.put_slice(part);
    }
    let mut out = BytesMut::new();
    out.put_u32(u32::try_from(body.len()).unwrap());
    out.put_slice(&body);
    out.freeze()
}

fn string(text: &[u8]) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap().to_be_bytes(), text].concat()
}

fn asked(packet: Bytes) -> Result<FileAsks, FileCodecError> {
    request(packet).map(|request| request.asks)
}

#[test]
fn what_is_opened_for_what_is_read_from_the_flags() {
    let open = |flags: u32| packet(OPEN, 7, &[&string(b"/etc/hosts"), &flags.to_be_bytes(), &[0; 4]]);
    let opened =
        |reads, writes| Ok(FileAsks::Open { path: Bytes::from_static(b"/etc/hosts"), reads, writes, lends: false });
    assert_eq!(asked(open(1)), opened(true, false));
    assert_eq!(asked(open(2 | 8 | 16)), opened(false, true));
    assert_eq!(asked(open(1 | 4)), opened(true, true));
    assert_eq!(asked(open(16)), opened(false, true), "to cut a file is to change it");
    assert_eq!(asked(open(0x40)), Err(FileCodecError::Malformed), "a flag that nobody knows");
}

#[test]
fn what_attributes_change_is_read_whole() {
    let size_and_mode = [&(SIZE | PERMISSIONS).to_be_bytes()[..], &[0; 8], &0o100_755_u32.to_be_bytes()].concat();
    let set = |attributes: &[u8]| asked(packet(SETSTAT, 7, &[&string(b"/srv/a"), attributes]));
    let changes = |size, rights| {
        Ok(FileAsks::SetAttributes { path: Bytes::from_static(b"/srv/a"), changes: Changes { size, rights } })
    };
    assert_eq!(set(&size_and_mode), changes(true, true));
    assert_eq!(set(&[&SIZE.to_be_bytes()[..], &[0; 8]].concat()), changes(true, false));
    assert_eq!(set(&[0; 4]), changes(false, true), "what changes nothing is asked like a mode");
    let made = |mode: u32| {
        let attributes = [PERMISSIONS.to_be_bytes(), mode.to_be_bytes()].concat();
        match asked(packet(OPEN, 7, &[&string(b"/srv/a"), &10_u32.to_be_bytes(), &attributes])) {
            Ok(FileAsks::Open { lends, .. }) => lends,
            other => panic!("{other:?}"),
        }
    };
    assert!(!made(0o755) && made(0o4755) && made(0o2755));
}

#[test]
fn names_of_openssh_are_what_they_do_and_others_are_not_known() {
    let rename = packet(EXTENDED, 1, &[&string(b"posix-rename@openssh.com"), &string(b"a"), &string(b"b")]);
    assert_eq!(asked(rename), Ok(FileAsks::Rename(Bytes::from_static(b"a"), Bytes::from_static(b"b"))));
    let copy = packet(EXTENDED, 1, &[&string(b"copy-data"), &string(b"h")]);
    assert_eq!(asked(copy), Ok(FileAsks::Other));
    assert_eq!(asked(packet(99, 1, &[b"anything"])), Ok(FileAsks::Other));
}

#[test]
fn what_does_not_add_up_is_refused() {
    let stat = |parts: &[&[u8]]| asked(packet(STAT, 1, parts));
    assert_eq!(stat(&[&string(b"/a"), b"more"]), Err(FileCodecError::Malformed));
    assert_eq!(stat(&[&string(b"/a\0/etc/shadow")]), Err(FileCodecError::Malformed));
    assert_eq!(stat(&[&[0xff; 4]]), Err(FileCodecError::Malformed));
    assert_eq!(stat(&[&string(&[b'a'; MOST_PATH_BYTES + 1])]), Err(FileCodecError::Malformed));
    let mut long = BytesMut::from(&[0, 4, 0, 1, 5][..]);
    assert_eq!(next_packet(&mut long), Err(FileCodecError::TooLong), "known by its length alone");
    assert_eq!(next_packet(&mut BytesMut::from(&[0; 4][..])), Err(FileCodecError::Malformed));
}

#[test]
fn a_refusal_is_a_packet_that_is_read_as_one() {
    let refusal = status(9, PERMISSION_DENIED, "refused by policy");
    let mut buffer = BytesMut::from(&refusal[..]);
    let packet = next_packet(&mut buffer).unwrap().unwrap();
    assert!(buffer.is_empty());
    assert_eq!(answer(&packet), Ok(FileAnswer::Status(9, PERMISSION_DENIED)));
}

proptest! {
    #[test]
    fn any_split_gives_the_same_packets(cuts in proptest::collection::vec(0_usize..200, 0..6), data in proptest::collection::vec(any::<u8>(), 0..64)) {
        let one = packet(WRITE, 3, &[&string(b"h"), &[0; 8], &string(&data)]);
        let two = packet(REMOVE, 4, &[&string(b"/tmp/a")]);
        let whole = [&one[..], &two[..]].concat();
        let mut buffer = BytesMut::new();
        let (mut found, mut from) = (Vec::new(), 0);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).chain([whole.len()]).collect();
        cuts.sort_unstable();
        for cut in cuts {
            buffer.extend_from_slice(&whole[from..cut]);
            from = cut;
            while let Some(packet) = next_packet(&mut buffer).unwrap() {
                found.push(packet);
            }
        }
        prop_assert_eq!(found, vec![one, two]);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(packet)) = next_packet(&mut buffer) {
            drop(request(packet.clone()));
            drop(answer(&packet));
        }
    }
}
