//! The few strokes that every page is drawn with. A row never leaves its area.

use ratatui::{buffer::Buffer, layout::Rect, text::Line, widgets::Widget};

use crate::paint::{Role, Sign, Theme, cut, width};

/// A buffer and how things look in it.
pub(super) struct Brush<'buffer> {
    buffer: &'buffer mut Buffer,
    pub(super) theme: Theme,
}

/// A cell of a table: words, how many columns, in which role.
pub(super) struct Cell<'text> {
    pub(super) text: &'text str,
    pub(super) width: usize,
    pub(super) role: Role,
}

impl<'buffer> Brush<'buffer> {
    pub(super) fn new(buffer: &'buffer mut Buffer, theme: Theme) -> Self {
        Self { buffer, theme }
    }

    /// Empties an area and gives it a role's colours.
    pub(super) fn fill(&mut self, area: Rect, role: Role) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
                cell.set_style(self.theme.style(role));
            }
        }
    }

    /// Lays a role's colours over what is there.
    pub(super) fn tint(&mut self, area: Rect, role: Role) {
        let style = self.theme.style(role);
        self.buffer.set_style(area.intersection(self.buffer.area), style);
    }

    /// One row of words.
    pub(super) fn text(&mut self, area: Rect, text: &str, role: Role) {
        let area = area.intersection(self.buffer.area);
        if !area.is_empty() {
            self.buffer.set_stringn(area.x, area.y, text, usize::from(area.width), self.theme.style(role));
        }
    }

    /// One row of words at the right end.
    pub(super) fn text_right(&mut self, area: Rect, text: &str, role: Role) {
        let columns = u16::try_from(width(text)).unwrap_or(u16::MAX).min(area.width);
        let place = Rect { x: area.right() - columns, width: columns, ..area };
        self.text(place, text, role);
    }

    /// One laid-out row.
    pub(super) fn line(&mut self, area: Rect, line: &Line<'_>) {
        let area = area.intersection(self.buffer.area);
        if !area.is_empty() {
            self.buffer.set_line(area.x, area.y, line, area.width);
        }
    }

    /// Cells beside each other, each cut to its width with a space after it.
    pub(super) fn cells(&mut self, area: Rect, cells: &[Cell<'_>]) {
        let mut left = area;
        for cell in cells {
            let columns = u16::try_from(cell.width).unwrap_or(u16::MAX).min(left.width);
            let text = cut(cell.text, usize::from(columns), self.theme);
            self.text(Rect { width: columns, ..left }, &text, cell.role);
            let step = columns.saturating_add(1).min(left.width);
            left = Rect { x: left.x + step, width: left.width - step, ..left };
        }
    }

    /// A line across, with words in it.
    pub(super) fn rule(&mut self, area: Rect, title: &str, role: Role) {
        let dash = self.theme.sign(Sign::Ahead);
        self.text(Rect { height: area.height.min(1), ..area }, &dash.repeat(usize::from(area.width)), Role::Border);
        if !title.is_empty() {
            let place = Rect { x: area.x + 2, width: area.width.saturating_sub(4), ..area };
            self.text(
                place,
                &format!(" {} ", cut(title, usize::from(place.width.saturating_sub(2)), self.theme)),
                role,
            );
        }
    }

    /// An empty box with a frame and a title; gives its inside.
    pub(super) fn panel(&mut self, area: Rect, title: &str) -> Rect {
        let area = area.intersection(self.buffer.area);
        self.fill(area, Role::Text);
        let block = ratatui::widgets::Block::bordered()
            .border_set(self.theme.borders())
            .border_style(self.theme.style(Role::Border))
            .title(Line::styled(format!(" {title} "), self.theme.style(Role::Title)));
        let inside = block.inner(area);
        block.render(area, self.buffer);
        inside
    }

    /// A session that is played.
    pub(super) fn player(&mut self, player: &crate::replay::Player, area: Rect) {
        crate::replay::draw(player, self.theme, area, self.buffer);
    }

    /// Anything that draws itself.
    pub(super) fn widget(&mut self, widget: impl Widget, area: Rect) {
        widget.render(area.intersection(self.buffer.area), self.buffer);
    }

    /// A sign of the theme.
    pub(super) const fn sign(&self, sign: Sign) -> &'static str {
        self.theme.sign(sign)
    }
}

/// The row of an area, counted from its top.
pub(super) fn row(area: Rect, index: usize) -> Rect {
    let y = area.y.saturating_add(u16::try_from(index).unwrap_or(u16::MAX));
    Rect { y, height: u16::from(y < area.bottom()), ..area }
}
