//! The page of approvals: the list, and the selected request as its reviewer must see it.

use ratatui::layout::Rect;

use super::{
    Shown,
    brush::{Brush, Cell, row},
};
use crate::{
    dashboard::{
        layout::Areas,
        moments,
        request::{Request, Standing},
        state::{Armed, Link, State},
    },
    paint::{Role, Sign},
};
use hoop_gateway_core::api::types::ApprovalStatus;

/// Draws the page; says which rows of the request could be read.
pub(super) fn draw(state: &State, areas: &Areas, brush: &mut Brush<'_>) -> Shown {
    if areas.list.height > 0 {
        list(state, areas.list, brush);
    }
    detail(state, areas.detail, brush)
}

/// The second key: what is about to happen, and what is missing.
pub(super) fn question(state: &State, armed: &Armed, area: Rect, brush: &mut Brush<'_>) {
    let (seen, all) = state.approvals.seen_rows();
    let how = match &armed.choice.shape {
        Some(shape) => format!(" and its shape for {}", moments::span(shape.for_seconds)),
        None => String::new(),
    };
    let rows = armed.choice.shape.as_ref().and_then(|shape| shape.max_rows);
    let rows = rows.map(|rows| format!(", up to {rows} rows")).unwrap_or_default();
    let reason = armed.choice.reason.as_ref().map(|reason| format!(", saying: {}", reason.replace('\n', " ")));
    let reason = reason.unwrap_or_default();
    let (text, role) = if state.approvals.is_seen_whole() {
        (format!(" approve {}{how}{rows}{reason}?  y approves it", armed.id), Role::Held)
    } else {
        (format!(" read on before you approve: {seen} of {all} rows of the statement were on the screen"), Role::Warn)
    };
    brush.text(area, &text, role);
}

fn list(state: &State, area: Rect, brush: &mut Brush<'_>) {
    let listing = &state.approvals.listing;
    let columns = Columns::fitting(area.width);
    let heading = Row {
        sign: " ",
        who: "WHO",
        connection: "CONNECTION",
        kind: "KIND",
        risk: "RISK",
        left: "LEFT",
        groups: "NEEDS",
        statement: "STATEMENT",
    };
    brush.cells(row(area, 0), &columns.cells(&heading, &Look::plain(Role::Dim)));
    if listing.listed() == 0 {
        brush.text(row(area, 2), &empty(state), Role::Dim);
    }
    for (index, (_id, request, is_selected)) in listing.window().enumerate() {
        let place = row(area, index + 1);
        request_row(request, state.now_millis, &columns, place, brush);
        if is_selected {
            brush.tint(place, Role::Selection);
        }
    }
    if !listing.filter().is_empty() {
        let text = format!("/{} {} of {} ", listing.filter(), listing.listed(), listing.len());
        brush.text_right(row(area, 0), &crate::output::printable_line(&text), Role::Accent);
    }
}

fn empty(state: &State) -> String {
    if !state.approvals.listing.filter().is_empty() {
        return "  Nothing matches the filter; esc drops it.".to_owned();
    }
    match state.link {
        Link::Connecting => "  Asking the gateway …".to_owned(),
        Link::Live | Link::Lost { .. } => "  Nothing waits for approval.".to_owned(),
    }
}

fn request_row(request: &Request, now_millis: i64, columns: &Columns, place: Rect, brush: &mut Brush<'_>) {
    let standing = request.standing(now_millis);
    let left = match standing {
        Standing::Waiting(left) => moments::left(left),
        settled @ (Standing::Lapsed | Standing::Settled(_)) => settled.word().to_owned(),
    };
    let words = &request.words;
    let risk = request.item.risk.to_string();
    let cells = Row {
        sign: brush.sign(sign(standing)),
        who: &words.who,
        connection: &words.connection,
        kind: &words.kind,
        risk: &risk,
        left: &left,
        groups: &words.groups,
        statement: &words.statement,
    };
    let look = match standing {
        Standing::Waiting(left) => Look {
            rest: if request.extra.may_review == Some(false) { Role::Dim } else { Role::Text },
            sign: Role::Held,
            risk: if request.item.risk >= RISKY { Role::Bad } else { Role::Text },
            left: if left < HURRY_MILLIS { Role::Warn } else { Role::Text },
        },
        Standing::Lapsed | Standing::Settled(_) => Look::plain(Role::Dim),
    };
    brush.cells(place, &columns.cells(&cells, &look));
}

