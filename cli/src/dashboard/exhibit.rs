//! Everything a reviewer must see of one request, as rows of a given width. Says which rows show what an approval is
//! bound to. Pure; made anew when the request or the width changes.

use std::{collections::BTreeSet, ops::Range};

use hoop_gateway_core::{
    api::types::{ApprovalItem, ReviewItem},
    model::{ApprovalId, PrincipalKind},
};
use ratatui::text::{Line, Span};

use super::{
    extra::{Asks, Earlier, Extra, Login},
    moments,
    request::{Request, Standing},
};
use crate::{
    output::printable_line,
    paint::{Painted, Role, Theme, width},
    whoami,
};

/// The document of one request.
#[derive(Debug, Clone)]
pub(crate) struct Exhibit {
    /// Which request.
    pub(crate) id: ApprovalId,
    /// Its rows, none wider than the width.
    pub(crate) rows: Vec<Line<'static>>,
    /// The rows of what an approval is bound to: the statement and its parameters, or the access that is asked for.
    pub(crate) bound: Range<usize>,
    width: u16,
    theme: Theme,
}

/// The labels before the facts have this many columns.
const LABEL: usize = 11;
/// The statement stands in by this much.
const INDENT: u16 = 2;

impl Exhibit {
    /// Lays a request out in so many columns.
    pub(crate) fn new(request: &Request, width: u16, theme: Theme) -> Self {
        let (item, extra) = (&request.item, &request.extra);
        let mut page = Page { rows: Vec::new(), width, theme };
        page.heading(item, extra);
        page.blank();
        let first = page.rows.len();
        page.bound(item, extra);
        let bound = first..page.rows.len();
        page.blank();
        page.facts(item, extra);
        page.decisions(item, extra);
        Self { id: item.id.clone(), rows: page.rows, bound, width, theme }
    }

    /// The same layout of a request that changed.
    pub(crate) fn again(&self, request: &Request) -> Self {
        Self::new(request, self.width, self.theme)
    }

    /// The columns it was laid out in.
    pub(crate) const fn width(&self) -> u16 {
        self.width
    }

    /// Whether it was laid out for this.
    pub(crate) fn fits(&self, width: u16, theme: Theme) -> bool {
        self.width == width && self.theme == theme
    }
}

struct Page {
    rows: Vec<Line<'static>>,
    width: u16,
    theme: Theme,
}

impl Page {
    fn heading(&mut self, item: &ApprovalItem, extra: &Extra) {
        self.fact("who", &chain(item, extra), Role::Accent);
        let place = format!("{}, database {} as role {}", item.connection, item.database, item.role);
        self.fact("where", &place, Role::Text);
        if !extra.search_path.is_empty() {
            self.fact("search path", &joined(&extra.search_path), Role::Text);
        }
        if extra.asks == Asks::Operation {
            self.fact("what", &format!("{} ({}) on {}", item.kind, item.effect, joined(&item.objects)), Role::Text);
            let reasons = item.risk_reasons.join("; ");
            let risk = if reasons.is_empty() { String::new() } else { format!(": {reasons}") };
            let role = if item.risk >= RISKY { Role::Bad } else { Role::Text };
            self.fact("risk", &format!("{} of 100{risk}", item.risk), role);
        }
        if let Some(proposed_by) = &item.proposed_by {
            self.fact("proposed by", &proposed_by.describe(), Role::Text);
        }
        if let Some(message) = &item.message {
            self.fact("policy says", message, Role::Held);
        }
    }

    /// What the approval is bound to, whole: SQL in the colours of the language, then the parameters.
    fn bound(&mut self, item: &ApprovalItem, extra: &Extra) {
        match extra.asks {
            Asks::Operation => self.inset(&Painted::sql(&item.text)),
            Asks::Access => self.inset(&Painted::text(Role::Accent, &access(item, extra))),
        }
        for (index, value) in item.parameters.iter().enumerate() {
            let value =
                value.as_deref().map_or_else(|| "NULL".to_owned(), |value| format!("'{}'", printable_line(value)));
            self.inset(&Painted::text(Role::Parameter, &format!("${} = {value}", index + 1)));
        }
    }

    fn inset(&mut self, painted: &Painted) {
        for mut line in painted.lines(self.width.saturating_sub(INDENT), self.theme) {
            line.spans.insert(0, Span::raw(" ".repeat(usize::from(INDENT))));
            self.rows.push(line);
        }
    }

    fn facts(&mut self, item: &ApprovalItem, extra: &Extra) {
        if extra.asks == Asks::Operation {
            self.fact("rows", &estimated(item), Role::Text);
        }
        if item.export {
            self.fact("export", "rows leave in bulk", Role::Warn);
        }
        if !item.filters_on.is_empty() {
            self.fact("compares", &joined(&item.filters_on), Role::Masked);
        }
        let rules: Vec<String> = item.rules.iter().map(ToString::to_string).collect();
        self.fact("held by", &joined(&rules), Role::Text);
        self.fact("needs", &needs(item), Role::Text);
        if let Some(need) = &extra.step_up {
            self.fact("fresh login", &step_up(need), Role::Warn);
        }
        if let (Some(shape), Some(longest)) = (&extra.shape, extra.shape_for_seconds) {
            let short: String = shape.chars().take(16).collect();
            self.fact("shape", &format!("{short}, may be approved for up to {}", moments::span(longest)), Role::Text);
        }
        if extra.retries > 0 {
            self.fact("retries", &format!("asked again {} times while it waits", extra.retries), Role::Dim);
        }
        self.fact("session", extra.session.as_deref().unwrap_or("-"), Role::Dim);
        self.fact("asked", &moments::moment(item.created_at_millis), Role::Dim);
        self.fact("request", item.id.as_str(), Role::Dim);
    }

