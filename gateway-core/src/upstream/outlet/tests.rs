//! What may follow, and under which operation. That nothing else is sent at all is said by the types.

use bytes::Bytes;

use super::*;
use crate::protocol::postgres::message::{Execute, Format, FunctionCall, Secret, Target};

fn text(text: &str) -> Text {
    Text::copied(text).unwrap()
}

fn continuation(message: Frontend) -> Continuation {
    Continuation::new(message).unwrap()
}

/// An outlet with one operation open, as after `send`.
fn opened(number: OperationNumber) -> Outlet<Vec<u8>> {
    let mut outlet = Outlet::new(Vec::new());
    outlet.open.insert(number);
    outlet
}

fn fed() -> [Frontend; 4] {
    [
        Frontend::Execute(Execute { portal: text(""), max_rows: 0 }),
        Frontend::CopyData(Bytes::from_static(b"1\tann\n")),
        Frontend::CopyDone,
        Frontend::CopyFail(text("stop")),
    ]
}

#[test]
fn what_opens_an_operation_is_no_continuation() {
    let (argument_formats, arguments, result_format) = (Vec::new(), Vec::new(), Format::Text);
    let call = FunctionCall { function: 964, argument_formats, arguments, result_format };
    assert!(Continuation::new(Frontend::Query(Query { text: text("select 1") })).is_none());
    assert!(Continuation::new(Frontend::FunctionCall(call)).is_none());
    assert!(Continuation::new(Frontend::Password(Secret(Bytes::new()))).is_none());
}

#[test]
fn nothing_that_runs_or_feeds_follows_without_an_open_operation() {
    let mut outlet = opened(OperationNumber(1));
    for message in fed() {
        let message = continuation(message);
        assert_eq!(outlet.follow(None, &message), Err(NotOpen));
        assert_eq!(outlet.follow(Some(OperationNumber(2)), &message), Err(NotOpen));
        assert_eq!(outlet.pending(), 0, "{message:?} was queued");
        assert_eq!(outlet.follow(Some(OperationNumber(1)), &message), Ok(()));
        assert!(std::mem::take(&mut outlet.pending).len() >= 5);
    }
}

#[test]
fn what_runs_nothing_passes_without_an_operation() {
    let target = || Target::Statement(text("s"));
    for message in
        [Frontend::Sync, Frontend::Flush, Frontend::Terminate, Frontend::Close(target()), Frontend::Describe(target())]
    {
        let mut outlet = Outlet::new(Vec::<u8>::new());
        let mut expected = BytesMut::new();
        encode_frontend(&message, &mut expected);
        assert_eq!(outlet.follow(None, &continuation(message)), Ok(()));
        assert_eq!(outlet.pending, expected);
    }
}

#[test]
fn a_closed_operation_takes_nothing_more() {
    let mut outlet = opened(OperationNumber(1));
    outlet.open.insert(OperationNumber(2));
    outlet.close(OperationNumber(1));
    for message in fed() {
        let message = continuation(message);
        assert_eq!(outlet.follow(Some(OperationNumber(1)), &message), Err(NotOpen));
        assert_eq!(outlet.follow(Some(OperationNumber(2)), &message), Ok(()));
    }
}

#[tokio::test]
async fn everything_queued_is_written_in_order() {
    let mut outlet = Outlet::new(Vec::new());
    outlet.follow(None, &continuation(Frontend::Sync)).unwrap();
    outlet.follow(None, &continuation(Frontend::Terminate)).unwrap();
    outlet.write_all().await.unwrap();
    assert_eq!((outlet.pending(), outlet.io.as_slice()), (0, b"S\0\0\0\x04X\0\0\0\x04".as_slice()));
}
