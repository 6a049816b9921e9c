//! What a backend sends, as typed values over shared bytes.
//!
//! The relay parses the messages it needs and passes the others on as the frames they are. Rows are read in place by
//! [`DataRow`], without a copy.

use bytes::Bytes;

use super::{CancelKey, Format, Secret, Text};
use crate::protocol::postgres::codec::CodecError;

/// Tags of backend messages that the relay tells apart.
pub mod tag {
    /// Authentication*.
    pub const AUTHENTICATION: u8 = b'R';
    /// BackendKeyData.
    pub const BACKEND_KEY: u8 = b'K';
    /// ParameterStatus.
    pub const PARAMETER_STATUS: u8 = b'S';
    /// ReadyForQuery.
    pub const READY: u8 = b'Z';
    /// RowDescription.
    pub const ROW_DESCRIPTION: u8 = b'T';
    /// DataRow.
    pub const DATA_ROW: u8 = b'D';
    /// CommandComplete.
    pub const COMMAND_COMPLETE: u8 = b'C';
    /// ErrorResponse.
    pub const ERROR: u8 = b'E';
    /// NoticeResponse.
    pub const NOTICE: u8 = b'N';
    /// NotificationResponse.
    pub const NOTIFICATION: u8 = b'A';
    /// NoData.
    pub const NO_DATA: u8 = b'n';
    /// PortalSuspended.
    pub const PORTAL_SUSPENDED: u8 = b's';
    /// ParameterDescription.
    pub const PARAMETER_DESCRIPTION: u8 = b't';
    /// ParseComplete.
    pub const PARSE_COMPLETE: u8 = b'1';
    /// BindComplete.
    pub const BIND_COMPLETE: u8 = b'2';
    /// CloseComplete.
    pub const CLOSE_COMPLETE: u8 = b'3';
    /// EmptyQueryResponse.
    pub const EMPTY_QUERY: u8 = b'I';
    /// CopyInResponse.
    pub const COPY_IN: u8 = b'G';
    /// CopyOutResponse.
    pub const COPY_OUT: u8 = b'H';
    /// CopyBothResponse, only in replication.
    pub const COPY_BOTH: u8 = b'W';
    /// CopyData.
    pub const COPY_DATA: u8 = b'd';
    /// CopyDone.
    pub const COPY_DONE: u8 = b'c';
    /// NegotiateProtocolVersion.
    pub const NEGOTIATE: u8 = b'v';
    /// FunctionCallResponse.
    pub const FUNCTION_RESULT: u8 = b'V';
}

/// A backend message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// A step of authentication.
    Authentication(Authentication),
    /// What a cancel request must show.
    BackendKey {
        /// The process.
        process_id: u32,
        /// The key.
        key: CancelKey,
    },
    /// A setting that clients follow.
    ParameterStatus {
        /// Its name.
        name: Text,
        /// Its value.
        value: Text,
    },
    /// Waiting for the next query.
    Ready(TransactionStatus),
    /// The columns of the rows to come.
    RowDescription(Vec<Field>),
    /// One row, to be read with [`DataRow`].
    DataRow(Bytes),
    /// A command ended.
    CommandComplete(CommandTag),
    /// An error.
    Error(ErrorFields),
    /// A notice.
    Notice(ErrorFields),
    /// A NOTIFY that arrived.
    Notification {
        /// The sender.
        process_id: u32,
        /// The channel.
        channel: Text,
        /// The payload.
        payload: Text,
    },
    /// No rows will come.
    NoData,
    /// Execute reached its row limit.
    PortalSuspended,
    /// The types of a statement's parameters.
    ParameterDescription(Vec<u32>),
    /// Parse succeeded.
    ParseComplete,
    /// Bind succeeded.
    BindComplete,
    /// Close succeeded.
    CloseComplete,
    /// The query text was empty.
    EmptyQuery,
    /// COPY FROM STDIN, COPY TO STDOUT or replication starts.
    Copy(CopyResponse),
    /// A piece of COPY output.
    CopyData(Bytes),
    /// The end of COPY output.
    CopyDone,
    /// The server speaks an older minor version, or does not know some options.
    Negotiate {
        /// The newest minor version it speaks.
        minor: u16,
        /// Options it does not know.
        unknown_options: Vec<Text>,
    },
    /// The answer to a function call.
    FunctionResult(Bytes),
}

/// A step of authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Done.
    Ok,
    /// The password as it is.
    Cleartext,
    /// The password hashed with MD5 and this salt.
    Md5([u8; 4]),
    /// SASL, by one of these mechanisms.
    Sasl(Vec<Text>),
    /// The server's challenge.
    SaslContinue(Secret),
    /// The server's proof.
    SaslFinal(Secret),
    /// Kerberos, SSPI and others, which the gateway does not speak.
    Other(u32),
}

