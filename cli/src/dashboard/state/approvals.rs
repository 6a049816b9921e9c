//! The page of approvals: the list, the request that is read, what of it was on the screen, and the one about to be
//! approved.

use std::{cell::Cell, collections::BTreeMap, ops::Range};

use hoop_gateway_core::model::ApprovalId;
use serde::Serialize;

use super::{
    KEPT_MILLIS,
    tally::{Adds, Tally},
};
use crate::{
    dashboard::{coverage::Coverage, exhibit::Exhibit, layout::Areas, listing::Listing, request::Request},
    paint::Theme,
};

/// The page of approvals.
#[derive(Debug, Clone, Default)]
pub(crate) struct Approvals {
    /// The requests.
    pub(crate) listing: Listing<ApprovalId, Request>,
    /// The selected one, laid out.
    pub(crate) exhibit: Option<Exhibit>,
    /// How many rows of it are above the screen.
    pub(crate) scrolled: usize,
    /// Whether it has the whole screen.
    pub(crate) zoomed: bool,
    /// Whether the gateway's list has come once: only what comes after it is new.
    pub(crate) is_listed: bool,
    /// How many rows of it fit.
    pub(crate) room: usize,
    seen: BTreeMap<ApprovalId, Seen>,
    tally: Cell<Option<Tally>>,
}

/// What was on the screen of a request, in one layout.
#[derive(Debug, Clone)]
struct Seen {
    face: String,
    width: u16,
    rows: Coverage,
}

/// A request about to be approved: what was shown when the first key was pressed.
#[derive(Debug, Clone)]
pub(crate) struct Armed {
    /// Which.
    pub(crate) id: ApprovalId,
    /// Everything about it, so that a change is noticed.
    pub(crate) face: String,
    /// What will be said.
    pub(crate) choice: Choice,
}

/// How a review is given; as it crosses the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Choice {
    /// Why.
    pub(crate) reason: Option<String>,
    /// Whether for the whole shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shape: Option<ShapeChoice>,
}

/// Approve not only this statement but its shape, for this principal, for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ShapeChoice {
    /// For how long.
    pub(crate) for_seconds: u64,
    /// At most so many rows, as the planner estimates.
    pub(crate) max_rows: Option<u64>,
}

impl Approvals {
    /// Fits the list and the selected request to the screen.
    pub(crate) fn lay_out(&mut self, areas: &Areas, theme: Theme) {
        self.listing.set_height(usize::from(areas.list.height.saturating_sub(1)));
        self.room = usize::from(areas.detail.height.saturating_sub(1));
        let width = areas.detail.width;
        let Some(request) = self.listing.selection() else {
            self.exhibit = None;
            self.zoomed = false;
            return;
        };
        let same = self.exhibit.as_ref().is_some_and(|exhibit| exhibit.id == request.item.id);
        if !same {
            self.scrolled = 0;
        }
        if !same || !self.exhibit.as_ref().is_some_and(|exhibit| exhibit.fits(width, theme)) {
            self.exhibit = Some(Exhibit::new(request, width, theme));
        }
        self.scroll_to(self.scrolled);
    }

    /// Lays the selected request out anew: it changed.
    pub(crate) fn forget_layout(&mut self, id: &ApprovalId) {
        if let Some(exhibit) = self.exhibit.take_if(|exhibit| exhibit.id == *id)
            && let Some(request) = self.listing.find(id)
        {
            self.exhibit = Some(exhibit.again(request));
        }
    }

    /// Scrolls the request by so many rows.
    pub(crate) fn scroll_by(&mut self, rows: isize) {
        self.scroll_to(self.scrolled.saturating_add_signed(rows));
    }

    /// Scrolls the request to a row, or to its end.
    pub(crate) fn scroll_to(&mut self, row: usize) {
        let rows = self.exhibit.as_ref().map_or(0, |exhibit| exhibit.rows.len());
        self.scrolled = row.min(rows.saturating_sub(self.room.max(1)));
    }

    /// Notes that these rows of the selected request were on the screen.
    pub(crate) fn saw(&mut self, rows: &Range<usize>) {
        let (Some(exhibit), Some(request)) = (&self.exhibit, self.listing.selection()) else { return };
        if exhibit.id != request.item.id {
            return;
        }
        let (face, width) = (request.face(), exhibit.width());
        let seen = self.seen.entry(exhibit.id.clone()).or_insert_with(|| Seen::nothing(&face, width));
        if seen.face != face || seen.width != width {
            *seen = Seen::nothing(&face, width);
        }
        seen.rows.add(rows);
    }

    /// Whether all that an approval of the selected request is bound to was on the screen, as it stands now.
    pub(crate) fn is_seen_whole(&self) -> bool {
        self.seen_of_selection().is_some_and(|(seen, exhibit)| seen.rows.is_whole(&exhibit.bound))
    }

    /// How many of the rows that an approval is bound to were on the screen, of how many.
    pub(crate) fn seen_rows(&self) -> (usize, usize) {
        let bound = self.exhibit.as_ref().map_or(0..0, |exhibit| exhibit.bound.clone());
        let seen = self.seen_of_selection().map_or(0, |(seen, _exhibit)| seen.rows.count(&bound));
        (seen, bound.len())
    }

    /// How many can still be decided.
    pub(crate) fn waiting(&self, now_millis: i64) -> usize {
        self.tally(now_millis).count
    }

    /// What waits, and when that changes by itself.
    pub(crate) fn tally(&self, now_millis: i64) -> Tally {
        let revision = self.listing.revision();
        if let Some(tally) = self.tally.get().filter(|tally| tally.holds(revision, now_millis)) {
            return tally;
        }
        let adds = |request: &Request| match request.settled_at_millis {
            _ if request.waits(now_millis) => Adds::Counts(request.item.expires_at_millis),
            Some(settled) => Adds::Kept(settled.saturating_add(KEPT_MILLIS)),
            None => Adds::Nothing,
        };
        let tally = Tally::of(self.listing.all().map(|(_id, request)| adds(request)), revision, now_millis);
        self.tally.set(Some(tally));
        tally
    }

    /// Takes a request out, with what is kept about it.
    pub(crate) fn remove(&mut self, id: &ApprovalId) {
        self.listing.remove(id);
        self.seen.remove(id);
    }

    fn seen_of_selection(&self) -> Option<(&Seen, &Exhibit)> {
        let (exhibit, request) = (self.exhibit.as_ref()?, self.listing.selection()?);
        let seen = self.seen.get(&exhibit.id)?;
        let is_current = exhibit.id == request.item.id && seen.width == exhibit.width() && seen.face == request.face();
        is_current.then_some((seen, exhibit))
    }
}

impl Seen {
    fn nothing(face: &str, width: u16) -> Self {
        Self { face: face.to_owned(), width, rows: Coverage::default() }
    }
}
