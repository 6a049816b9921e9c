//! What a theme promises: enough contrast, nothing by colour alone, and ASCII where that is all there is.

use std::collections::BTreeSet;

use super::*;

const NAMES: [ThemeName; 3] = [ThemeName::Dark, ThemeName::Light, ThemeName::HighContrast];

fn surroundings<'a>(term: &'a str, colorterm: &'a str, locale: &'a str) -> Surroundings<'a> {
    Surroundings { colour: true, colorterm, term, locale, ascii: false }
}

#[test]
fn the_depth_is_what_the_terminal_can_show_and_no_colour_is_none() {
    let fitting = |surroundings: &Surroundings<'_>| Theme::fitting(ThemeName::Dark, surroundings).depth();
    let depth = |term, colorterm| fitting(&surroundings(term, colorterm, ""));
    assert_eq!(depth("xterm-256color", "truecolor"), Depth::True);
    assert_eq!(depth("xterm-direct", ""), Depth::True);
    assert_eq!(depth("tmux-256color", ""), Depth::Indexed);
    assert_eq!(depth("xterm", ""), Depth::Sixteen);
    assert_eq!(depth("vt100", ""), Depth::Mono);
    assert_eq!(depth("dumb", "truecolor"), Depth::Mono);
    let without = Surroundings { colour: false, ..surroundings("xterm-256color", "truecolor", "") };
    assert_eq!(fitting(&without), Depth::Mono);
}

#[test]
fn a_locale_that_is_not_utf_8_gets_ascii() {
    let ascii = |locale| Theme::fitting(ThemeName::Dark, &surroundings("xterm", "", locale)).is_ascii();
    let read: Vec<bool> =
        ["de_DE.UTF-8", "C.utf8", "en_US.utf8@euro", "", "C", "POSIX", "de_DE.ISO-8859-1"].map(ascii).to_vec();
    assert_eq!(read, [false, false, false, false, true, true, true]);
    let asked = Surroundings { ascii: true, ..surroundings("xterm", "", "C.UTF-8") };
    assert!(Theme::fitting(ThemeName::Dark, &asked).is_ascii());
}

#[test]
fn in_mono_there_is_no_colour_and_every_state_has_a_sign_of_its_own() {
    for name in NAMES {
        let theme = Theme::new(name, Depth::Mono, false);
        for role in Role::ALL {
            let style = theme.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
        let stands_out = [Role::Ok, Role::Warn, Role::Bad, Role::Held, Role::Masked, Role::Selection, Role::Match];
        for role in stands_out {
            assert_ne!(theme.style(role), theme.style(Role::Text), "{role:?} looks like text");
        }
    }
    for ascii in [false, true] {
        let theme = Theme::new(ThemeName::Dark, Depth::Mono, ascii);
        let states = [Sign::Permitted, Sign::Refused, Sign::Failed, Sign::Held, Sign::Masked, Sign::Live, Sign::Cut];
        let signs: BTreeSet<&str> = states.into_iter().map(|sign| theme.sign(sign)).collect();
        assert_eq!(signs.len(), states.len());
    }
}

#[test]
fn every_sign_is_one_cell_and_ascii_where_it_must_be() {
    for sign in Sign::ALL {
        assert_eq!(ratatui::text::Span::raw(sign.unicode()).width(), 1, "{sign:?}");
        assert!(sign.ascii().is_ascii() && sign.ascii().len() == 1, "{sign:?}");
    }
    let borders = Theme::new(ThemeName::Dark, Depth::Mono, true).borders();
    assert!([borders.top_left, borders.vertical_left, borders.horizontal_top].concat().is_ascii());
}

/// The contrast of two colours as WCAG 2 counts it.
fn contrast(one: (u8, u8, u8), other: (u8, u8, u8)) -> f64 {
    let light = |(red, green, blue): (u8, u8, u8)| {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    };
    let (one, other) = (light(one), light(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_role_can_be_read_on_its_background() {
    let grounds = [(Palette::DARK, (0x1e, 0x1e, 0x1e), 4.5), (Palette::LIGHT, (0xff, 0xff, 0xff), 4.5)];
    let strong = [(Palette::HIGH_CONTRAST, (0, 0, 0), 7.0)];
    for (palette, ground, least) in grounds.into_iter().chain(strong) {
        for role in Role::ALL {
            let Some(ink) = palette.foreground(role) else { continue };
            let behind = palette.background(role).map_or(ground, |ink| ink.rgb);
            // Lines need not be read.
            let least = if role == Role::Border { 3.0 } else { least };
            let found = contrast(ink.rgb, behind);
            assert!(found >= least, "{role:?} has {found:.1} on {behind:?}");
        }
    }
}

#[test]
fn fewer_colours_are_the_nearest() {
    let theme = |depth| Theme::new(ThemeName::Dark, depth, false);
    assert_eq!(theme(Depth::True).foreign(Color::Rgb(1, 2, 3)), Some(Color::Rgb(1, 2, 3)));
    assert_eq!(theme(Depth::Indexed).foreign(Color::Rgb(255, 0, 0)), Some(Color::Indexed(196)));
    assert_eq!(theme(Depth::Indexed).foreign(Color::Rgb(128, 128, 128)), Some(Color::Indexed(244)));
    assert_eq!(theme(Depth::Sixteen).foreign(Color::Rgb(255, 0, 0)), Some(Color::Indexed(9)));
    assert_eq!(theme(Depth::Sixteen).foreign(Color::Indexed(21)), Some(Color::Indexed(12)));
    assert_eq!(theme(Depth::Sixteen).foreign(Color::Indexed(3)), Some(Color::Indexed(3)));
    assert_eq!(theme(Depth::Mono).foreign(Color::Rgb(255, 0, 0)), None);
}

#[test]
fn nothing_that_a_terminal_acts_on_or_cannot_show_is_left_in_a_cell() {
    let area = Rect::new(0, 0, 4, 1);
    let mut buffer = Buffer::empty(area);
    for (column, symbol) in (0..).zip(["\u{1b}", "é", "a", "\u{202e}"]) {
        buffer[(column, 0)].set_symbol(symbol);
    }
    let mut plain = buffer.clone();
    Theme::new(ThemeName::Dark, Depth::Mono, false).settle(area, &mut buffer);
    Theme::new(ThemeName::Dark, Depth::Mono, true).settle(area, &mut plain);
    let symbols = |buffer: &Buffer| buffer.content().iter().map(|cell| cell.symbol().to_owned()).collect::<String>();
    assert_eq!((symbols(&buffer), symbols(&plain)), ("\u{fffd}éa\u{fffd}".into(), "??a?".into()));
}
