//! What is known of each operation that was forwarded and has not ended: its rows, its masks, its result so far.
//!
//! Pure bookkeeping; the relay reports, and turns what ends here into records.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Instant,
};

use crate::{
    model::{Operation, OperationNumber, Usage},
    protocol::postgres::{
        inspect::Understood,
        reframe::{CopyPlan, MaskTally, RowPlan},
    },
};

use super::sealing::Capture;

/// What happens to the rows of an operation.
#[derive(Debug, Clone)]
pub(super) enum RowTreatment {
    /// They pass as they are: nothing is masked for this principal here.
    Pass,
    /// They pass through this plan.
    Plan(Arc<RowPlan>),
    /// No description of them has come, and something could have to be masked: a row is refused.
    Undescribed,
}

/// One forwarded operation.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) understood: Arc<Understood>,
    pub(super) started: Instant,
    /// What the run had used up when it was let through, where a policy asks for it.
    pub(super) began: Option<Usage>,
    pub(super) rows: RowTreatment,
    pub(super) capture: Capture,
    pub(super) touched: u64,
    pub(super) bytes: u64,
    pub(super) masked: MaskTally,
    /// How the rows of a COPY are masked, where its columns must be told apart.
    pub(super) copy: Option<CopyPlan>,
    /// How many statements of the message ran to their end.
    pub(super) completed: usize,
    pub(super) tag: String,
    /// A Parse: it only prepares.
    pub(super) prepares: bool,
}

impl Entry {
    /// How many cells were masked, by class.
    pub(super) fn masked_by_class(&self) -> BTreeMap<String, u64> {
        let plan = match &self.rows {
            RowTreatment::Plan(plan) => Some(&**plan),
            RowTreatment::Pass | RowTreatment::Undescribed => self.copy.as_ref().map(CopyPlan::plan),
        };
        let mut classes = BTreeMap::new();
        for (_, class, cells) in self.masked.entries(plan) {
            *classes.entry(class.to_owned()).or_insert(0) += cells;
        }
        classes
    }

    /// The statement whose CommandComplete came last.
    pub(super) fn finished(&self) -> Option<&Operation> {
        self.understood.operations.get(self.completed.checked_sub(1)?)
    }

    /// Takes a CommandComplete: its tag, and the rows it names.
    pub(super) fn complete(&mut self, body: &[u8]) {
        self.completed += 1;
        let text = body.split(|byte| *byte == 0).next().unwrap_or_default();
        let text = String::from_utf8_lossy(text);
        if let Some(rows) = text.rsplit(' ').next().and_then(|word| word.parse::<u64>().ok()) {
            self.touched += rows;
        }
        if !text.is_empty() && self.tag.len() < 256 {
            if !self.tag.is_empty() {
                self.tag.push_str("; ");
            }
            self.tag.push_str(&text);
        }
    }
}

/// The forwarded operations of a session that have not ended.
#[derive(Debug, Default)]
pub(super) struct Ledger(HashMap<OperationNumber, Entry>);

impl Ledger {
    pub(super) fn open(&mut self, number: OperationNumber, entry: Entry) {
        self.0.insert(number, entry);
    }

    pub(super) fn entry(&mut self, number: OperationNumber) -> Option<&mut Entry> {
        self.0.get_mut(&number)
    }

    pub(super) fn close(&mut self, number: OperationNumber) -> Option<Entry> {
        self.0.remove(&number)
    }

    /// FAIL-CLOSED: what was described under other masks is not passed on; its portal must be bound again.
    pub(super) fn forget_descriptions(&mut self) {
        for entry in self.0.values_mut() {
            entry.rows = RowTreatment::Undescribed;
        }
    }

    /// Every operation that is left, in order.
    pub(super) fn drain(&mut self) -> Vec<(OperationNumber, Entry)> {
        let mut left: Vec<_> = self.0.drain().collect();
        left.sort_by_key(|(number, _)| *number);
        left
    }
}
