//! Path templates: `/users/{id}/orders`, and which of a site's a path is of. Pure.

use std::{cmp::Ordering, collections::BTreeMap, fmt};

/// The longest template.
const MOST_BYTES: usize = 1024;

/// One segment of a template. The order is that of how much it says: a literal before a parameter before a rest.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter(String),
    /// `*` at the end: one segment or more.
    Rest,
}

impl Segment {
    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Parameter(_) => 1,
            Self::Rest => 2,
        }
    }
}

/// A path with names in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    segments: Vec<Segment>,
}

/// Why a text is no template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not begin with `/`, or is too long.
    #[error("a template begins with `/` and has at most {MOST_BYTES} bytes")]
    Form,
    /// A segment is not a plain word, `{name}` or a last `*`.
    #[error("between slashes stands a plain word, a `{{name}}`, or, at the end, `*`")]
    Segment,
    /// Two parameters have one name.
    #[error("a name stands in it twice")]
    Twice,
}

impl Template {
    /// Reads `/users/{id}/orders` or `/files/*`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let rest = text.strip_prefix('/').filter(|_| text.len() <= MOST_BYTES).ok_or(TemplateError::Form)?;
        let words: Vec<&str> = rest.split('/').collect();
        let mut segments = Vec::with_capacity(words.len());
        for (place, word) in words.iter().enumerate() {
            let last = place + 1 == words.len();
            let name = word.strip_prefix('{').and_then(|word| word.strip_suffix('}'));
            let segment = match (name, *word) {
                (Some(name), _) if is_name(name) => Segment::Parameter(name.to_owned()),
                (None, "*") if last => Segment::Rest,
                (None, word) if is_word(word) || (last && word.is_empty()) => Segment::Literal(word.to_owned()),
                _ => return Err(TemplateError::Segment),
            };
            if matches!(segment, Segment::Parameter(_)) && segments.contains(&segment) {
                return Err(TemplateError::Twice);
            }
            segments.push(segment);
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a path is of it for servers that know no capitals, or take a slash at the end for none.
    fn is_nearly(&self, path: &str) -> bool {
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut words = path.strip_prefix('/').unwrap_or(path).split('/');
        let own = self.segments.iter().filter(|one| !matches!(one, Segment::Literal(word) if word.is_empty()));
        for segment in own {
            let Some(word) = words.next().filter(|word| !word.is_empty()) else { return false };
            match segment {
                Segment::Literal(literal) if literal.eq_ignore_ascii_case(word) => {}
                Segment::Parameter(_) => {}
                Segment::Rest => return true,
                Segment::Literal(_) => return false,
            }
        }
        words.next().is_none()
    }

    /// What its names stand for in this canonical path; `None` where the path is not of it.
    fn matches<'path>(&self, path: &'path str) -> Option<BTreeMap<&str, &'path str>> {
        let mut words = path.strip_prefix('/')?.split('/');
        let mut found = BTreeMap::new();
        for segment in &self.segments {
            let word = words.next()?;
            match segment {
                Segment::Literal(literal) if literal == word => {}
                Segment::Parameter(name) if !word.is_empty() => drop(found.insert(name.as_str(), word)),
                Segment::Rest if !word.is_empty() => return Some(found),
                Segment::Literal(_) | Segment::Parameter(_) | Segment::Rest => return None,
            }
        }
        words.next().is_none().then_some(found)
    }

    /// Which of two says more, from the left.
    fn compare(&self, other: &Self) -> Ordering {
        let ranks = |template: &Self| template.segments.iter().map(Segment::rank).collect::<Vec<_>>();
        ranks(self).cmp(&ranks(other)).then_with(|| self.text.cmp(&other.text))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A literal of a canonical path: nothing that would be written otherwise there.
fn is_word(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()+,=:@%".contains(&byte);
    !word.is_empty() && word != "." && word != ".." && word.bytes().all(plain)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The templates of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routes(Vec<Template>);

/// Of which template a path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The template; the path itself where none is for it. A path holds no brace, so that it is no template's twin.
    pub template: String,
    /// What its names stand for.
    pub parameters: BTreeMap<String, String>,
    /// The template that a path without one is of for servers that read paths less strictly.
    pub nearly: Option<String>,
}

impl Routes {
    /// Orders templates so that the one that says most is found first, whatever their order in the site.
    pub fn new(mut templates: Vec<Template>) -> Self {
        templates.sort_by(Template::compare);
        Self(templates)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a canonical path is of one of them.
    pub fn knows(&self, path: &str) -> bool {
        self.0.iter().any(|template| template.matches(path).is_some())
    }

    /// Finds the template of a canonical path.
    pub fn of(&self, path: &str) -> Matched {
        let found = self.0.iter().find_map(|template| Some((template, template.matches(path)?)));
        if let Some((template, names)) = found {
            let parameters = names.into_iter().map(|(name, word)| (name.to_owned(), word.to_owned())).collect();
            return Matched { template: template.text.clone(), parameters, nearly: None };
        }
        let nearly = self.0.iter().find(|template| template.is_nearly(path));
        let nearly = nearly.map(|template| template.text.clone());
        Matched { template: path.to_owned(), parameters: BTreeMap::new(), nearly }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(templates: &[&str]) -> Routes {
        Routes::new(templates.iter().map(|text| Template::parse(text).unwrap()).collect())
    }

    #[test]
    fn the_template_that_says_most_is_found_whatever_the_order() {
        let routes = routes(&["/users/{id}", "/users/me", "/users/{id}/orders", "/{any}/me", "/files/*"]);
        assert_eq!(routes.of("/users/me").template, "/users/me");
        assert_eq!(routes.of("/users/7").template, "/users/{id}");
        assert_eq!(routes.of("/users/7").parameters, BTreeMap::from([("id".to_owned(), "7".to_owned())]));
        assert_eq!(routes.of("/users/7/orders").template, "/users/{id}/orders");
        assert_eq!(routes.of("/files/a/b").template, "/files/*");
    }

    #[test]
    fn what_no_template_is_for_is_its_own() {
        let routes = routes(&["/users/{id}", "/files/*"]);
        for path in ["/users", "/users/", "/users/7/", "/files", "/files/", "/", "/users/7/orders"] {
            assert_eq!(routes.of(path).template, path);
        }
    }

    #[test]
    fn a_path_that_a_lenient_server_reads_as_a_template_is_nearly_of_it() {
        let routes = routes(&["/users/{id}", "/admin", "/files/*"]);
        let nearly = |path: &str| routes.of(path).nearly;
        for path in ["/admin/", "/Admin", "/ADMIN/"] {
            assert_eq!(nearly(path).as_deref(), Some("/admin"), "{path}");
        }
        assert_eq!(nearly("/Users/7/").as_deref(), Some("/users/{id}"));
        assert_eq!(nearly("/FILES/a/b").as_deref(), Some("/files/*"));
        for path in ["/admin", "/users/7", "/administer", "/users", "/"] {
            assert_eq!(nearly(path), None, "{path}");
        }
    }

    #[test]
    fn refuses_what_is_no_template() {
        for text in ["users", "", "/a/*/b", "/{}", "/{a b}", "/{id}/{id}", "/a//b", "/../b", "/a b", "/a{b}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
        for text in ["/", "/a", "/a/", "/v1/{id}:cancel"] {
            assert_eq!(Template::parse(text).is_ok(), text != "/v1/{id}:cancel", "{text}");
        }
    }
}
