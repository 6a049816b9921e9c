//! Policies in one layout, by Cedar's own formatter, which proves that nothing but the layout changed.

use cedar_policy_formatter::{Config, policies_str_to_pretty};

/// As wide as the house writes.
const LINE_WIDTH: usize = 100;
const INDENT_WIDTH: isize = 2;

/// The text in the one layout; or why it cannot be had, where it is no policy.
pub fn formatted(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    let config = Config { line_width: LINE_WIDTH, indent_width: INDENT_WIDTH };
    let mut text = policies_str_to_pretty(text, &config).map_err(|error| error.to_string())?;
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_settled_at_once_and_comments_stay() {
        let text = "// Why.\n@id(\"a\") permit(principal,action==Action::\"select\",resource)when{context.has_where};";
        let once = formatted(text).unwrap();
        assert!(once.contains("// Why.") && once.contains("@id(\"a\")\npermit"), "{once}");
        assert_eq!(formatted(&once).unwrap(), once);
        assert!(formatted("permit(").is_err());
        assert_eq!(formatted("\n").unwrap(), "");
    }
}
