//! What is on every page: title, names of the pages, banner, the last thing said, and what can be pressed.

use ratatui::layout::Rect;

use super::brush::Brush;
use crate::{
    dashboard::{
        keys, moments,
        state::{Link, Overlay, State, Tab, Tone},
    },
    paint::{Role, Sign, cut, width},
    whoami,
};

/// Gateway, who I am, what is left of the token; what waits and what is live.
pub(super) fn title(state: &State, area: Rect, brush: &mut Brush<'_>) {
    brush.fill(area, Role::Bar);
    let dot = brush.sign(Sign::Dot);
    let waiting = state.approvals.waiting(state.now_millis);
    let live = state.sessions.live(state.now_millis);
    let sign = brush.sign(match state.link {
        Link::Connecting => Sign::Held,
        Link::Live => Sign::Live,
        Link::Lost { .. } => Sign::Refused,
    });
    let right = format!("{waiting} pending {dot} {live} live {sign} ");
    let room = area.width.saturating_sub(u16::try_from(width(&right)).unwrap_or(u16::MAX));
    let me = state.me.as_ref().map_or_else(|| "…".to_owned(), |me| whoami::describe(&me.principal));
    let token = match state.token_left_millis() {
        Some(left) if left > 0 => format!(" {dot} token {}", moments::coarse(left)),
        Some(_) => format!(" {dot} token ended"),
        None => String::new(),
    };
    let left = format!(" {} {dot} {me}{token}", state.gateway);
    let left = cut(&left, usize::from(room.saturating_sub(1)), brush.theme);
    brush.text(area, &left, Role::Bar);
    brush.text_right(area, &right, Role::Bar);
    brush.tint(area, Role::Bar);
}

/// The names of the pages, with their numbers.
pub(super) fn tabs(state: &State, area: Rect, brush: &mut Brush<'_>) {
    for (tab, start, label) in labels() {
        let place = Rect { x: area.x + start, width: area.width.saturating_sub(start), ..area };
        let role = if tab == state.tab { Role::Selection } else { Role::Dim };
        brush.text(place, &label, role);
    }
}

/// The page whose name is in a column.
pub(crate) fn tab_at(column: u16) -> Option<Tab> {
    let length = |label: &str| u16::try_from(width(label)).unwrap_or(u16::MAX);
    labels().find(|(_tab, start, label)| (*start..*start + length(label)).contains(&column)).map(|(tab, ..)| tab)
}

fn labels() -> impl Iterator<Item = (Tab, u16, String)> {
    let mut start = 1;
    Tab::ALL.into_iter().zip(1..).map(move |(tab, number)| {
        let label = format!(" {number} {} ", tab.name());
        let here = start;
        start += u16::try_from(width(&label)).unwrap_or(0) + 1;
        (tab, here, label)
    })
}

/// A gateway that is away.
pub(super) fn banner(state: &State, area: Rect, brush: &mut Brush<'_>) {
    let Link::Lost { why, since_millis } = &state.link else { return };
    let away = moments::left(state.now_millis.saturating_sub(*since_millis));
    let sign = brush.sign(Sign::Refused);
    let text = format!(" {sign} the gateway is lost for {away}, trying again: {why}");
    brush.text(area, &text, Role::Bad);
    brush.tint(area, Role::Bad);
}

/// The last thing said, or what is asked.
pub(super) fn notice(state: &State, area: Rect, brush: &mut Brush<'_>) {
    match &state.overlay {
        Overlay::Approve(armed) => return super::approvals::question(state, armed, area, brush),
        Overlay::Kill(killing) => {
            let text = format!(" kill {}, saying: {}?  y kills it", killing.session, killing.reason.replace('\n', " "));
            brush.text(area, &text, Role::Bad);
            return;
        }
        Overlay::Nothing | Overlay::Help { .. } | Overlay::Prompt(_) => {}
    }
    let Some(notice) = &state.notice else { return };
    let (role, sign) = match notice.tone {
        Tone::Plain => (Role::Text, Sign::Dot),
        Tone::Good => (Role::Ok, Sign::Permitted),
        Tone::Bad => (Role::Bad, Sign::Refused),
    };
    let text = format!(" {} {}", brush.sign(sign), notice.text);
    brush.text(area, &text, role);
}

/// The keys that matter most now; the help has all.
pub(super) fn hints(state: &State, area: Rect, brush: &mut Brush<'_>) {
    brush.fill(area, Role::Bar);
    let mut left = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
    for binding in keys::live(state.mode()) {
        let (Some(hint), Some(chord)) = (binding.hint, binding.chords.first()) else { continue };
        let text = format!("{} {hint}  ", chord.name());
        let columns = u16::try_from(width(&text)).unwrap_or(u16::MAX);
        if columns > left.width {
            break;
        }
        brush.text(left, &text, Role::Bar);
        left = Rect { x: left.x + columns, width: left.width - columns, ..left };
    }
    brush.tint(area, Role::Bar);
}
