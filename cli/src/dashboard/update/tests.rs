//! What must hold of decisions, of the place one looks at, and of when the screen is drawn.

mod decisions;
mod places;
mod quiet;
mod replays;
