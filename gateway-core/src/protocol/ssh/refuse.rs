//! A refusal in SSH's own words: lines on the standard error of a command, and exit status 126; a STATUS in SFTP.
//!
//! Pure; escape sequences of what is told are taken out, since a terminal shows it.

use crate::model::{ApprovalId, Refusal, RefusalKind, SessionId};

/// What a command that may not run ends with.
pub const REFUSED_STATUS: u32 = 126;

/// The lines for a person.
pub fn lines(refusal: &Refusal, approval: Option<&ApprovalId>, session: &SessionId) -> String {
    let word = match refusal.kind {
        RefusalKind::Denied => "denied",
        RefusalKind::Expired => "not approved",
        RefusalKind::Policy | RefusalKind::Unmaskable | RefusalKind::Unsupported | RefusalKind::Unrecorded => "refused",
    };
    let mut text = format!("hoop: {word}: {}\r\n", refusal.message);
    let rule = refusal.rule.as_ref().map(|rule| format!("rule {rule}, "));
    let approval = approval.map(|approval| format!("approval {approval}, "));
    let (rule, approval) = (rule.unwrap_or_default(), approval.unwrap_or_default());
    text.extend(["hoop: ", &rule, &approval, "session ", session.as_str(), "\r\n"]);
    if let Some(hint) = &refusal.hint {
        text.extend(["hoop: ", hint, "\r\n"]);
    }
    printable(&text)
}

/// One line, as the message of a STATUS.
pub fn line(refusal: &Refusal, session: &SessionId) -> String {
    let rule = refusal.rule.as_ref().map(|rule| format!(" (rule {rule})")).unwrap_or_default();
    printable(&format!("{}{rule}, session {session}", refusal.message))
}

/// Lines that are told while a command waits.
pub fn notice(text: &str) -> String {
    printable(&format!("hoop: {text}\r\n"))
}

fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control() || matches!(letter, '\r' | '\n')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_why_and_what_next_and_nothing_to_the_terminal() {
        let refusal = Refusal {
            kind: RefusalKind::Policy,
            rule: Some(crate::model::RuleId("no-sudo".into())),
            message: "nobody runs \u{1b}[2Jsudo here".to_owned(),
            hint: Some("Ask the platform team.".to_owned()),
        };
        let text = lines(&refusal, None, &SessionId::new(0, [0; 10]));
        assert!(!text.contains('\u{1b}'), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "hoop: refused: nobody runs [2Jsudo here");
        assert!(lines[1].starts_with("hoop: rule no-sudo, session "), "{text}");
        assert_eq!(lines[2], "hoop: Ask the platform team.");
    }
}
