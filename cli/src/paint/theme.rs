//! The theme: which style a role has, by palette and by what the terminal can show, and which sign stands for what.
//!
//! Roles say what something means; nothing is ever told by colour alone, as every state has a sign of its own too.

mod colours;
mod signs;

pub(crate) use colours::{Palette, Role};
pub(crate) use signs::Sign;

use clap::ValueEnum;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
    symbols::border,
};

use crate::output::is_shown_as_it_is;

/// How many colours there are to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// None: only bold, dim, underlined and reversed.
    Mono,
    /// The terminal's own sixteen.
    Sixteen,
    /// The 256 of xterm.
    Indexed,
    /// Any.
    True,
}

/// The themes by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ThemeName {
    /// For a dark background
    Dark,
    /// For a light background
    Light,
    /// White on black, strong colours
    HighContrast,
}

/// What is known of the terminal and of who sits before it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Surroundings<'environment> {
    /// Whether colour may be used at all.
    pub(crate) colour: bool,
    /// `COLORTERM`.
    pub(crate) colorterm: &'environment str,
    /// `TERM`.
    pub(crate) term: &'environment str,
    /// The first of `LC_ALL`, `LC_CTYPE` and `LANG` that is set.
    pub(crate) locale: &'environment str,
    /// Whether plain ASCII is asked for.
    pub(crate) ascii: bool,
}

/// How everything looks. Cheap to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    palette: Palette,
    depth: Depth,
    ascii: bool,
}

impl Theme {
    /// A theme as it is named, for tests and screens that know what they want.
    pub(crate) const fn new(name: ThemeName, depth: Depth, ascii: bool) -> Self {
        let palette = match name {
            ThemeName::Dark => Palette::DARK,
            ThemeName::Light => Palette::LIGHT,
            ThemeName::HighContrast => Palette::HIGH_CONTRAST,
        };
        Self { palette, depth, ascii }
    }

    /// The theme that fits the terminal.
    pub(crate) fn fitting(name: ThemeName, surroundings: &Surroundings<'_>) -> Self {
        Self::new(name, depth(surroundings), surroundings.ascii || !is_utf8(surroundings.locale))
    }

    /// How many colours it uses.
    pub(crate) const fn depth(self) -> Depth {
        self.depth
    }

    /// Whether only ASCII may be drawn.
    pub(crate) const fn is_ascii(self) -> bool {
        self.ascii
    }

    /// The style of a role.
    pub(crate) fn style(self, role: Role) -> Style {
        let modifier = role.modifier(self.depth == Depth::Mono);
        let style = Style::new().add_modifier(modifier);
        if self.depth == Depth::Mono {
            return style;
        }
        let (foreground, background) = (self.palette.foreground(role), self.palette.background(role));
        let style = foreground.map_or(style, |colour| style.fg(colour.at(self.depth)));
        background.map_or(style, |colour| style.bg(colour.at(self.depth)))
    }

    /// The sign for a thing.
    pub(crate) const fn sign(self, sign: Sign) -> &'static str {
        if self.ascii { sign.ascii() } else { sign.unicode() }
    }

    /// The lines around a box.
    pub(crate) const fn borders(self) -> border::Set<'static> {
        if self.ascii { ASCII_BORDERS } else { border::PLAIN }
    }

    /// A colour of somebody else's terminal, as near as this one can show it; `None` where it shows none.
    pub(crate) fn foreign(self, colour: Color) -> Option<Color> {
        colours::nearest(colour, self.depth)
    }

    /// Makes sure of what was drawn: no cell holds anything that a terminal would act on, and none more than ASCII
    /// where that is all there is. Every screen ends with it.
    pub(crate) fn settle(self, area: Rect, buffer: &mut Buffer) {
        for position in area.intersection(buffer.area).positions() {
            let Some(cell) = buffer.cell_mut(position) else { continue };
            let symbol = cell.symbol();
            if symbol.chars().all(is_shown_as_it_is) && (!self.ascii || symbol.is_ascii()) {
                continue;
            }
            let shown = signs::plain(symbol, self.ascii);
            cell.set_symbol(shown);
        }
    }
}

const ASCII_BORDERS: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

impl Role {
    /// What tells a role without colour; in mono it says more.
    fn modifier(self, mono: bool) -> Modifier {
        match self {
            Self::Title | Self::Keyword | Self::Ok | Self::Accent if mono => Modifier::BOLD,
            Self::Bad | Self::Warn | Self::Held if mono => Modifier::BOLD.union(Modifier::UNDERLINED),
            Self::Masked | Self::Sealed | Self::Parameter if mono => Modifier::UNDERLINED,
            Self::Selection | Self::Bar | Self::Match if mono => Modifier::REVERSED,
            Self::Match => Modifier::UNDERLINED,
            Self::Dim | Self::Comment | Self::Border if mono => Modifier::DIM,
            Self::Title | Self::Accent | Self::Bad | Self::Held | Self::Selection => Modifier::BOLD,
            Self::Text
            | Self::Dim
            | Self::Ok
            | Self::Warn
            | Self::Masked
            | Self::Border
            | Self::Bar
            | Self::Keyword
            | Self::Literal
            | Self::Number
            | Self::Parameter
            | Self::Operator
            | Self::Comment
            | Self::Sealed => Modifier::empty(),
        }
    }
}

fn depth(surroundings: &Surroundings<'_>) -> Depth {
    let Surroundings { colour, colorterm, term, .. } = *surroundings;
    if !colour || term == "dumb" {
        Depth::Mono
    } else if matches!(colorterm, "truecolor" | "24bit") || term.ends_with("-direct") {
        Depth::True
    } else if term.contains("256color") {
        Depth::Indexed
    } else if term.ends_with("-mono") || matches!(term, "vt100" | "vt102" | "vt220") {
        Depth::Mono
    } else {
        Depth::Sixteen
    }
}

/// A locale that is not set at all says nothing; then terminals of today are believed.
fn is_utf8(locale: &str) -> bool {
    let charset = locale.split_once('.').map(|(_, rest)| rest.split('@').next().unwrap_or_default());
    match charset {
        Some(charset) => charset.replace('-', "").eq_ignore_ascii_case("utf8"),
        None => !matches!(locale, "C" | "POSIX"),
    }
}

#[cfg(test)]
mod tests;
