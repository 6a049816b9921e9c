//! What is found, what is not, and what a mask leaves behind.

use proptest::prelude::*;

use super::*;

fn found(text: &str) -> Vec<String> {
    let mut hits = Vec::new();
    Detectors::builtin().find(text.as_bytes(), &mut hits);
    hits.into_iter().map(|hit| text.get(hit.range).expect("a hit on character boundaries").to_owned()).collect()
}

#[test]
fn finds_addresses_where_people_write_them() {
    for (text, expected) in [
        ("jane.doe+x@mail.example.co.uk", "jane.doe+x@mail.example.co.uk"),
        ("write to <jane@example.com>.", "jane@example.com"),
        ("{\"email\":\"jane@example.com\"}", "jane@example.com"),
        ("mailto:jane@example.com?subject=x", "jane@example.com"),
        ("'jane@example.com'", "jane@example.com"),
        ("jane@example.com.", "jane@example.com"),
        ("jane@example.com-", "jane@example.com"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("jörg@exämple.de", "jörg@exämple.de"),
    ] {
        assert_eq!(found(text), [expected], "{text}");
    }
    assert_eq!(found("a@b.com,c@d.org;e@f.net"), ["a@b.com", "c@d.org", "e@f.net"]);
}

#[test]
fn leaves_what_is_no_address() {
    for text in
        ["@handle", "a@localhost", "root@10.0.0.12", "a @ b.com", "x@.com", "x@-a.com", "5 @ 3.50", "@@", "a@b.c"]
    {
        assert!(found(text).is_empty(), "{text}");
    }
}

#[test]
fn finds_cards_with_and_without_separators() {
    for text in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "5555555555554444",
        "30569309025904",
        "2223003122003222",
        "4222222222222",
    ] {
        assert_eq!(found(text), [text]);
        assert_eq!(found(&format!("card={text}, thanks")), [text]);
    }
    assert_eq!(found("123 4111 1111 1111 1111"), ["4111 1111 1111 1111"]);
    assert_eq!(found("4111111111111111.00"), ["4111111111111111"]);
    assert_eq!(found("{4111111111111111,5555555555554444}").len(), 2);
}

#[test]
fn leaves_what_only_looks_like_a_card() {
    for text in [
        "4111111111111112",
        "0000000000000000",
        "41111111111111111111111111",
        "41111111-1111-1111-1111-111111111111",
        "4111111111111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "0.4111111111111111",
        "1732153200000000",
        "2024-01-02 2024-01-03",
        "4111  1111  1111  1111",
    ] {
        assert!(found(text).is_empty(), "{text}");
    }
}

#[test]
fn an_address_that_holds_a_card_is_one_hit() {
    assert_eq!(found("4111111111111111@example.com"), ["4111111111111111@example.com"]);
    assert_eq!(Detectors::builtin().mask_text("4111111111111111@example.com").unwrap(), "4****@*****.com");
}

#[test]
fn an_inactive_detector_finds_nothing() {
    let cards = Detectors::none().with(DetectedClass::CreditCard, MaskFunction::Redact);
    assert_eq!(cards.mask_text("jane@example.com"), None);
    assert_eq!(cards.mask_text("pay 4111111111111111").as_deref(), Some("pay [credit_card]"));
    assert_eq!(Detectors::none().mask_text("jane@example.com 4111111111111111"), None);
}

/// Digits with a valid check digit at the end.
fn luhn(mut digits: String) -> String {
    let check = ('0'..='9').find(|check| is_card(format!("{digits}{check}").as_bytes()));
    digits.push(check.expect("one of ten check digits fits"));
    digits
}

proptest! {
    #[test]
    fn no_address_survives(local in "[a-z0-9][a-z0-9._+-]{0,20}[a-z0-9]", domain in "[a-z0-9]{1,10}(\\.[a-z]{2,6}){1,3}", before in "[ ,;:<(\"]", after in "[ ,;>)\"]", function in 0..4_usize) {
        let address = format!("{local}@{domain}");
        let text = format!("x{before}{address}{after}y");
        let detectors = Detectors::builtin().with(DetectedClass::Email, MaskFunction::ALL[function]);
        let masked = detectors.mask_text(&text).expect("a hit");
        prop_assert!(!masked.contains(&address), "{}", masked);
        prop_assert!(!masked.contains(&format!("@{domain}")), "{}", masked);
    }

    #[test]
    fn no_card_survives(body in "4[0-9]{14}|5[0-9]{14}|37[0-9]{12}|6[0-9]{17}", separator in prop::sample::select(vec!["", " ", "-"]), before in "[a-z,;: ]{0,3}", function in 0..4_usize) {
        let card = luhn(body);
        let groups: Vec<&str> = card.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).unwrap()).collect();
        let written = groups.join(separator);
        let detectors = Detectors::builtin().with(DetectedClass::CreditCard, MaskFunction::ALL[function]);
        let masked = detectors.mask_text(&format!("{before}{written} end")).expect("a hit");
        prop_assert!(!masked.contains(&written), "{}", masked);
        prop_assert!(!masked.contains(card.get(..card.len() - 4).unwrap()), "{}", masked);
    }

    #[test]
    fn hits_are_ordered_apart_and_on_character_boundaries(text in "([a-zé.@ 0-9-]|4111111111111111|a@b\\.com){0,60}") {
        let mut hits = Vec::new();
        Detectors::builtin().find(text.as_bytes(), &mut hits);
        let mut end = 0;
        for hit in hits {
            prop_assert!(hit.range.start >= end && hit.range.end > hit.range.start);
            prop_assert!(text.is_char_boundary(hit.range.start) && text.is_char_boundary(hit.range.end));
            end = hit.range.end;
        }
    }

    #[test]
    fn the_filter_never_hides_a_hit(text in "([a-z@.]|[0-9]{4,16}|4111111111111111){0,40}") {
        let mut hits = Vec::new();
        Detectors::builtin().find(text.as_bytes(), &mut hits);
        prop_assert!(hits.is_empty() || Detectors::builtin().may_hit(text.as_bytes()));
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut hits = Vec::new();
        Detectors::builtin().find(&bytes, &mut hits);
        for hit in hits {
            prop_assert!(bytes.get(hit.range).is_some());
        }
    }
}
