//! What stops a load, and where it points.

use super::*;

fn only_problem(text: &str) -> Problem {
    let mut problems = load(text).expect_err("it loads");
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

#[test]
fn a_misspelled_attribute_is_an_error_with_its_place_and_a_fix() {
    let problem =
        only_problem("permit(principal, action in Action::\"write\", resource)\n  when { context.has_were };");
    assert_eq!((problem.line, problem.column), (2, 10), "{problem}");
    assert_eq!(problem.file.to_str(), Some("policies/site.cedar"));
    assert!(problem.message.contains("has_were"), "{problem}");
    assert!(problem.fix.contains("has_where"), "{problem}");
}

#[test]
fn a_misspelled_action_entity_or_class_is_an_error() {
    for (text, line, says) in [
        ("permit(principal, action == Action::\"delet\", resource);", 1, "delet"),
        ("permit(principal, action in Action::\"writes\", resource);", 1, "writes"),
        ("\npermit(principal in Grupo::\"dba\", action, resource);", 2, "Grupo"),
        ("\n\nforbid(principal, action == Action::\"reveal\", resource in DataClass::\"pi\");", 3, "pi"),
        ("forbid(principal, action == Action::\"reveal\", resource == Tag::\"salry\");", 1, "salary"),
        ("forbid(principal, action == Action::\"reveal\", resource == Tag::\"email\");", 1, "DataClass::\"email\""),
        ("permit(principal, action == Action::\"reveal\", resource == Table::\"x\");", 1, ""),
    ] {
        let problem = only_problem(text);
        assert_eq!(problem.line, line, "{problem}");
        assert!(problem.to_string().contains(says), "{problem}");
    }
}

#[test]
fn an_optional_attribute_must_be_asked_for_first() {
    let rule =
        |condition: &str| format!("permit(principal, action in Action::\"write\", resource) when {{ {condition} }};");
    assert!(load(&rule("context.estimated_rows > 5")).is_err());
    assert!(load(&rule("context has estimated_rows && context.estimated_rows > 5")).is_ok());
    assert!(load(&rule("principal.getTag(\"team\") == \"billing\"")).is_err());
    assert!(load(&rule("principal.hasTag(\"team\") && principal.getTag(\"team\") == \"billing\"")).is_ok());
}

#[test]
fn all_problems_are_told_in_the_order_of_the_text() {
    let problems = load(
        "@aproval(\"dba\")\nforbid(principal, action in Action::\"write\", resource);\n\
         permit(principal, action == Action::\"selekt\", resource);\n\
         @id(\"a\") permit(principal, action, resource);\n@id(\"a\") permit(principal, action, resource);",
    )
    .expect_err("it loads");
    let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 3, 5], "{problems:#?}");
}

#[test]
fn text_that_is_no_cedar_is_an_error_with_its_place() {
    let problem = only_problem("permit(principal, action, resource);\npermit(principal, action resource);");
    assert_eq!(problem.line, 2, "{problem}");
    assert_eq!(problem.column, 26, "{problem}");
}

#[test]
fn a_template_or_a_policy_that_can_never_apply_is_an_error() {
    assert!(load("permit(principal == ?principal, action, resource);").is_err());
    assert!(load("permit(principal, action == Action::\"delete\", resource is Routine);").is_err());
}

#[test]
fn the_built_in_names_cannot_be_taken() {
    assert!(load("@id(\"hoop:own-sessions\") permit(principal, action, resource);").is_err());
}

#[test]
fn a_policy_without_an_id_is_named_by_its_place() {
    let set = policies("\nforbid(principal, action, resource); forbid(principal, action, resource);");
    let Verdict::Refuse(refusal) = weigh(&set, &person("alice", &[]), &delete("orders")) else { panic!() };
    assert_eq!(refusal.rule.unwrap().to_string(), "site.cedar:2");
}

#[test]
fn the_version_is_the_digest_of_the_text() {
    let version = policies(PERMIT_ALL).version().to_string();
    assert_eq!(version.len(), 64);
    assert_eq!(version, policies(PERMIT_ALL).version().to_string());
    assert_ne!(version, policies(&format!("{PERMIT_ALL} ")).version().to_string());
}
