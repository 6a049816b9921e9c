//! Which answer of a model proposed what is asked, as far as the gateway saw it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{OperationNumber, SessionId};

/// How surely an answer proposed what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// The text is an argument of a tool call, or a whole span of code, letter for letter.
    Exact,
    /// It is one but for white space, comments, the case of words, and how parameters are written.
    Normalised,
    /// No answer of the run holds it.
    None,
}

impl Likeness {
    /// The word in records and views.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Normalised => "normalised",
            Self::None => "none",
        }
    }
}

/// Where an answer stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerPlace {
    /// In which session.
    pub session: SessionId,
    /// Of which operation it is the answer.
    pub operation: OperationNumber,
    /// Which model gave it.
    pub model: String,
    /// Who asked for it, as the program itself says: crew, agent, task. Labels for people, and nothing decides by them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
}

impl ProposedBy {
    /// As people read it: how sure, which model, where.
    pub fn describe(&self) -> String {
        let Some(answer) = &self.answer else { return "no answer of a model in this run".to_owned() };
        let level = self.level.as_str();
        let AnswerPlace { session, operation, model, names } = answer;
        let others = match self.others {
            0 => String::new(),
            1 => "; ambiguous: another answer says the same".to_owned(),
            others => format!("; ambiguous: {others} other answers say the same"),
        };
        let named: Vec<String> = names.iter().map(|(word, name)| format!("{word} {name}")).collect();
        let named = if named.is_empty() { String::new() } else { format!(", for {}", named.join(", ")) };
        format!("{model} in {session} #{operation} ({level}){named}{others}", operation = operation.0)
    }
}

/// The answer that proposed what is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposedBy {
    /// How sure that is.
    pub level: Likeness,
    /// The answer; the latest one where several are alike. `None` where no answer of the run holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerPlace>,
    /// How many other answers of the run hold it just so: the link is ambiguous where there are any.
    #[serde(default)]
    pub others: u32,
}
