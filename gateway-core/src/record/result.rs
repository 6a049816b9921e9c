//! The masked result as it is recorded: text, a header and rows, one JSON array each line, up to a cap.
//!
//! Takes values after masking, never before. `session` fills one for each operation and appends it as one event.

/// The result of one operation, growing up to its cap.
#[derive(Debug)]
pub struct ResultText {
    text: String,
    cap: usize,
    truncated: bool,
}

impl ResultText {
    /// An empty result that keeps at most `cap` bytes.
    pub fn new(cap: usize) -> Self {
        Self { text: String::new(), cap, truncated: false }
    }

    /// Adds the header: a JSON array of column names. A second one begins another result of the same operation.
    pub fn columns<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        self.line(names.into_iter().map(|name| Some(name.as_bytes())), "{\"columns\":", "}\n");
    }

    /// Adds a row of masked values; `None` is NULL, bytes that are no text are shown as `\x…`.
    pub fn row<'a>(&mut self, values: impl IntoIterator<Item = Option<&'a [u8]>>) {
        self.line(values, "", "\n");
    }

    /// What is kept, one line each header or row.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether rows were left out.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// Whether there is nothing to record.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Empties it for the next operation.
    pub fn clear(&mut self) {
        self.text.clear();
        self.truncated = false;
    }

    fn line<'a>(&mut self, values: impl IntoIterator<Item = Option<&'a [u8]>>, before: &str, after: &str) {
        if self.truncated {
            return;
        }
        let start = self.text.len();
        self.text.push_str(before);
        self.text.push('[');
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            if self.text.len().saturating_add(value.map_or(0, <[u8]>::len)) > self.cap {
                self.truncated = true;
                break;
            }
            self.value(value);
        }
        self.text.push(']');
        self.text.push_str(after);
        if self.truncated || self.text.len() > self.cap {
            self.truncated = true;
            self.text.truncate(start);
        }
    }

    fn value(&mut self, value: Option<&[u8]>) {
        let spelt = match value {
            None => Ok("null".to_owned()),
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => serde_json::to_string(text),
                Err(_binary) => serde_json::to_string(&format!("\\x{}", super::hex::encode(bytes))),
            },
        };
        self.text.push_str(spelt.as_deref().unwrap_or("null"));
    }
}

/// One line of a recorded result, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultLine {
    /// Names of the columns.
    Columns(Vec<String>),
    /// Values of a row.
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
    fn rows_are_read_back_as_they_were() {
        let mut result = ResultText::new(1000);
        result.columns(["id", "name"]);
        result.row([Some(&b"1"[..]), Some("zwei\n\u{1b}".as_bytes())]);
        result.row([None, Some(&b"\xff"[..])]);
        let lines: Vec<_> = result_lines(result.text()).collect();
        assert_eq!(
            lines,
            [
                ResultLine::Columns(vec!["id".into(), "name".into()]),
                ResultLine::Row(vec![Some("1".into()), Some("zwei\n\u{1b}".into())]),
                ResultLine::Row(vec![None, Some("\\xff".into())]),
            ]
        );
        assert!(!result.truncated());
    }

    #[test]
    fn the_cap_holds_and_cuts_whole_rows() {
        let mut result = ResultText::new(30);
        result.row([Some(&b"short"[..])]);
        result.row([Some(&[b'x'; 1000][..])]);
        result.row([Some(&b"later"[..])]);
        assert_eq!(result.text(), "[\"short\"]\n");
        assert!(result.truncated());
        result.clear();
        assert!(result.is_empty() && !result.truncated());
    }
}
