//! The fast path: a function named by its oid, outside of SQL. Which functions may be called so, and what a call asks
//! for: exactly what a SELECT of that function would.
//!
//! Client libraries use the message for large objects only (libpq's `lo_*`, and through it psql, `pg_dump` and drivers).
//! So the table holds those thirteen functions, whose oids are the same in every version of the server, and nothing
//! else has a rule. Pure. Called by `session`.

use std::sync::Arc;

use super::Understood;
use crate::protocol::postgres::message::{Format, FunctionCall};

/// The type of an argument, by its oid in the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Argument {
    /// `bytea`: the bytes of a large object.
    Bytes = 17,
    /// `bigint`.
    Long = 20,
    /// `integer`.
    Integer = 23,
    /// `oid`.
    Oid = 26,
}

impl Argument {
    /// How many bytes it has in binary, where that is fixed.
    const fn length(self) -> Option<usize> {
        match self {
            Self::Bytes => None,
            Self::Long => Some(8),
            Self::Integer | Self::Oid => Some(4),
        }
    }

    /// The type that the record reads it as: bytes that are text are shown as text, so that detectors see them.
    const fn recorded_as(self) -> u32 {
        match self {
            Self::Bytes => 0,
            Self::Long | Self::Integer | Self::Oid => self as u32,
        }
    }
}

/// A function that may be called by protocol message.
#[derive(Debug, PartialEq, Eq)]
pub struct Routine {
    /// Its oid.
    pub oid: u32,
    /// Its name in `pg_catalog`.
    pub name: &'static str,
    /// The call as a statement, which it is decided and recorded as.
    pub text: &'static str,
    /// What it takes.
    pub arguments: &'static [Argument],
    /// What it gives.
    pub result: Argument,
}

const fn routine(
    oid: u32,
    name: &'static str,
    text: &'static str,
    arguments: &'static [Argument],
    result: Argument,
) -> Routine {
    Routine { oid, name, text, arguments, result }
}

use Argument::{Bytes, Integer, Long, Oid};

/// Every function that libpq calls by oid (`fe-lobj.c`). SPEC: the server's `pg_proc.dat`.
pub const ROUTINES: [Routine; 13] = [
    routine(715, "lo_create", "SELECT pg_catalog.lo_create($1)", &[Oid], Oid),
    routine(952, "lo_open", "SELECT pg_catalog.lo_open($1, $2)", &[Oid, Integer], Integer),
    routine(953, "lo_close", "SELECT pg_catalog.lo_close($1)", &[Integer], Integer),
    routine(954, "loread", "SELECT pg_catalog.loread($1, $2)", &[Integer, Integer], Bytes),
    routine(955, "lowrite", "SELECT pg_catalog.lowrite($1, $2)", &[Integer, Bytes], Integer),
    routine(956, "lo_lseek", "SELECT pg_catalog.lo_lseek($1, $2, $3)", &[Integer, Integer, Integer], Integer),
    routine(957, "lo_creat", "SELECT pg_catalog.lo_creat($1)", &[Integer], Oid),
    routine(958, "lo_tell", "SELECT pg_catalog.lo_tell($1)", &[Integer], Integer),
    routine(964, "lo_unlink", "SELECT pg_catalog.lo_unlink($1)", &[Oid], Integer),
    routine(1004, "lo_truncate", "SELECT pg_catalog.lo_truncate($1, $2)", &[Integer, Integer], Integer),
    routine(3170, "lo_lseek64", "SELECT pg_catalog.lo_lseek64($1, $2, $3)", &[Integer, Long, Integer], Long),
    routine(3171, "lo_tell64", "SELECT pg_catalog.lo_tell64($1)", &[Integer], Long),
    routine(3172, "lo_truncate64", "SELECT pg_catalog.lo_truncate64($1, $2)", &[Integer, Long], Integer),
];

