//! (owner writes this header)
