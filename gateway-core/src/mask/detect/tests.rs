//! What is found, what is not, and what a mask leaves behind.

use proptest::prelude::*;

use super::*;

fn found(text: &str) -> Vec<String> {
    let mut hits = Vec::new();
    let classes = [DetectedClass::Email, DetectedClass::CreditCard];
    let both = classes.into_iter().fold(Detectors::none(), |both, class| both.with(class, class.default_function()));
    both.find(text.as_bytes(), &mut hits);
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
    fn no_address_survives(local in "[a-z0-9][a-z0-9._+-]{0,20}[a-z0-9]", domain in "[a-z0-9]{1,10}(\\.[a-z]{2,6}){1,3}", before in "[ ,;:<(\"]", after in "[ ,;>)\"]", function in 0..MaskFunction::ALL.len()) {
        let address = format!("{local}@{domain}");
        let text = format!("x{before}{address}{after}y");
        let detectors = Detectors::builtin().with(DetectedClass::Email, MaskFunction::ALL[function]);
        let masked = detectors.mask_text(&text).expect("a hit");
        prop_assert!(!masked.contains(&address), "{}", masked);
        prop_assert!(!masked.contains(&format!("@{domain}")), "{}", masked);
    }

    #[test]
    fn no_card_survives(body in "4[0-9]{14}|5[0-9]{14}|37[0-9]{12}|6[0-9]{17}", separator in prop::sample::select(vec!["", " ", "-"]), before in "[a-z,;: ]{0,3}", function in 0..MaskFunction::ALL.len()) {
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

fn classes(text: &str) -> Vec<(&'static str, String)> {
    let mut hits = Vec::new();
    Detectors::builtin().find(text.as_bytes(), &mut hits);
    hits.into_iter()
        .map(|hit| (hit.class.as_str(), text.get(hit.range).expect("whole characters").to_owned()))
        .collect()
}

#[test]
fn finds_each_class_where_people_write_it() {
    for (class, text, expected) in [
        ("us_ssn", "SSN 123-45-6789.", "123-45-6789"),
        ("us_ssn", "ssn: 123 45 6789", "123 45 6789"),
        ("us_ssn", "{\"ssn\":\"123456789\"}", "123456789"),
        ("phone", "call +49 30 1234567 now", "+49 30 1234567"),
        ("phone", "(201) 555-0123", "(201) 555-0123"),
        ("phone", "(201)555-0123", "(201)555-0123"),
        ("phone", "201.555.0123x456", "201.555.0123x456"),
        ("phone", "001-201-555-0123", "001-201-555-0123"),
        ("phone", "+1-201-555-0123", "+1-201-555-0123"),
        ("phone", "+12015550123", "+12015550123"),
        ("phone", "+44(0)113 496 0123", "+44(0)113 496 0123"),
        ("phone", "+49 (0) 1234 567890", "+49 (0) 1234 567890"),
        ("phone", "+33 (0)1 23 45 67 89", "+33 (0)1 23 45 67 89"),
        ("phone", "01 23 45 67 89", "01 23 45 67 89"),
        ("phone", "0113 496 0123", "0113 496 0123"),
        ("phone", "(0113) 496 0123", "(0113) 496 0123"),
        ("phone", "(07700)900123", "(07700)900123"),
        ("phone", "phone: 2015550123", "2015550123"),
        ("iban", "pay to DE89 3704 0044 0532 0130 00.", "DE89 3704 0044 0532 0130 00"),
        ("iban", "GB82WEST12345698765432", "GB82WEST12345698765432"),
        ("ip", "from 192.168.17.4:5432", "192.168.17.4"),
        ("ip", "10.1.0.0/16", "10.1.0.0"),
        ("ip", "http://203.0.113.9/x", "203.0.113.9"),
        ("ip", "[2001:db8::8a2e:370:7334]:443", "2001:db8::8a2e:370:7334"),
        ("ip", "fe80::1 is up", "fe80::1"),
        (
            "jwt",
            "t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl;",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        ),
        ("cloud_key", "id AKIAIOSFODNN7EXAMPLE end", "AKIAIOSFODNN7EXAMPLE"),
        (
            "private_key",
            "k: -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- x",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        ),
        ("private_key", "-----BEGIN PRIVATE KEY-----\\nMIIE", "-----BEGIN PRIVATE KEY-----\\nMIIE"),
        ("generic_secret", "DB_PASSWORD='xK9#mP2$vL5n'", "xK9#mP2$vL5n"),
    ] {
        assert_eq!(classes(text), [(class, expected.to_owned())], "{text}");
    }
}

#[test]
fn leaves_what_only_looks_like_it() {
    for text in [
        "order 123-45-67890",
        "A-123-45-6789",
        "000-12-3456",
        "666-12-3456",
        "912-34-5678",
        "123-45-6789-1",
        "2026-11-21 01:39:34.123456+00",
        "01-02-2024 10:30",
        "ISBN 978-3-16-148410-0",
        "0-306-40615-2",
        "version 1.2.3.4",
        "v1.2.3.4",
        "Chrome/120.0.0.0",
        "1.2.3.4.5",
        "300.1.2.3",
        "1.3.6.1.4.1.311",
        "01.02.03.04",
        "00:1b:63:84:45:e6",
        "12:30:45",
        "std::vector",
        "'x'::date",
        "abc::def",
        "DE89370400440532013001",
        "XX89370400440532013000",
        "127.0.0.1",
        "::1",
        "0.0.0.0",
        "255.255.255.0",
        "1Z999AA10123456784",
        "4711",
        "199.90",
        "1234567890",
        "$201-555-0123",
        "550e8400-e29b-41d4-a716-446655440000",
        "d41d8cd98f00b204e9800998ecf8427e",
        "-----BEGIN CERTIFICATE-----\nMIID",
        "{1,2,3,4,5,6,7,8,9,10,11,12,13,14}",
    ] {
        assert_eq!(classes(text), [], "{text}");
    }
}

#[test]
fn detectors_of_the_site_find_what_they_say() {
    let badge = CustomDetector::new("badge", "EMP-[0-9]{6}", None, vec![]).expect("compiles");
    let member =
        CustomDetector::new("member", "[0-9]{8}", Some(Validator::Luhn), vec!["Member".into()]).expect("compiles");
    let known = Detectors::none().knowing(Arc::from([badge.clone(), member.clone()]));
    assert_eq!(known.mask_text("EMP-123456"), None);
    let active = known.with(badge.class(), MaskFunction::Redact).with(member.class(), MaskFunction::Last4);
    assert_eq!(active.mask_text("x EMP-123456, member 12345674").as_deref(), Some("x [badge], member *****5674"));
    assert_eq!(active.mask_text("12345674 member 12345675"), None);
    assert!(active.idle().is_empty() && active.classes().count() == 2);
    assert_eq!(CustomDetector::new("x", "a*", None, vec![]), Err(CustomDetectorError::Empty));
    assert!(matches!(CustomDetector::new("x", "(", None, vec![]), Err(CustomDetectorError::Pattern(_))));
    assert!(matches!(
        CustomDetector::new("x", "(?:a{1000}){1000}", None, vec![]),
        Err(CustomDetectorError::Pattern(_))
    ));
}