/// The most that one `loread` may ask for: its answer is held whole before it passes (`limit::BACKEND_BYTES`, which
/// text of two digits a byte also fits into).
const MOST_READ_BYTES: i64 = 7 << 20;

/// Why a call has no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The function is not in the table.
    #[error("function {0} cannot be called by protocol message; only functions of large objects can")]
    Function(u32),
    /// Not as many arguments as the function has. SPEC: the server's own words.
    #[error("function call message contains {given} arguments but function requires {needed}")]
    Count {
        /// How many came.
        given: usize,
        /// How many it takes.
        needed: usize,
    },
    /// An argument that cannot be of its type.
    #[error("argument {0} of this function call is not of its type")]
    Argument(usize),
    /// More would come at once than is held.
    #[error("at most {} bytes of a large object can be read at once", MOST_READ_BYTES)]
    TooMuch,
}

impl CallError {
    /// The SQLSTATE of the answer.
    pub const fn sqlstate(&self) -> &'static str {
        match self {
            Self::Function(_) => "0A000",
            Self::Count { .. } | Self::Argument(_) => "08P01",
            Self::TooMuch => "54000",
        }
    }

    /// What to do instead.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Function(_) => "Call it in a SELECT, by its name.",
            Self::Count { .. } | Self::Argument(_) => "Call it in a SELECT, where the server says what it takes.",
            Self::TooMuch => "Read it in smaller pieces.",
        }
    }
}

/// The function that a call names, where the call can be of it.
pub fn routine_of(call: &FunctionCall) -> Result<&'static Routine, CallError> {
    let routine = ROUTINES.iter().find(|one| one.oid == call.function).ok_or(CallError::Function(call.function))?;
    let (given, needed) = (call.arguments.len(), routine.arguments.len());
    if given != needed {
        return Err(CallError::Count { given, needed });
    }
    for (index, (value, expected)) in call.arguments.iter().zip(routine.arguments).enumerate() {
        let (Some(value), Some(length)) = (value, expected.length()) else { continue };
        let format = Format::of_column(&call.argument_formats, index).ok_or(CallError::Argument(index + 1))?;
        if number(value, format, length).is_none() {
            return Err(CallError::Argument(index + 1));
        }
    }
    if routine.result == Bytes && asks_for(call).is_some_and(|bytes| bytes > MOST_READ_BYTES) {
        return Err(CallError::TooMuch);
    }
    Ok(routine)
}

/// How many bytes a `loread` asks for; `None` for NULL, which reads nothing.
fn asks_for(call: &FunctionCall) -> Option<i64> {
    let value = call.arguments.get(1)?.as_deref()?;
    number(value, Format::of_column(&call.argument_formats, 1)?, 4)
}

/// The number that an argument says; `None` where it says none that the server would read alike.
fn number(value: &[u8], format: Format, length: usize) -> Option<i64> {
    match (format, length) {
        (Format::Binary, 4) => Some(i32::from_be_bytes(value.try_into().ok()?).into()),
        (Format::Binary, _) => Some(i64::from_be_bytes(value.try_into().ok()?)),
        // SPEC: white space around it is the server's to forgive; other notations are not needed here.
        (Format::Text, _) => std::str::from_utf8(value).ok()?.trim_ascii().parse().ok(),
    }
}

impl Routine {
    /// Whether its answer holds what a large object holds. The others answer with a number.
    pub fn gives_content(&self) -> bool {
        self.result == Bytes
    }

    /// The types that the record reads the arguments as.
    pub fn recorded_types(&self) -> Arc<[u32]> {
        self.arguments.iter().map(|argument| argument.recorded_as()).collect()
    }

    /// What a call means, from what its text means.
    pub fn understood(text: &Understood) -> Understood {
        let mut operations = text.operations.to_vec();
        for operation in &mut operations {
            operation.kind = Arc::from("function_call");
        }
        Understood { operations: Arc::from(operations), ..text.clone() }
    }
}

#[cfg(test)]
mod tests;