/// From here on a risk is shown as one.
const RISKY: u8 = 50;
/// With less time than this it is urgent.
const HURRY_MILLIS: i64 = 60_000;

const fn sign(standing: Standing) -> Sign {
    match standing {
        Standing::Waiting(_) => Sign::Held,
        Standing::Settled(ApprovalStatus::Approved) => Sign::Permitted,
        Standing::Lapsed | Standing::Settled(_) => Sign::Refused,
    }
}

/// The words of a row.
struct Row<'text> {
    sign: &'text str,
    who: &'text str,
    connection: &'text str,
    kind: &'text str,
    risk: &'text str,
    left: &'text str,
    groups: &'text str,
    statement: &'text str,
}

/// The roles of a row.
struct Look {
    rest: Role,
    sign: Role,
    risk: Role,
    left: Role,
}

impl Look {
    const fn plain(role: Role) -> Self {
        Self { rest: role, sign: role, risk: role, left: role }
    }
}

/// How wide the columns are; the statement has the rest.
struct Columns {
    who: usize,
    connection: usize,
    kind: usize,
    groups: usize,
    statement: usize,
}

impl Columns {
    fn fitting(width: u16) -> Self {
        let (who, connection, kind, groups) = if width >= 110 { (22, 18, 14, 18) } else { (14, 12, 9, 9) };
        // Besides: a sign, the risk, the time left, and a space after each of the seven.
        let taken = 2 + 4 + 10 + who + connection + kind + groups + 7;
        Self { who, connection, kind, groups, statement: usize::from(width).saturating_sub(taken) }
    }

    fn cells<'text>(&self, row: &Row<'text>, look: &Look) -> [Cell<'text>; 8] {
        [
            Cell { text: row.sign, width: 2, role: look.sign },
            Cell { text: row.who, width: self.who, role: look.rest },
            Cell { text: row.connection, width: self.connection, role: look.rest },
            Cell { text: row.kind, width: self.kind, role: look.rest },
            Cell { text: row.risk, width: 4, role: look.risk },
            Cell { text: row.left, width: 10, role: look.left },
            Cell { text: row.groups, width: self.groups, role: look.rest },
            Cell { text: row.statement, width: self.statement, role: look.rest },
        ]
    }
}

fn detail(state: &State, area: Rect, brush: &mut Brush<'_>) -> Shown {
    let (Some(exhibit), Some(request)) = (&state.approvals.exhibit, state.approvals.listing.selection()) else {
        brush.rule(row(area, 0), "", Role::Title);
        return Shown::default();
    };
    let standing = request.standing(state.now_millis);
    let (title, role) = match standing {
        Standing::Waiting(left) => (format!("{}, {} left", request.item.id, moments::left(left)), Role::Title),
        settled @ (Standing::Lapsed | Standing::Settled(_)) => {
            (format!("{}, {}", request.item.id, settled.word()), Role::Dim)
        }
    };
    let rows = state.approvals.scrolled..exhibit.rows.len().min(state.approvals.scrolled + state.approvals.room);
    let progress = progress(state, exhibit.rows.len(), rows.end, brush);
    brush.rule(row(area, 0), &title, role);
    let heading = Rect { width: area.width.saturating_sub(2), ..row(area, 0) };
    brush.text_right(heading, &progress, Role::Dim);
    for (index, line) in exhibit.rows.get(rows.clone()).unwrap_or_default().iter().enumerate() {
        brush.line(row(area, index + 1), line);
    }
    if !matches!(standing, Standing::Waiting(_)) {
        brush.tint(Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }, Role::Dim);
    }
    Shown { request_rows: Some(rows) }
}

/// How much of the statement was on the screen, and whether there is more below.
fn progress(state: &State, all: usize, end: usize, brush: &Brush<'_>) -> String {
    let (seen, bound) = state.approvals.seen_rows();
    let more = if end < all { format!("{} more", brush.sign(Sign::Down)) } else { "end".to_owned() };
    if state.approvals.is_seen_whole() {
        return format!(" statement read {} {more} ", brush.sign(Sign::Permitted));
    }
    format!(" {seen} of {bound} rows read {} {more} ", brush.sign(Sign::Dot))
}