    fn decisions(&mut self, item: &ApprovalItem, extra: &Extra) {
        if !item.reviews.is_empty() {
            self.blank();
            self.plain("Reviews", Role::Title);
            item.reviews.iter().for_each(|one| self.plain(&review(one), Role::Text));
        }
        if !extra.history.is_empty() {
            self.blank();
            self.plain("Earlier, of the same shape", Role::Title);
            extra.history.iter().for_each(|one| self.plain(&history(one), Role::Dim));
        }
    }

    /// A label and a fact, which wraps beneath itself.
    fn fact(&mut self, label: &str, text: &str, role: Role) {
        let room = self.width.saturating_sub(u16::try_from(LABEL + 1).unwrap_or(u16::MAX));
        let text = folded(&printable_line(text), usize::from(room));
        let lines = Painted::text(role, &text).lines(room, self.theme);
        for (index, mut line) in lines.into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            line.spans.insert(0, Span::styled(format!("{label:<LABEL$} "), self.theme.style(Role::Dim)));
            self.rows.push(line);
        }
    }

    fn plain(&mut self, text: &str, role: Role) {
        self.rows.extend(Painted::text(role, &printable_line(text)).lines(self.width, self.theme));
    }

    fn blank(&mut self) {
        self.rows.push(Line::default());
    }
}

/// Broken between words where it can be; what is longer than a row is broken when it is laid out.
fn folded(text: &str, room: usize) -> String {
    let mut folded = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let cells = width(word);
        if used > 0 {
            let fits = used + 1 + cells <= room;
            folded.push(if fits { ' ' } else { '\n' });
            used = if fits { used + 1 } else { 0 };
        }
        folded.push_str(word);
        used += cells;
    }
    folded
}

/// What is asked for where there is no statement.
fn access(item: &ApprovalItem, extra: &Extra) -> String {
    let window = extra.window_seconds.map_or_else(|| "a time that is not said".to_owned(), moments::span);
    let reason = extra.reason.as_deref().unwrap_or("none was given");
    format!("connect to {} for {window}\nreason: {}", item.connection, printable_line(reason))
}

/// From here on a risk is shown as one.
const RISKY: u8 = 50;

/// The person, then the agent, the run and the task, as far as they are known.
fn chain(item: &ApprovalItem, extra: &Extra) -> String {
    let requester = &item.requester;
    let mut links = vec![whoami::describe(requester.lent_by.as_deref().unwrap_or(requester))];
    let named = |word: &str, value: &Option<String>| value.as_ref().map(|value| format!("{word} {value}"));
    // An agent that acts for nobody but its owner is named already.
    if requester.lent_by.is_some() || requester.kind == PrincipalKind::User {
        links.extend(named("agent", &extra.agent));
    }
    links.extend(named("run", &extra.run));
    links.extend(named("task", &extra.task));
    links.join(" > ")
}

fn estimated(item: &ApprovalItem) -> String {
    match (item.estimated_rows, item.estimated_percent) {
        (Some(rows), Some(percent)) => format!("about {rows}, {percent} % of the table, as the planner estimates"),
        (Some(rows), None) => format!("about {rows}, as the planner estimates"),
        (None, _) => "not estimated".to_owned(),
    }
}

fn needs(item: &ApprovalItem) -> String {
    let needs: Vec<String> =
        item.quorums.iter().map(|quorum| format!("{} of group {}", quorum.count, quorum.group)).collect();
    let by: BTreeSet<_> = item.reviews.iter().filter(|review| review.approved).map(|review| &review.by).collect();
    let so_far = match by.len() {
        0 => "nobody approved yet".to_owned(),
        count => format!("{count} approved"),
    };
    format!("{}; {so_far}", needs.join(" and "))
}

fn step_up(need: &Login) -> String {
    let age = need.max_age_seconds.map(|seconds| format!("at most {} old", moments::span(seconds)));
    let class = need.acr.as_ref().map(|acr| format!("of class {acr}"));
    age.into_iter().chain(class).collect::<Vec<_>>().join(", ")
}

fn review(review: &ReviewItem) -> String {
    let verb = if review.approved { "approved" } else { "denied" };
    let reason = review.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{verb} by {}, {}{reason}", review.by, moments::moment(review.at_millis))
}

fn history(one: &Earlier) -> String {
    let by = if one.by.is_empty() { String::new() } else { format!(" by {}", one.by.join(", ")) };
    let word = Standing::Settled(one.status).word();
    format!("{word}{by}, asked {}, {}", moments::moment(one.at_millis), one.id)
}

fn joined(words: &[String]) -> String {
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}
