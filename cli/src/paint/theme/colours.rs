//! The colours of each role in each palette, and how a colour is shown where there are fewer.

use ratatui::style::Color;

use super::Depth;

/// What something means on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Ordinary words; a screen is filled with it first.
    Text,
    /// Words that matter less.
    Dim,
    /// What the eye should find first.
    Accent,
    /// Permitted, approved, completed.
    Ok,
    /// About to lapse, unusual, risky.
    Warn,
    /// Refused, denied, failed.
    Bad,
    /// Waiting for people.
    Held,
    /// Hidden in flight.
    Masked,
    /// The row one stands on.
    Selection,
    /// Lines around a box.
    Border,
    /// The heading of a box.
    Title,
    /// The bar at the top and at the bottom.
    Bar,
    /// What a search found.
    Match,
    /// A word of the language.
    Keyword,
    /// A string.
    Literal,
    /// A number.
    Number,
    /// `$1`.
    Parameter,
    /// `=`, `(`, `;`, …
    Operator,
    /// A comment.
    Comment,
    /// What stands for a sealed part.
    Sealed,
}

impl Role {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 20] = [
        Self::Text,
        Self::Dim,
        Self::Accent,
        Self::Ok,
        Self::Warn,
        Self::Bad,
        Self::Held,
        Self::Masked,
        Self::Selection,
        Self::Border,
        Self::Title,
        Self::Bar,
        Self::Match,
        Self::Keyword,
        Self::Literal,
        Self::Number,
        Self::Parameter,
        Self::Operator,
        Self::Comment,
        Self::Sealed,
    ];
}

/// A colour, exactly and as one of the terminal's own sixteen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink {
    pub(super) rgb: (u8, u8, u8),
    sixteen: Color,
}

impl Ink {
    const fn new(rgb: (u8, u8, u8), sixteen: Color) -> Self {
        Self { rgb, sixteen }
    }

    pub(super) fn at(self, depth: Depth) -> Color {
        let (red, green, blue) = self.rgb;
        match depth {
            Depth::True => Color::Rgb(red, green, blue),
            Depth::Indexed => Color::Indexed(indexed(self.rgb)),
            Depth::Sixteen => self.sixteen,
            Depth::Mono => Color::Reset,
        }
    }
}

/// The colours of a theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Palette {
    text: Option<Ink>,
    ground: Option<Ink>,
    dim: Ink,
    accent: Ink,
    ok: Ink,
    warn: Ink,
    bad: Ink,
    held: Ink,
    masked: Ink,
    border: Ink,
    literal: Ink,
    number: Ink,
    on_selection: Ink,
    selection: Ink,
    bar: Ink,
}

impl Palette {
    /// For a dark background, which stays the terminal's own.
    pub(super) const DARK: Self = Self {
        text: None,
        ground: None,
        dim: Ink::new((0x8a, 0x93, 0xa2), Color::DarkGray),
        accent: Ink::new((0x5f, 0xb3, 0xff), Color::Cyan),
        ok: Ink::new((0x6c, 0xc6, 0x6c), Color::Green),
        warn: Ink::new((0xe5, 0xc0, 0x4b), Color::Yellow),
        bad: Ink::new((0xff, 0x6b, 0x6b), Color::LightRed),
        held: Ink::new((0xff, 0xa6, 0x57), Color::LightYellow),
        masked: Ink::new((0xc7, 0x92, 0xea), Color::Magenta),
        border: Ink::new((0x6a, 0x73, 0x82), Color::DarkGray),
        literal: Ink::new((0xa5, 0xd6, 0xa7), Color::LightGreen),
        number: Ink::new((0xf0, 0xb8, 0x8a), Color::LightMagenta),
        on_selection: Ink::new((0xff, 0xff, 0xff), Color::White),
        selection: Ink::new((0x26, 0x4f, 0x78), Color::Blue),
        bar: Ink::new((0x2a, 0x30, 0x3a), Color::Blue),
    };

    /// For a light background, which stays the terminal's own.
    pub(super) const LIGHT: Self = Self {
        text: None,
        ground: None,
        dim: Ink::new((0x5f, 0x67, 0x73), Color::DarkGray),
        accent: Ink::new((0x00, 0x55, 0xb3), Color::Blue),
        ok: Ink::new((0x1f, 0x6f, 0x2b), Color::Green),
        warn: Ink::new((0x7a, 0x5a, 0x00), Color::Red),
        bad: Ink::new((0xb3, 0x1d, 0x28), Color::Red),
        held: Ink::new((0x9a, 0x46, 0x00), Color::Magenta),
        masked: Ink::new((0x6f, 0x2d, 0xa8), Color::Magenta),
        border: Ink::new((0x73, 0x7b, 0x87), Color::DarkGray),
        literal: Ink::new((0x0a, 0x66, 0x4a), Color::Green),
        number: Ink::new((0x8a, 0x3b, 0x12), Color::Red),
        on_selection: Ink::new((0x00, 0x00, 0x00), Color::Black),
        selection: Ink::new((0xbf, 0xdc, 0xff), Color::Cyan),
        bar: Ink::new((0xdd, 0xe3, 0xea), Color::Gray),
    };

