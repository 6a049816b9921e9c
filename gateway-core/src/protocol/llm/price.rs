//! What tokens cost: dollars for a million tokens of a prompt and of an answer, for each model.

use std::{collections::BTreeMap, str::FromStr};

/// Prices of one model, in microdollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    input: u64,
    output: u64,
}

/// Prices by name of the model; a name that ends with `*` is that of every model that begins so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prices(BTreeMap<String, Price>);

/// Why a text is no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a price is dollars for a million tokens of the prompt and of the answer: \"0.15 / 0.60\"")]
pub struct PriceError;

impl FromStr for Price {
    type Err = PriceError;

    fn from_str(text: &str) -> Result<Self, PriceError> {
        let (input, output) = text.split_once('/').ok_or(PriceError)?;
        Ok(Self { input: microdollars(input.trim())?, output: microdollars(output.trim())? })
    }
}

/// `0.15` dollars as microdollars; at most six places behind the point.
fn microdollars(text: &str) -> Result<u64, PriceError> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 6 || part.len() > 6 || !digits(whole) || !digits(part) {
        return Err(PriceError);
    }
    let number = |text: &str| text.parse::<u64>().map_err(|_invalid| PriceError);
    let part = if part.is_empty() { 0 } else { number(&format!("{part:0<6}"))? };
    Ok(number(whole)? * 1_000_000 + part)
}

impl Price {
    /// What so many tokens cost, in microdollars, rounded up.
    pub fn spend(self, input: u64, output: u64) -> u64 {
        let cost = u128::from(self.input) * u128::from(input) + u128::from(self.output) * u128::from(output);
        u64::try_from(cost.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

impl Prices {
    /// These prices.
    pub fn new(prices: BTreeMap<String, Price>) -> Self {
        Self(prices)
    }

    /// The price of a model: its own, or that of the longest name it begins with.
    pub fn of(&self, model: &str) -> Option<Price> {
        let begins = |name: &str| name.strip_suffix('*').is_some_and(|start| model.starts_with(start));
        let alike = self.0.iter().filter(|(name, _)| begins(name)).max_by_key(|(name, _)| name.len());
        self.0.get(model).or(alike.map(|(_, price)| price)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_and_counted_exactly() {
        let price: Price = "0.15 / 0.60".parse().unwrap();
        assert_eq!(price.spend(1_000_000, 1_000_000), 750_000);
        assert_eq!(price.spend(1, 0), 1, "rounded up");
        for wrong in ["", "1", "1/", "-1/2", "1/2/3", "0.1234567/1", "a/b", "1e3/2"] {
            assert!(wrong.parse::<Price>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_longest_name_is_the_models() {
        let price = |text: &str| text.parse::<Price>().unwrap();
        let prices = [("gpt-*", "1/1"), ("gpt-4o*", "2/2"), ("gpt-4o-mini", "3/3")];
        let prices = Prices::new(prices.into_iter().map(|(name, text)| (name.to_owned(), price(text))).collect());
        assert_eq!(prices.of("gpt-4o-mini"), Some(price("3/3")));
        assert_eq!(prices.of("gpt-4o-mini-2024-07-18"), Some(price("2/2")));
        assert_eq!(prices.of("gpt-3"), Some(price("1/1")));
        assert_eq!(prices.of("claude"), None);
    }
}
