//! Which answer of a model proposed what a run asks: kept in memory, for each run by itself, bounded, the oldest dropped.
//!
//! Only what the gateway itself saw as an answer, as the client got it, can be linked to: nothing that a client says
//! makes a link. Knows no protocol; sessions tell it of answers and ask it about texts.

mod spans;
mod wording;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use crate::model::{AnswerPlace, Likeness, ProposedBy};

use wording::{Wording, shape};

/// Runs that are remembered.
const MOST_RUNS: usize = 512;
/// Answers of a run that are remembered.
const MOST_ANSWERS: usize = 256;
/// Texts of an answer that are remembered.
const MOST_TEXTS: usize = 256;
/// Bytes of a run's answers that are remembered.
const MOST_BYTES: usize = 4 << 20;
/// The shortest text that says enough to be linked.
const LEAST_BYTES: usize = 4;
/// A longer text is not compared.
const LONGEST_TEXT: usize = 256 * 1024;

/// An answer, as the client got it.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// What it says.
    pub text: &'a str,
    /// The arguments of the tools that it calls, each as it stands there.
    pub arguments: &'a [String],
}

/// What is known of an answer.
#[derive(Debug)]
struct Proposal {
    place: AnswerPlace,
    wordings: Vec<Wording>,
    bytes: usize,
}

/// The answers of one run.
#[derive(Debug, Default)]
struct RunAnswers {
    proposals: VecDeque<Proposal>,
    bytes: usize,
}

/// The answers of all runs. Shared by every session of the gateway.
#[derive(Debug, Default, Clone)]
pub struct Provenance {
    runs: Arc<Mutex<Runs>>,
}

#[derive(Debug, Default)]
struct Runs {
    answers: BTreeMap<String, RunAnswers>,
    /// In the order in which they were first heard of.
    order: VecDeque<String>,
}

impl Provenance {
    /// Takes an answer of a run. Forgets the oldest ones where there are too many.
    pub fn learn(&self, run: &str, place: AnswerPlace, answer: Answered<'_>) {
        let mut wordings: Vec<Wording> = Vec::new();
        let mut take = |text: &str| {
            let fits = (LEAST_BYTES..=LONGEST_TEXT).contains(&text.len());
            if fits && wordings.len() < MOST_TEXTS && !wordings.iter().any(|known| known.exact == text) {
                wordings.push(Wording::of(text));
            }
        };
        answer.arguments.iter().for_each(|arguments| spans::of_arguments(arguments, &mut take));
        spans::of_text(answer.text, &mut take);
        let bytes = wordings.iter().map(Wording::bytes).sum();
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.of(run).take(Proposal { place, wordings, bytes });
    }

    /// The answer of this run that proposed a text. Nothing outside of a run is linked.
    pub fn link(&self, run: &str, text: &str) -> ProposedBy {
        let nobody = ProposedBy { level: Likeness::None, answer: None, others: 0 };
        let text = text.trim();
        if !(LEAST_BYTES..=LONGEST_TEXT).contains(&text.len()) {
            return nobody;
        }
        let asked = Wording::of(text);
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(answers) = runs.answers.get(run) else { return nobody };
        let exact = answers.holding(|known| known.exact == asked.exact);
        if let Some(link) = linked(Likeness::Exact, &exact) {
            return link;
        }
        // A statement with parameters may have been proposed with its values written out.
        let shaped = asked.has_parameters.then(|| shape(text));
        let alike = answers.holding(|known| {
            known.plain == asked.plain || shaped.as_ref().is_some_and(|shaped| shape(&known.exact) == *shaped)
        });
        linked(Likeness::Normalised, &alike).unwrap_or(nobody)
    }

    /// The surest link of several spellings of what is asked.
    pub fn link_any<'text>(&self, run: &str, texts: impl IntoIterator<Item = &'text str>) -> ProposedBy {
        let nobody = ProposedBy { level: Likeness::None, answer: None, others: 0 };
        let sureness = |link: &ProposedBy| match link.level {
            Likeness::Exact => 2,
            Likeness::Normalised => 1,
            Likeness::None => 0,
        };
        texts.into_iter().map(|text| self.link(run, text)).max_by_key(sureness).unwrap_or(nobody)
    }

    /// Forgets a run that is over.
    pub fn forget(&self, run: &str) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.answers.remove(run);
        runs.order.retain(|known| known != run);
    }
}

/// The latest of these, and how many others there are.
fn linked(level: Likeness, found: &[&Proposal]) -> Option<ProposedBy> {
    let (latest, others) = found.split_last()?;
    let others = u32::try_from(others.len()).unwrap_or(u32::MAX);
    Some(ProposedBy { level, answer: Some(latest.place.clone()), others })
}

impl Runs {
    fn of(&mut self, run: &str) -> &mut RunAnswers {
        if !self.answers.contains_key(run) {
            self.order.push_back(run.to_owned());
            if self.order.len() > MOST_RUNS
                && let Some(oldest) = self.order.pop_front()
            {
                self.answers.remove(&oldest);
            }
        }
        self.answers.entry(run.to_owned()).or_default()
    }
}

impl RunAnswers {
    fn take(&mut self, proposal: Proposal) {
        self.bytes += proposal.bytes;
        self.proposals.push_back(proposal);
        while self.proposals.len() > 1 && (self.proposals.len() > MOST_ANSWERS || self.bytes > MOST_BYTES) {
            if let Some(oldest) = self.proposals.pop_front() {
                self.bytes -= oldest.bytes;
            }
        }
    }

    fn holding(&self, is_it: impl Fn(&Wording) -> bool) -> Vec<&Proposal> {
        self.proposals.iter().filter(|proposal| proposal.wordings.iter().any(&is_it)).collect()
    }
}

#[cfg(test)]
mod tests;
