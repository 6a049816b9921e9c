//! Forms handed out by the page, each good for one POST with its own cookie, and a limit on failed attempts.
//!
//! Pure: time and random tokens are passed in. Driven by `routes`.

use std::collections::{BTreeMap, VecDeque};

use aws_lc_rs::constant_time::verify_slices_are_equal;

const FORM_SECONDS: i64 = 600;
const MAX_FORMS: usize = 256;
/// Failed attempts that are borne in a minute, from everybody together.
const MAX_FAILURES: usize = 20;
const FAILURE_SECONDS: i64 = 60;

struct Form {
    cookie: String,
    expires_at: i64,
}

#[derive(Default)]
pub(super) struct Forms {
    /// By the token hidden in the form.
    open: BTreeMap<String, Form>,
    failures: VecDeque<i64>,
}

impl Forms {
    /// Hands out a form; the oldest goes when there are too many.
    pub(super) fn hand_out(&mut self, token: String, cookie: String, now: i64) {
        self.open.retain(|_token, form| now < form.expires_at);
        if self.open.len() >= MAX_FORMS {
            let oldest =
                self.open.iter().min_by_key(|(_token, form)| form.expires_at).map(|(token, _form)| token.clone());
            oldest.and_then(|token| self.open.remove(&token));
        }
        self.open.insert(token, Form { cookie, expires_at: now + FORM_SECONDS });
    }

    /// Takes a form back; `true` when it was open and its cookie came with it. It is spent either way.
    pub(super) fn take_back(&mut self, token: &str, cookie: &str, now: i64) -> bool {
        self.open.remove(token).is_some_and(|form| {
            now < form.expires_at && verify_slices_are_equal(form.cookie.as_bytes(), cookie.as_bytes()).is_ok()
        })
    }

    /// Counts one failed attempt.
    pub(super) fn failed(&mut self, now: i64) {
        self.failures.push_back(now);
        if self.failures.len() > MAX_FAILURES {
            self.failures.pop_front();
        }
    }

    /// Whether so many failed of late that nobody may try now.
    pub(super) fn is_limited(&self, now: i64) -> bool {
        let recent = self.failures.iter().filter(|at| now < **at + FAILURE_SECONDS).count();
        recent >= MAX_FAILURES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_serves_once_and_only_with_its_cookie() {
        let mut forms = Forms::default();
        forms.hand_out("token".into(), "cookie".into(), 0);
        assert!(forms.take_back("token", "cookie", 1));
        assert!(!forms.take_back("token", "cookie", 1));
        forms.hand_out("token".into(), "cookie".into(), 0);
        assert!(!forms.take_back("token", "other", 1));
        forms.hand_out("token".into(), "cookie".into(), 0);
        assert!(!forms.take_back("token", "cookie", FORM_SECONDS));
    }

    #[test]
    fn too_many_failures_close_the_page_for_a_minute() {
        let mut forms = Forms::default();
        for _attempt in 0..MAX_FAILURES {
            assert!(!forms.is_limited(0));
            forms.failed(0);
        }
        assert!(forms.is_limited(FAILURE_SECONDS - 1));
        assert!(!forms.is_limited(FAILURE_SECONDS));
    }
}
