//! Forms handed out by a page, each good for one POST with its own cookie, and a limit on failed attempts.
//!
//! Pure: time and random tokens are passed in. Knows not what a form is for: `Purpose` is what it was handed out with.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::{HeaderMap, header};

use super::network::Network;

/// How long a form may be sent, in seconds.
pub(super) const FORM_SECONDS: i64 = 600;
const MAX_FORMS: usize = 1_000;
/// Failed attempts that are borne in a minute from one network, and from everybody together.
const MAX_FAILURES: usize = 20;
const MAX_FAILURES_OF_ALL: usize = 600;
const FAILURE_SECONDS: i64 = 60;

struct Form<Purpose> {
    cookie: String,
    purpose: Purpose,
    expires_at: i64,
}

pub(super) struct Forms<Purpose> {
    /// By the token hidden in the form.
    open: BTreeMap<String, Form<Purpose>>,
    failures: VecDeque<(i64, Option<Network>)>,
}

impl<Purpose> Default for Forms<Purpose> {
    fn default() -> Self {
        Self { open: BTreeMap::new(), failures: VecDeque::new() }
    }
}

impl<Purpose> Forms<Purpose> {
    /// Hands out a form; the oldest goes when there are too many.
    pub(super) fn hand_out(&mut self, token: String, cookie: String, purpose: Purpose, now: i64) {
        self.open.retain(|_token, form| now < form.expires_at);
        if self.open.len() >= MAX_FORMS {
            let oldest =
                self.open.iter().min_by_key(|(_token, form)| form.expires_at).map(|(token, _form)| token.clone());
            oldest.and_then(|token| self.open.remove(&token));
        }
        self.open.insert(token, Form { cookie, purpose, expires_at: now + FORM_SECONDS });
    }

    /// Takes a form back: what it was for, when it was open and its cookie came with it. It is spent either way.
    pub(super) fn take_back(&mut self, token: &str, cookie: &str, now: i64) -> Option<Purpose> {
        let form = self.open.remove(token)?;
        let ours = verify_slices_are_equal(form.cookie.as_bytes(), cookie.as_bytes()).is_ok();
        (ours && now < form.expires_at).then_some(form.purpose)
    }

    /// Counts one failed attempt.
    pub(super) fn failed(&mut self, from: Option<IpAddr>, now: i64) {
        self.failures.retain(|(at, _from)| now < at + FAILURE_SECONDS);
        self.failures.push_back((now, from.map(Network::of)));
        if self.failures.len() > MAX_FAILURES_OF_ALL {
            self.failures.pop_front();
        }
    }

    /// Whether so many failed of late that nobody, or nobody of this network, may try now.
    pub(super) fn is_limited(&self, from: Option<IpAddr>, now: i64) -> bool {
        let network = from.map(Network::of);
        let recent = || self.failures.iter().filter(|(at, _from)| now < at + FAILURE_SECONDS);
        recent().filter(|(_at, of)| *of == network).count() >= MAX_FAILURES || recent().count() >= MAX_FAILURES_OF_ALL
    }
}

/// A cookie of a request, by its name.
pub(super) fn cookie<'headers>(headers: &'headers HeaderMap, name: &str) -> Option<&'headers str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _value)| *found == name).map(|(_name, value)| value)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_form_serves_once_and_only_with_its_cookie() {
        let mut forms = Forms::default();
        forms.hand_out("token".into(), "cookie".into(), 7, 0);
        assert_eq!(forms.take_back("token", "cookie", 1), Some(7));
        assert_eq!(forms.take_back("token", "cookie", 1), None);
        forms.hand_out("token".into(), "cookie".into(), 7, 0);
        assert_eq!(forms.take_back("token", "other", 1), None);
        forms.hand_out("token".into(), "cookie".into(), 7, 0);
        assert_eq!(forms.take_back("token", "cookie", FORM_SECONDS), None);
    }

    #[test]
    fn too_many_failures_close_the_page_for_a_minute_to_who_made_them() {
        let mut forms = Forms::<()>::default();
        let mallory = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        for _attempt in 0..MAX_FAILURES {
            assert!(!forms.is_limited(mallory, 0));
            forms.failed(mallory, 0);
        }
        assert!(forms.is_limited(mallory, FAILURE_SECONDS - 1));
        assert!(!forms.is_limited(None, 0), "somebody else");
        assert!(!forms.is_limited(mallory, FAILURE_SECONDS));
    }

    #[test]
    fn another_address_of_the_same_ipv6_network_is_the_same_stranger() {
        let mut forms = Forms::<()>::default();
        let at = |host: u16| Some(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]));
        for host in 0..u16::try_from(MAX_FAILURES).unwrap() {
            assert!(!forms.is_limited(at(host), 0));
            forms.failed(at(host), 0);
        }
        assert!(forms.is_limited(at(0xffff), 0));
        assert!(!forms.is_limited(Some(IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1])), 0), "the neighbour's network");
    }

    #[test]
    fn many_addresses_together_close_it_too() {
        let mut forms = Forms::<()>::default();
        for number in 0..u32::try_from(MAX_FAILURES_OF_ALL).unwrap() {
            forms.failed(Some(IpAddr::V4(Ipv4Addr::from(number))), 0);
        }
        assert!(forms.is_limited(None, 0));
    }
}
