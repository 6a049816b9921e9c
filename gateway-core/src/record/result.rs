//! A recorded result, read back: the text of a `result` event, one JSON line for each header and row.
//!
//! `session` writes it after masking, never before: `{"columns":[…]}` begins a result, `["1",null]` is a row of it, and
//! bytes that are no text are shown as `\x…`. Called by whoever shows a recording.

/// One line of a recorded result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultLine {
    /// Names of the columns.
    Columns(Vec<String>),
    /// Values of a row; `None` is NULL.
    Row(Vec<Option<String>>),
}

/// Reads a recorded result; lines that are none are left out.
pub fn result_lines(text: &str) -> impl Iterator<Item = ResultLine> {
    #[derive(serde::Deserialize)]
    struct Header {
        columns: Vec<String>,
    }
    text.lines().filter_map(|line| {
        if line.starts_with('{') {
            serde_json::from_str::<Header>(line).ok().map(|header| ResultLine::Columns(header.columns))
        } else {
            serde_json::from_str(line).ok().map(ResultLine::Row)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_rows_are_read_and_anything_else_is_left_out() {
        let text = "{\"columns\":[\"id\",\"name\"]}\n[\"1\",\"zwei\\n\"]\nnonsense\n[null,\"\\\\xff\"]\n{}\n";
        let lines: Vec<_> = result_lines(text).collect();
        assert_eq!(
            lines,
            [
                ResultLine::Columns(vec!["id".into(), "name".into()]),
                ResultLine::Row(vec![Some("1".into()), Some("zwei\n".into())]),
                ResultLine::Row(vec![None, Some("\\xff".into())]),
            ]
        );
    }
}