/// Whether a transaction is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionStatus {
    /// Not in a transaction.
    Idle,
    /// In a transaction.
    Open,
    /// In a transaction that failed; only its end is accepted.
    Failed,
}

impl TransactionStatus {
    /// The byte in ReadyForQuery.
    pub const fn as_byte(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::Open => b'T',
            Self::Failed => b'E',
        }
    }

    /// Reads the byte in ReadyForQuery; `None` for any other.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'I' => Some(Self::Idle),
            b'T' => Some(Self::Open),
            b'E' => Some(Self::Failed),
            _ => None,
        }
    }
}

/// One column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in the result.
    pub name: Text,
    /// The table it comes from as it is; 0 for an expression.
    pub table_oid: u32,
    /// The column's number in that table; 0 for an expression.
    pub column: i16,
    /// Its type.
    pub type_oid: u32,
    /// The type's size; negative where it varies.
    pub size: i16,
    /// The type's modifier.
    pub modifier: i32,
    /// How values are written; text when described as a statement, before Bind.
    pub format: Format,
}

/// The tag of CommandComplete, such as `SELECT 5` or `INSERT 0 1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandTag(pub Text);

impl CommandTag {
    /// The rows it touched: the last word, where that is a number.
    pub fn rows(&self) -> Option<u64> {
        self.0.as_str().rsplit_once(' ')?.1.parse().ok()
    }
}

/// The start of a COPY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyResponse {
    /// Which way the rows go.
    pub direction: CopyDirection,
    /// The overall format.
    pub format: Format,
    /// The format of each column.
    pub columns: Vec<Format>,
}

/// Which way COPY goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyDirection {
    /// From the client.
    In,
    /// To the client.
    Out,
    /// Both: replication.
    Both,
}

/// The fields of an error or notice, in order. Text that is not UTF-8 is shown with replacement characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorFields(pub Vec<(u8, String)>);

impl ErrorFields {
    /// A field by its code, such as `b'M'`.
    pub fn field(&self, code: u8) -> Option<&str> {
        self.0.iter().find(|(found, _)| *found == code).map(|(_, text)| text.as_str())
    }

    /// The SQLSTATE.
    pub fn sqlstate(&self) -> &str {
        self.field(b'C').unwrap_or("XX000")
    }

    /// The severity, not localised where the server says it.
    pub fn severity(&self) -> &str {
        self.field(b'V').or_else(|| self.field(b'S')).unwrap_or("ERROR")
    }

    /// The primary message.
    pub fn message(&self) -> &str {
        self.field(b'M').unwrap_or_default()
    }
}

/// A row read in place: yields each cell, `None` for NULL, and an error where the body does not hold what it says.
#[derive(Debug, Clone)]
pub struct DataRow<'body> {
    rest: &'body [u8],
    left: u16,
}

impl<'body> DataRow<'body> {
    /// Reads the column count. Refuses a body too short to hold that many columns.
    pub fn new(body: &'body [u8]) -> Result<Self, CodecError> {
        let Some((count, rest)) = body.split_first_chunk::<2>() else {
            return Err(CodecError::Truncated { tag: tag::DATA_ROW });
        };
        let left = u16::from_be_bytes(*count);
        if rest.len() < usize::from(left) * 4 {
            return Err(CodecError::Truncated { tag: tag::DATA_ROW });
        }
        Ok(Self { rest, left })
    }

    /// Columns not yet read.
    pub fn columns_left(&self) -> u16 {
        self.left
    }

    /// Bytes of the body not yet read.
    pub fn bytes_left(&self) -> usize {
        self.rest.len()
    }

    /// Reads one cell; `Ok(None)` after the last, when nothing else is left in the body.
    #[inline]
    pub fn next_cell(&mut self) -> Result<Option<Option<&'body [u8]>>, CodecError> {
        if self.left == 0 {
            return if self.rest.is_empty() { Ok(None) } else { Err(CodecError::Trailing { tag: tag::DATA_ROW }) };
        }
        let truncated = CodecError::Truncated { tag: tag::DATA_ROW };
        let Some((length, rest)) = self.rest.split_first_chunk::<4>() else { return Err(truncated) };
        self.left -= 1;
        let length = i32::from_be_bytes(*length);
        if length == -1 {
            self.rest = rest;
            return Ok(Some(None));
        }
        let split = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
        let Some((cell, rest)) = split else { return Err(truncated) };
        self.rest = rest;
        Ok(Some(Some(cell)))
    }
}
