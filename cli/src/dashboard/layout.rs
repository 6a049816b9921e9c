//! Where things are on the screen. Pure: drawing and scrolling ask the same function, so they cannot disagree.

use ratatui::layout::Rect;

/// A smaller screen is told what it lacks.
pub(crate) const SMALLEST: (u16, u16) = (80, 24);
/// From here on the list and the request stand side by side.
const WIDE: u16 = 140;

/// The parts of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Areas {
    /// Gateway, who, token, counts.
    pub(crate) title: Rect,
    /// The names of the pages.
    pub(crate) tabs: Rect,
    /// That the gateway is lost; empty otherwise.
    pub(crate) banner: Rect,
    /// The page.
    pub(crate) body: Rect,
    /// Of the page of approvals, the list; empty where the request has it all.
    pub(crate) list: Rect,
    /// And the request.
    pub(crate) detail: Rect,
    /// What there is to say.
    pub(crate) notice: Rect,
    /// What can be pressed.
    pub(crate) hints: Rect,
}

/// Divides a screen; `None` where it is too small.
pub(crate) fn areas((columns, rows): (u16, u16), has_banner: bool, zoomed: bool) -> Option<Areas> {
    if columns < SMALLEST.0 || rows < SMALLEST.1 {
        return None;
    }
    let row = |y: u16, height: u16| Rect::new(0, y, columns, height);
    let banner = u16::from(has_banner);
    let body = row(2 + banner, rows - 4 - banner);
    let (list, detail) = halves(body, zoomed);
    Some(Areas {
        title: row(0, 1),
        tabs: row(1, 1),
        banner: row(2, banner),
        body,
        list,
        detail,
        notice: row(rows - 2, 1),
        hints: row(rows - 1, 1),
    })
}

fn halves(body: Rect, zoomed: bool) -> (Rect, Rect) {
    if zoomed {
        return (Rect { height: 0, ..body }, body);
    }
    if body.width >= WIDE {
        let left = body.width * 9 / 20;
        let list = Rect { width: left, ..body };
        return (list, Rect { x: left + 2, width: body.width - left - 2, ..body });
    }
    let above = (body.height * 2 / 5).max(4);
    let list = Rect { height: above, ..body };
    (list, Rect { y: body.y + above, height: body.height - above, ..body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_cover_the_screen_and_do_not_overlap() {
        for size in [(80, 24), (139, 24), (140, 24), (200, 50), (1000, 400)] {
            for (has_banner, zoomed) in [(false, false), (true, false), (false, true), (true, true)] {
                let areas = areas(size, has_banner, zoomed).expect("large enough");
                let rows = [areas.title, areas.tabs, areas.banner, areas.body, areas.notice, areas.hints];
                assert_eq!(rows.iter().map(|area| area.height).sum::<u16>(), size.1);
                assert!(rows.windows(2).all(|pair| pair[0].bottom() == pair[1].y));
                assert!(areas.list.intersection(areas.detail).is_empty());
                assert_eq!(areas.body.union(areas.detail), areas.body);
                assert!(zoomed || areas.list.height >= 4);
            }
        }
    }

    #[test]
    fn what_is_too_small_has_no_parts() {
        assert_eq!(areas((79, 24), false, false), None);
        assert_eq!(areas((80, 23), false, false), None);
    }
}
