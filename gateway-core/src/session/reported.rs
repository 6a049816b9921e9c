//! Settings that the server reports and that change what values mean: how times and intervals are written and read.
//!
//! What the gateway asks on a connection of its own, it asks under the same ones. Pure.

use std::collections::BTreeMap;

use crate::protocol::postgres::message::backend::tag;

/// The last word of the server on each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reported(BTreeMap<&'static str, String>);

const KEPT: [&str; 3] = ["TimeZone", "DateStyle", "IntervalStyle"];

impl Reported {
    /// From the messages of a login.
    pub(super) fn greeting(mut bytes: &[u8]) -> Self {
        let mut reported = Self::default();
        while let Some((&first, rest)) = bytes.split_first() {
            let Some((length, rest)) = rest.split_first_chunk::<4>() else { break };
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(0).saturating_sub(4);
            let Some((body, after)) = rest.split_at_checked(length) else { break };
            if first == tag::PARAMETER_STATUS {
                reported.note(body);
            }
            bytes = after;
        }
        reported
    }

    /// Takes the body of a ParameterStatus.
    pub(super) fn note(&mut self, body: &[u8]) {
        let mut parts = body.split(|byte| *byte == 0).map(std::str::from_utf8);
        if let (Some(Ok(name)), Some(Ok(value))) = (parts.next(), parts.next())
            && let Some(kept) = KEPT.iter().find(|kept| **kept == name)
        {
            self.0.insert(kept, value.to_owned());
        }
    }

    /// Every setting with its value.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        self.0.iter().map(|(name, value)| (*name, value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts() {
        let mut reported = Reported::greeting(b"S\0\0\0\x11TimeZone\0UTC\0S\0\0\0\x0aother\0\0Z\0\0\0\x05I");
        assert_eq!(reported.settings(), [("TimeZone", "UTC".to_owned())]);
        reported.note(b"TimeZone\0Asia/Tokyo\0");
        reported.note(b"DateStyle\0ISO, DMY\0");
        reported.note(b"server_version\x0018\0");
        let settings = [("DateStyle", "ISO, DMY".to_owned()), ("TimeZone", "Asia/Tokyo".to_owned())];
        assert_eq!(reported.settings(), settings);
    }
}
