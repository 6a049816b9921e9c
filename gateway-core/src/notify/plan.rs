//! Who is told what: the receivers of the site by name, and which notices are for them.
//!
//! Pure. Knows no address but those of mailboxes, and no secret.

use std::collections::{BTreeMap, BTreeSet};

use super::{EventKind, Notice};
use crate::model::GroupName;

/// Which notices a receiver gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these events; all where it is empty.
    pub events: BTreeSet<EventKind>,
    /// Only requests that ask one of these groups; all where it is empty.
    pub groups: BTreeSet<GroupName>,
}

impl Filter {
    /// Whether a notice passes.
    pub fn passes(&self, notice: &Notice) -> bool {
        let asked = || groups(notice).any(|group| self.groups.contains(group));
        (self.events.is_empty() || self.events.contains(&notice.event)) && (self.groups.is_empty() || asked())
    }
}

/// Where a receiver's copies go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addresses {
    /// To the one place that the receiver is.
    Itself,
    /// To mailboxes: a copy each, so that one bad address holds up no other.
    Mailboxes {
        /// Those that get everything.
        always: BTreeSet<String>,
        /// Those that get what asks their group.
        groups: BTreeMap<GroupName, BTreeSet<String>>,
    },
}

/// A receiver as the plan knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// Its name in the site.
    pub name: String,
    /// What it gets.
    pub filter: Filter,
    /// Where.
    pub addresses: Addresses,
}

impl Addressee {
    /// The copies of a notice for this receiver: `None` stands for the receiver itself.
    pub(super) fn copies(&self, notice: &Notice) -> Vec<Option<String>> {
        if !self.filter.passes(notice) {
            return Vec::new();
        }
        match &self.addresses {
            Addresses::Itself => vec![None],
            Addresses::Mailboxes { always, groups: of_groups } => {
                let asked = groups(notice).filter_map(|group| of_groups.get(group)).flatten();
                let mailboxes: BTreeSet<&String> = always.iter().chain(asked).collect();
                mailboxes.into_iter().cloned().map(Some).collect()
            }
        }
    }
}

fn groups(notice: &Notice) -> impl Iterator<Item = &GroupName> {
    notice.request.iter().flat_map(|asked| &asked.quorums).map(|quorum| &quorum.group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::{
        Case,
        testing::{person, request},
    };

    fn group(name: &str) -> GroupName {
        GroupName::new(name).unwrap()
    }

    fn requested() -> Notice {
        Notice::of_case(&Case::open(request(1, person("alice", &[]))), None, 0).unwrap()
    }

    fn passes(events: &[EventKind], groups: &[&str]) -> bool {
        let groups = groups.iter().map(|name| group(name)).collect();
        Filter { events: events.iter().copied().collect(), groups }.passes(&requested())
    }

    #[test]
    fn a_filter_names_events_and_the_groups_that_are_asked() {
        assert!(passes(&[], &[]));
        assert!(passes(&[EventKind::Requested], &["dba", "security"]));
        assert!(!passes(&[EventKind::Denied], &[]));
        assert!(!passes(&[], &["security"]));
    }

    #[test]
    fn mail_goes_once_to_everybody_who_is_asked() {
        let set = |boxes: &[&str]| boxes.iter().map(|one| (*one).to_owned()).collect::<BTreeSet<_>>();
        let addresses = Addresses::Mailboxes {
            always: set(&["ops@x.test", "bob@x.test"]),
            groups: BTreeMap::from([(group("dba"), set(&["bob@x.test"])), (group("security"), set(&["eve@x.test"]))]),
        };
        let mail = Addressee { name: "email".into(), filter: Filter::default(), addresses };
        let copies: Vec<_> = mail.copies(&requested()).into_iter().flatten().collect();
        assert_eq!(copies, ["bob@x.test", "ops@x.test"]);
    }
}
