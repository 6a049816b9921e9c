//! The classes of values that are recognised by their shape, and the sets of them that a site turns on by name.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use super::MaskFunction;

/// A class of values that is recognised by its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DetectedClass {
    /// An e-mail address.
    Email,
    /// A card number that passes Luhn's check.
    CreditCard,
    /// A social security number of the United States.
    UsSsn,
    /// A telephone number.
    Phone,
    /// An international bank account number that passes its check.
    Iban,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A JSON web token.
    Jwt,
    /// A key of a cloud or a hosted service, told by its prefix.
    CloudKey,
    /// A private key in PEM.
    PrivateKey,
    /// A password or token that a keyword announces.
    GenericSecret,
    /// A class of the site's own.
    Custom(CustomClass),
}

/// The name of a class that a site defined in `masking.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomClass(&'static str);

/// Names of custom classes. Kept for the life of the process, so that a class is as cheap to copy as a built-in one;
/// there are as many as sites ever named, and each is at most 64 bytes long.
static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

impl CustomClass {
    /// The class of this name.
    pub fn new(name: &str) -> Self {
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(name) {
            return Self(known);
        }
        let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
        names.insert(kept);
        Self(kept)
    }
}

impl DetectedClass {
    /// Every built-in class.
    pub const ALL: [Self; 10] = [
        Self::Email,
        Self::CreditCard,
        Self::UsSsn,
        Self::Phone,
        Self::Iban,
        Self::Ip,
        Self::Jwt,
        Self::CloudKey,
        Self::PrivateKey,
        Self::GenericSecret,
    ];

    /// The classes that are searched where a site names none. IP addresses and generic secrets are left to sites that
    /// want them: servers' own settings, versions and logs are full of what looks like them.
    pub const DEFAULT: [Self; 8] = [
        Self::Email,
        Self::CreditCard,
        Self::UsSsn,
        Self::Phone,
        Self::Iban,
        Self::Jwt,
        Self::CloudKey,
        Self::PrivateKey,
    ];

    /// The name of the data class.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::CreditCard => "credit_card",
            Self::UsSsn => "us_ssn",
            Self::Phone => "phone",
            Self::Iban => "iban",
            Self::Ip => "ip",
            Self::Jwt => "jwt",
            Self::CloudKey => "cloud_key",
            Self::PrivateKey => "private_key",
            Self::GenericSecret => "generic_secret",
            Self::Custom(CustomClass(name)) => name,
        }
    }

    /// What is used where a policy names no function.
    pub const fn default_function(self) -> MaskFunction {
        match self {
            Self::Email => MaskFunction::Partial,
            Self::CreditCard | Self::UsSsn | Self::Phone | Self::Iban => MaskFunction::Last4,
            Self::Ip | Self::Jwt | Self::CloudKey | Self::PrivateKey | Self::GenericSecret | Self::Custom(_) => {
                MaskFunction::Redact
            }
        }
    }

    /// The place of a built-in class in [`Self::ALL`]; all custom ones share the place after the last.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Email => 0,
            Self::CreditCard => 1,
            Self::UsSsn => 2,
            Self::Phone => 3,
            Self::Iban => 4,
            Self::Ip => 5,
            Self::Jwt => 6,
            Self::CloudKey => 7,
            Self::PrivateKey => 8,
            Self::GenericSecret => 9,
            Self::Custom(_) => 10,
        }
    }

    /// What a name in `detectors = [...]` turns on: one class, or one of the sets `default`, `pii`, `secret` and `all`.
    pub fn named(name: &str) -> Option<Vec<Self>> {
        let of = |parent: &str| {
            Self::ALL.into_iter().filter(|class| super::parents(class.as_str()).contains(&parent)).collect::<Vec<_>>()
        };
        match name {
            "default" => Some(Self::DEFAULT.to_vec()),
            "all" => Some(Self::ALL.to_vec()),
            "pii" | "secret" => Some(of(name)),
            _ => Self::ALL.into_iter().find(|class| class.as_str() == name).map(|class| vec![class]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_in_its_place_and_in_one_set() {
        for (index, class) in DetectedClass::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), index);
            assert_eq!(DetectedClass::named(class.as_str()), Some(vec![class]));
        }
        let sets = ["pii", "secret"].map(|name| DetectedClass::named(name).unwrap().len());
        assert_eq!(sets.iter().sum::<usize>(), DetectedClass::ALL.len());
        assert_eq!(DetectedClass::named("passport"), None);
    }

    #[test]
    fn a_custom_class_is_known_by_its_name() {
        let class = DetectedClass::Custom(CustomClass::new("badge"));
        assert_eq!(class, DetectedClass::Custom(CustomClass::new("badge")));
        assert_eq!(class.as_str(), "badge");
    }
}
