//! How things look on a terminal: colours by role and capability, signs, and SQL as highlighted lines.
//!
//! Pure: the environment is read by `context`. Knows no screen and no state. Called by everything that draws.

mod sql;
mod theme;

pub(crate) use sql::{Painted, cut, width};
pub(crate) use theme::{Role, Sign, Surroundings, Theme, ThemeName};

#[cfg(test)]
pub(crate) use theme::Depth;