    /// White on black, whatever the terminal's own colours are.
    pub(super) const HIGH_CONTRAST: Self = Self {
        text: Some(Ink::new((0xff, 0xff, 0xff), Color::White)),
        ground: Some(Ink::new((0x00, 0x00, 0x00), Color::Black)),
        dim: Ink::new((0xd0, 0xd0, 0xd0), Color::Gray),
        accent: Ink::new((0x7f, 0xd7, 0xff), Color::LightCyan),
        ok: Ink::new((0x5f, 0xff, 0x5f), Color::LightGreen),
        warn: Ink::new((0xff, 0xff, 0x5f), Color::LightYellow),
        bad: Ink::new((0xff, 0x9c, 0x9c), Color::LightRed),
        held: Ink::new((0xff, 0xc0, 0x60), Color::LightYellow),
        masked: Ink::new((0xff, 0xa0, 0xff), Color::LightMagenta),
        border: Ink::new((0xff, 0xff, 0xff), Color::White),
        literal: Ink::new((0xaf, 0xff, 0xaf), Color::LightGreen),
        number: Ink::new((0xff, 0xd7, 0xaf), Color::LightYellow),
        on_selection: Ink::new((0x00, 0x00, 0x00), Color::Black),
        selection: Ink::new((0xff, 0xff, 0xff), Color::White),
        bar: Ink::new((0x00, 0x00, 0x00), Color::Black),
    };

    /// The colour of the letters; `None` is the terminal's own.
    pub(super) const fn foreground(&self, role: Role) -> Option<Ink> {
        match role {
            Role::Text | Role::Operator | Role::Bar | Role::Match => self.text,
            Role::Dim | Role::Comment => Some(self.dim),
            Role::Accent | Role::Title | Role::Keyword => Some(self.accent),
            Role::Ok => Some(self.ok),
            Role::Warn => Some(self.warn),
            Role::Bad => Some(self.bad),
            Role::Held => Some(self.held),
            Role::Masked | Role::Sealed => Some(self.masked),
            Role::Selection => Some(self.on_selection),
            Role::Border => Some(self.border),
            Role::Literal => Some(self.literal),
            Role::Number | Role::Parameter => Some(self.number),
        }
    }

    /// The colour behind them; `None` is the terminal's own.
    pub(super) const fn background(&self, role: Role) -> Option<Ink> {
        if matches!(role, Role::Selection) {
            Some(self.selection)
        } else if matches!(role, Role::Bar) {
            Some(self.bar)
        } else {
            self.ground
        }
    }
}

/// The nearest of the 240 fixed colours of xterm.
fn indexed((red, green, blue): (u8, u8, u8)) -> u8 {
    let level = |value: u8| match value {
        0..48 => 0_u8,
        48..115 => 1,
        _ => (value - 35) / 40,
    };
    let step = |level: u8| if level == 0 { 0 } else { 55 + level * 40 };
    let (r, g, b) = (level(red), level(green), level(blue));
    let cube = (step(r), step(g), step(b));
    let mean = (u16::from(red) + u16::from(green) + u16::from(blue)) / 3;
    let shade = u8::try_from(mean.saturating_sub(3) / 10).unwrap_or(u8::MAX).min(23);
    let grey = 8 + shade * 10;
    let far = |other: (u8, u8, u8)| {
        let apart = |one: u8, other: u8| u32::from(one.abs_diff(other)).pow(2);
        apart(red, other.0) + apart(green, other.1) + apart(blue, other.2)
    };
    if far((grey, grey, grey)) < far(cube) { 232 + shade } else { 16 + 36 * r + 6 * g + b }
}

/// A colour as near as the depth allows.
pub(super) fn nearest(colour: Color, depth: Depth) -> Option<Color> {
    match (depth, colour) {
        (Depth::Mono, _) => None,
        (Depth::Indexed, Color::Rgb(red, green, blue)) => Some(Color::Indexed(indexed((red, green, blue)))),
        (Depth::Sixteen, Color::Indexed(index)) if index < 16 => Some(Color::Indexed(index)),
        (Depth::Sixteen, Color::Indexed(index)) => Some(sixteenth(unindexed(index))),
        (Depth::Sixteen, Color::Rgb(red, green, blue)) => Some(sixteenth((red, green, blue))),
        (Depth::True | Depth::Indexed | Depth::Sixteen, colour) => Some(colour),
    }
}

fn unindexed(index: u8) -> (u8, u8, u8) {
    if let Some(shade) = index.checked_sub(232) {
        let grey = 8 + shade * 10;
        return (grey, grey, grey);
    }
    let step = |level: u8| if level == 0 { 0 } else { 55 + level * 40 };
    let cube = index.saturating_sub(16);
    (step(cube / 36), step(cube / 6 % 6), step(cube % 6))
}

/// One of the sixteen by which of red, green and blue are strong, and how strong.
fn sixteenth((red, green, blue): (u8, u8, u8)) -> Color {
    let strongest = red.max(green).max(blue);
    let is_strong = |value: u8| u8::from(strongest >= 64 && value >= strongest / 2 + strongest / 8);
    let bright = if strongest >= 192 { 8 } else { 0 };
    Color::Indexed(bright + is_strong(red) + 2 * is_strong(green) + 4 * is_strong(blue))
}
