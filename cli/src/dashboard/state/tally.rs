//! What is true of a whole list, kept until the list or the time changes it: ten thousand rows are counted once, not for
//! every key.

/// The count, and when it changes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    revision: u64,
    as_of_millis: i64,
    /// How many rows count: wait, or live.
    pub(crate) count: usize,
    /// When a row lapses, or has been kept for long enough; none is the end of time.
    pub(crate) due_millis: i64,
    /// Whether a row has been kept for longer, because somebody reads it.
    pub(crate) has_overdue: bool,
}

/// What a row adds.
pub(crate) enum Adds {
    /// It counts until then.
    Counts(i64),
    /// It is kept until then.
    Kept(i64),
    /// Nothing.
    Nothing,
}

impl Tally {
    /// Looks at every row.
    pub(crate) fn of(rows: impl Iterator<Item = Adds>, revision: u64, now_millis: i64) -> Self {
        let mut tally = Self { revision, as_of_millis: now_millis, count: 0, due_millis: i64::MAX, has_overdue: false };
        for row in rows {
            match row {
                Adds::Counts(until) => {
                    tally.count += 1;
                    tally.due_millis = tally.due_millis.min(until);
                }
                Adds::Kept(until) if until > now_millis => tally.due_millis = tally.due_millis.min(until),
                Adds::Kept(_past) => tally.has_overdue = true,
                Adds::Nothing => {}
            }
        }
        tally
    }

    /// Whether it still holds.
    pub(crate) const fn holds(&self, revision: u64, now_millis: i64) -> bool {
        self.revision == revision && self.as_of_millis <= now_millis && now_millis < self.due_millis
    }
}
