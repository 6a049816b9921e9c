//! How somebody authenticated, and what a policy demands of it before an approval counts.
//!
//! Pure values and one comparison: the moment is passed in. Read from tokens by `identity`, demanded by `policy`.

use serde::{Deserialize, Serialize};

/// How far the issuer's clock may be ahead of ours.
pub const CLOCK_SKEW_SECONDS: i64 = 60;

/// When and how the person behind a token last proved who they are. Nothing here is renewed by renewing a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    /// `auth_time`: seconds since 1970; `None` where the issuer does not say, which is never fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
    /// `acr`: the issuer's word for how strong it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
}

/// What a policy demands of a reviewer's authentication; everything that is named must hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepUp {
    /// How long ago it may have been.
    pub max_age_seconds: Option<u32>,
    /// Which `acr` it must have had: one of these words, separated by spaces.
    pub acr: Option<String>,
}

impl StepUp {
    /// Whether an authentication is as recent and as strong as demanded. What is not known does not count.
    pub fn is_met_by(&self, authentication: &Authentication, now_seconds: i64) -> bool {
        let recent = self.max_age_seconds.is_none_or(|most| {
            authentication.at.is_some_and(|at| {
                let age = now_seconds.saturating_sub(at);
                (-CLOCK_SKEW_SECONDS..=i64::from(most)).contains(&age)
            })
        });
        let strong = self.acr.as_deref().is_none_or(|wanted| {
            authentication.acr.as_deref().is_some_and(|acr| wanted.split(' ').any(|word| word == acr))
        });
        recent && strong
    }

    /// Both demands as one: the shorter time; of two different `acr` the first, since one login has only one.
    #[must_use]
    pub fn and(self, more: &Self) -> Self {
        let max_age_seconds = match (self.max_age_seconds, more.max_age_seconds) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self { max_age_seconds, acr: self.acr.or_else(|| more.acr.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn demand(max_age_seconds: Option<u32>, acr: Option<&str>) -> StepUp {
        StepUp { max_age_seconds, acr: acr.map(str::to_owned) }
    }

    fn proved(at: Option<i64>, acr: Option<&str>) -> Authentication {
        Authentication { at, acr: acr.map(str::to_owned) }
    }

    #[test]
    fn only_a_known_recent_authentication_is_fresh() {
        let fresh = demand(Some(900), None);
        for (at, met) in [
            (Some(NOW), true),
            (Some(NOW - 900), true),
            (Some(NOW - 901), false),
            (Some(NOW + 60), true),
            (Some(NOW + 61), false),
            (Some(i64::MAX), false),
            (Some(i64::MIN), false),
            (Some(0), false),
            (None, false),
        ] {
            assert_eq!(fresh.is_met_by(&proved(at, Some("phr")), NOW), met, "{at:?}");
        }
    }

    #[test]
    fn only_a_named_acr_is_strong() {
        let strong = demand(None, Some("phr phrh"));
        for (acr, met) in
            [(Some("phr"), true), (Some("phrh"), true), (Some("phr phrh"), false), (Some(""), false), (None, false)]
        {
            assert_eq!(strong.is_met_by(&proved(None, acr), NOW), met, "{acr:?}");
        }
    }

    #[test]
    fn everything_named_must_hold() {
        let both = demand(Some(60), Some("phr"));
        assert!(both.is_met_by(&proved(Some(NOW - 60), Some("phr")), NOW));
        assert!(!both.is_met_by(&proved(Some(NOW - 61), Some("phr")), NOW));
        assert!(!both.is_met_by(&proved(Some(NOW - 60), Some("pwd")), NOW));
    }

    #[test]
    fn two_demands_are_one_that_is_at_least_as_strict_in_time() {
        let both = demand(Some(900), None).and(&demand(Some(60), Some("phr")));
        assert_eq!(both, demand(Some(60), Some("phr")));
        assert_eq!(demand(None, Some("a")).and(&demand(None, Some("b"))), demand(None, Some("a")));
    }
}
