//! A bounded cursor over one body: every read is checked, nothing is copied, nothing may be left at the end.
//!
//! Private to the codec.

use std::ffi::CStr;

use bytes::{Buf, Bytes};

use super::CodecError;
use crate::protocol::postgres::message::{Format, Text};

pub(super) struct Reader {
    tag: u8,
    rest: Bytes,
}

impl Reader {
    pub(super) fn new(tag: u8, body: Bytes) -> Self {
        Self { tag, rest: body }
    }

    pub(super) fn truncated(&self) -> CodecError {
        CodecError::Truncated { tag: self.tag }
    }

    pub(super) fn invalid(&self, field: &'static str) -> CodecError {
        CodecError::Invalid { tag: self.tag, field }
    }

    /// Whether a next byte exists and is `byte`; it is not consumed.
    pub(super) fn peeks(&self, byte: u8) -> bool {
        self.rest.first() == Some(&byte)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<Bytes, CodecError> {
        if self.rest.len() < length {
            return Err(self.truncated());
        }
        Ok(self.rest.split_to(length))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let found = *self.rest.first_chunk::<N>().ok_or(self.truncated())?;
        self.rest.advance(N);
        Ok(found)
    }

    pub(super) fn u8(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, CodecError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, CodecError> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, CodecError> {
        self.array().map(i32::from_be_bytes)
    }

    /// Text up to its NUL, which is consumed.
    pub(super) fn text(&mut self) -> Result<Text, CodecError> {
        let bytes = self.until_nul()?;
        Text::new(bytes).ok_or(CodecError::NotText { tag: self.tag })
    }

    pub(super) fn lossy_text(&mut self) -> Result<String, CodecError> {
        Ok(String::from_utf8_lossy(&self.until_nul()?).into_owned())
    }

    fn until_nul(&mut self) -> Result<Bytes, CodecError> {
        let found = CStr::from_bytes_until_nul(&self.rest).map_err(|_no_nul| self.truncated())?;
        let length = found.count_bytes();
        let bytes = self.rest.split_to(length);
        self.rest.advance(1);
        Ok(bytes)
    }

    pub(super) fn format(&mut self) -> Result<Format, CodecError> {
        match self.u16()? {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            _ => Err(self.invalid("format code")),
        }
    }

    pub(super) fn formats(&mut self) -> Result<Vec<Format>, CodecError> {
        self.counted(2, Self::format)
    }

    /// A 16-bit count and that many items of at least `least` bytes: refused before it reserves if they cannot fit.
    pub(super) fn counted<T>(
        &mut self,
        least: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let count = usize::from(self.u16()?);
        if self.rest.len() < count * least {
            return Err(self.truncated());
        }
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// A 32-bit length and that many bytes; −1 is NULL.
    pub(super) fn nullable(&mut self) -> Result<Option<Bytes>, CodecError> {
        match self.i32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_negative| self.invalid("length"))?;
                self.bytes(length).map(Some)
            }
        }
    }

    /// Items up to a NUL byte, which is consumed: at most `most` of them.
    pub(super) fn until_terminator<T>(
        &mut self,
        most: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let mut items = Vec::new();
        while !self.peeks(0) {
            if items.len() == most {
                return Err(self.invalid("number of fields"));
            }
            items.push(item(self)?);
        }
        self.u8()?;
        Ok(items)
    }

    /// Everything that is left.
    pub(super) fn remainder(self) -> Bytes {
        self.rest
    }

    /// Ends the body: nothing may be left.
    pub(super) fn end<T>(self, value: T) -> Result<T, CodecError> {
        if self.rest.is_empty() { Ok(value) } else { Err(CodecError::Trailing { tag: self.tag }) }
    }
}
