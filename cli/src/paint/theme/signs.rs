//! The signs that say what colour says too, each in Unicode and in ASCII; all are one cell wide.

/// A sign on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Permitted, approved, completed.
    Permitted,
    /// Refused, denied, failed.
    Refused,
    /// The server answered with an error.
    Failed,
    /// Waiting for people.
    Held,
    /// Hidden in flight.
    Masked,
    /// Open and running.
    Live,
    /// The row one stands on.
    Pointer,
    /// Playing.
    Playing,
    /// Paused.
    Paused,
    /// At its end.
    Stopped,
    /// A part of a line that lies behind.
    Behind,
    /// A part of a line that lies ahead.
    Ahead,
    /// Where one is on a line.
    Here,
    /// More above.
    Up,
    /// More below.
    Down,
    /// More to the right, or on.
    Right,
    /// Something was cut off here.
    Cut,
    /// Between two facts on one line.
    Dot,
}

impl Sign {
    /// All of them.
    #[cfg(test)]
    pub(super) const ALL: [Self; 18] = [
        Self::Permitted,
        Self::Refused,
        Self::Failed,
        Self::Held,
        Self::Masked,
        Self::Live,
        Self::Pointer,
        Self::Playing,
        Self::Paused,
        Self::Stopped,
        Self::Behind,
        Self::Ahead,
        Self::Here,
        Self::Up,
        Self::Down,
        Self::Right,
        Self::Cut,
        Self::Dot,
    ];

    pub(super) const fn unicode(self) -> &'static str {
        match self {
            Self::Permitted => "✓",
            Self::Refused => "✗",
            Self::Failed => "!",
            Self::Held => "⏸",
            Self::Masked => "▒",
            Self::Live | Self::Here => "●",
            Self::Pointer => "▸",
            Self::Playing => "▶",
            Self::Paused => "‖",
            Self::Stopped => "■",
            Self::Behind => "━",
            Self::Ahead => "─",
            Self::Up => "↑",
            Self::Down => "↓",
            Self::Right => "→",
            Self::Cut => "…",
            Self::Dot => "·",
        }
    }

    pub(super) const fn ascii(self) -> &'static str {
        match self {
            Self::Permitted => "+",
            Self::Refused => "x",
            Self::Failed => "!",
            Self::Held => "H",
            Self::Masked => "#",
            Self::Live => "*",
            Self::Here => "O",
            Self::Pointer | Self::Playing | Self::Right => ">",
            Self::Paused | Self::Behind => "=",
            Self::Stopped => ".",
            Self::Ahead => "-",
            Self::Up => "^",
            Self::Down => "v",
            Self::Cut => "~",
            Self::Dot => "|",
        }
    }
}

/// What is drawn instead of a cell that may not be drawn as it is.
pub(super) fn plain(symbol: &str, ascii: bool) -> &'static str {
    if !ascii {
        return "\u{fffd}";
    }
    match symbol.chars().next() {
        // The pictures of control characters.
        Some('\u{2400}'..='\u{2426}') => "^",
        Some('…') => "~",
        Some('─' | '━') => "-",
        Some('│' | '┃') => "|",
        _ => "?",
    }
}
