//! How operations and messages are decided.

use super::*;

const HOLD: &str = "@id(\"hold\") @approval(\"dba\") forbid(principal, action == Action::\"delete\", resource);\n";

#[derive(Debug)]
struct Text(&'static str);

impl Digestible for Text {
    fn parts(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(self.0.as_bytes());
    }
}

fn inspected(operations: Vec<Operation>) -> Inspected<Text> {
    Inspected::new(Text("DELETE …"), operations.into(), Arc::from(*b"alice"))
}

fn grant(rules: &[&str], quorums: &[(u8, &str)], digest: [u8; 32]) -> Grant {
    Grant::forged(
        ApprovalId::new(1, [1; 5]),
        rules.iter().map(|rule| RuleId(Arc::from(*rule))).collect(),
        quorums.iter().map(|(count, group)| Quorum { count: *count, group: GroupName::new(group).unwrap() }).collect(),
        digest,
        vec![PrincipalName::new("bob").unwrap()],
    )
}

#[test]
fn an_approval_lifts_no_rule_that_demands_more_of_the_login_by_now() {
    let fresh = HOLD.replace("forbid", "@fresh(\"15m\") forbid");
    let set = policies(&format!("{PERMIT_ALL}{fresh}"));
    let alice = person("alice", &[]);
    let decide = |grant| {
        let asked = inspected(vec![delete("orders")]);
        outcome(&set.decide_approved(&alice, &production(), asked, &now(), grant))
    };
    let digest = inspected(vec![delete("orders")]).digest();
    assert_eq!(decide(grant(&["hold"], &[(1, "dba")], digest)), "hold hold for 1 of dba");
    let demand = StepUp { max_age_seconds: Some(900), acr: None };
    let proved = grant(&["hold"], &[(1, "dba")], digest).held_to(vec![demand.clone()]);
    assert!(decide(proved).starts_with("permit"));
    let Verdict::NeedsApproval(need) = weigh(&set, &alice, &delete("orders")) else { panic!() };
    assert_eq!(need.step_up, [demand]);
}

fn outcome(decision: &Decision<Text>) -> String {
    match decision {
        Decision::Permit(permitted) => format!("permit {:?}", permitted.approval().map(ToString::to_string)),
        Decision::Refuse { refusal, .. } => format!("refuse {}", refusal.message),
        Decision::NeedsApproval { need, .. } => short(&Verdict::NeedsApproval(need.clone())),
    }
}

#[test]
fn denies_by_default_and_says_whom_to_ask() {
    let Verdict::Refuse(refusal) = weigh(&policies(""), &person("alice", &[]), &delete("orders")) else { panic!() };
    assert_eq!(refusal.kind, RefusalKind::Policy);
    assert_eq!(refusal.rule, None);
    assert_eq!(refusal.message, "no policy permits delete of public.orders on pg-prod");
    assert!(refusal.hint.is_some());
}

#[test]
fn a_forbid_wins_over_any_permit_and_tells_its_message() {
    let set = policies(&format!(
        "{PERMIT_ALL}@id(\"no\") @message(\"not here\") forbid(principal, action == Action::\"delete\", resource);"
    ));
    let Verdict::Refuse(refusal) = weigh(&set, &person("alice", &[]), &delete("orders")) else { panic!() };
    assert_eq!((refusal.rule.unwrap().to_string().as_str(), refusal.message.as_str()), ("no", "not here"));
    assert_eq!(short(&weigh(&set, &person("alice", &[]), &operation(&[(Verb::Select, Some("orders"))]))), "permit");
}

#[test]
fn the_advice_of_inspection_is_the_hint() {
    let asked = Operation { advice: Some("add a WHERE".into()), ..delete("orders") };
    let Verdict::Refuse(refusal) = weigh(&policies(""), &person("alice", &[]), &asked) else { panic!() };
    assert_eq!(refusal.hint.as_deref(), Some("add a WHERE"));
}

#[test]
fn holds_what_is_permitted_otherwise_and_only_that() {
    let held = weigh(&policies(&format!("{PERMIT_ALL}{HOLD}")), &person("alice", &[]), &delete("orders"));
    assert_eq!(short(&held), "hold hold for 1 of dba");
    let Verdict::NeedsApproval(need) = held else { panic!() };
    assert_eq!(need.expires_after.as_secs(), 900);
    assert_eq!(short(&weigh(&policies(HOLD), &person("alice", &[]), &delete("orders"))), "refuse -");
}

#[test]
fn several_liftable_forbids_must_all_be_met() {
    let set = policies(&format!(
        "{PERMIT_ALL}{HOLD}@id(\"two\") @approval(\"2 of security\") @expires(\"5m\")
         forbid(principal, action in Action::\"write\", resource);"
    ));
    let alice = person("alice", &[]);
    let asked = delete("orders");
    assert_eq!(short(&weigh(&set, &alice, &asked)), "hold hold two for 1 of dba, 2 of security");
    let approved = |rules: &[&str]| {
        let rules: Vec<_> = rules.iter().map(|rule| RuleId(Arc::from(*rule))).collect();
        short(&set.weigh_approved(&alice, &production(), &asked, &now(), &rules))
    };
    assert_eq!(approved(&["hold"]), "hold two for 2 of security");
    assert_eq!(approved(&["hold", "two"]), "permit");
    assert_eq!(approved(&["all"]), "hold hold two for 1 of dba, 2 of security");
}

#[test]
fn the_strictest_object_decides_the_operation() {
    let set = policies(&format!(
        "{PERMIT_ALL}{HOLD}@id(\"no-b\") forbid(principal, action, resource) when {{ resource is Table && resource.name == \"b\" }};"
    ));
    let alice = person("alice", &[]);
    let both = operation(&[(Verb::Delete, Some("a")), (Verb::Delete, Some("b"))]);
    assert_eq!(short(&weigh(&set, &alice, &both)), "refuse no-b");
    assert_eq!(short(&weigh(&set, &alice, &delete("a"))), "hold hold for 1 of dba");
    let reads_b = operation(&[(Verb::Insert, Some("a")), (Verb::Select, Some("b"))]);
    assert_eq!(short(&weigh(&set, &alice, &reads_b)), "refuse no-b");
}

#[test]
fn a_policy_that_fails_refuses_and_is_named() {
    let set = policies(&format!(
        "{PERMIT_ALL}@id(\"overflow\") forbid(principal, action in Action::\"write\", resource)
         when {{ context.risk * 9223372036854775807 > 1 }};"
    ));
    let Verdict::Refuse(refusal) = weigh(&set, &person("alice", &[]), &delete("orders")) else { panic!() };
    assert_eq!(refusal.rule.unwrap().to_string(), "overflow");
    let lifted = policies(&format!(
        "{PERMIT_ALL}@id(\"overflow\") @approval(\"dba\") forbid(principal, action in Action::\"write\", resource)
         when {{ context.risk * 9223372036854775807 > 1 }};"
    ));
    assert_eq!(short(&weigh(&lifted, &person("alice", &[]), &delete("orders"))), "refuse overflow");
}

#[test]
fn an_effect_that_no_access_accounts_for_is_unknown() {
    let set = policies("@id(\"reads\") permit(principal, action in Action::\"read\", resource);");
    let asked = Operation { effect: Effect::Exec, ..operation(&[(Verb::Select, Some("orders"))]) };
    assert_eq!(short(&weigh(&set, &person("alice", &[]), &asked)), "refuse -");
    let nothing = Operation { accesses: std::collections::BTreeSet::new(), ..asked };
    assert_eq!(short(&weigh(&set, &person("alice", &[]), &nothing)), "refuse -");
}

#[test]
fn labels_hold_for_everything_in_a_connection_and_names_do_not_collide() {
    let set = policies(&format!(
        "{PERMIT_ALL}@id(\"prod\") forbid(principal, action == Action::\"delete\", resource in Label::\"env=prod\");
         @id(\"orders\") forbid(principal, action == Action::\"update\", resource == Table::\"pg-prod/shop/public.orders\");
         @id(\"schema\") forbid(principal, action == Action::\"insert\", resource in Schema::\"pg-prod/shop/public\");"
    ));
    let alice = person("alice", &[]);
    assert_eq!(short(&weigh(&set, &alice, &delete("orders"))), "refuse prod");
    let staging = ConnectionFacts { labels: BTreeMap::new(), ..production() };
    assert_eq!(short(&set.weigh(&alice, &staging, &delete("orders"), &now())), "permit");
    assert_eq!(short(&weigh(&set, &alice, &operation(&[(Verb::Update, Some("orders"))]))), "refuse orders");
    assert_eq!(short(&weigh(&set, &alice, &operation(&[(Verb::Update, Some("orders2"))]))), "permit");
    assert_eq!(short(&weigh(&set, &alice, &operation(&[(Verb::Insert, Some("x"))]))), "refuse schema");
}

#[test]
fn every_context_attribute_arrives() {
    let set = policies(
        "@id(\"exact\") permit(principal is Agent, action == Action::\"delete\", resource) when {
           context.kind == \"delete\" && context.effect == \"write\" && context.objects == [\"public.orders\"] &&
           !context.has_where && context.risk == 90 && context has estimated_rows && context.estimated_rows == 12 &&
           context.statements == 2 && context.agent && context has run && context.run == \"run_00000002\" &&
           context.source == \"native\" && context.time == datetime(\"2027-01-15T08:00:00Z\") &&
           principal.owner == User::\"alice\" && principal.getTag(\"team\") == \"billing\" &&
           principal.name == \"crew\" && resource.connection.getTag(\"env\") == \"prod\" && resource.database == \"shop\"
         };"
            .replace("principal.owner ==", "principal has owner && principal.owner ==")
            .replace("principal.getTag", "principal.hasTag(\"team\") && principal.getTag")
            .replace("resource.connection.getTag", "resource is Table && resource.connection.hasTag(\"env\") && resource.connection.getTag")
            .as_str(),
    );
    let asked = Operation { has_where: false, risk: 90, estimated_rows: Some(12), statements: 2, ..delete("orders") };
    let native = Circumstances { source: Source::Native, run: Some("run_00000002".parse().unwrap()), ..now() };
    let who = agent("crew", "alice", &[]);
    assert_eq!(short(&set.weigh(&who, &production(), &asked, &native)), "permit");
    assert_eq!(
        short(&set.weigh(&who, &production(), &asked, &Circumstances { unix_seconds: 0, ..native })),
        "refuse -"
    );
}

#[test]
fn a_cached_answer_is_not_given_to_another_question() {
    let set = policies(
        "permit(principal, action in Action::\"write\", resource) when {
           context.has_where && context.risk < 50 && !context.agent && context.source == \"tunnel\" };
         forbid(principal in Group::\"interns\", action, resource);
         forbid(principal, action, resource in Label::\"frozen=yes\");",
    );
    let alice = person("alice", &[]);
    for _ in 0..3 {
        assert_eq!(short(&weigh(&set, &alice, &delete("a"))), "permit");
        assert_ne!(short(&weigh(&set, &alice, &Operation { has_where: false, ..delete("a") })), "permit");
        assert_ne!(short(&weigh(&set, &alice, &Operation { risk: 50, ..delete("a") })), "permit");
        assert_ne!(short(&weigh(&set, &person("alice", &["interns"]), &delete("a"))), "permit");
        assert_ne!(short(&weigh(&set, &agent("alice", "bob", &[]), &delete("a"))), "permit");
        let frozen = ConnectionFacts { labels: [("frozen".into(), "yes".into())].into(), ..production() };
        assert_ne!(short(&set.weigh(&alice, &frozen, &delete("a"), &now())), "permit");
        let native = Circumstances { source: Source::Native, ..now() };
        assert_ne!(short(&set.weigh(&alice, &production(), &delete("a"), &native)), "permit");
    }
}

#[test]
fn an_answer_that_reads_the_time_changes_with_it() {
    let set = policies(
        "permit(principal, action in Action::\"write\", resource) when { context.time < datetime(\"2027-01-15T08:00:01Z\") };",
    );
    let at = |seconds| {
        let then = Circumstances { unix_seconds: seconds, ..now() };
        short(&set.weigh(&person("alice", &[]), &production(), &delete("a"), &then))
    };
    assert_eq!(at(1_800_000_000), "permit");
    assert_eq!(at(1_800_000_001), "refuse -");
    assert_eq!(at(i64::MAX), "refuse -");
}

#[test]
fn the_strictest_operation_decides_the_message() {
    let set = policies(&format!(
        "{PERMIT_ALL}{HOLD}@id(\"no-drop\") forbid(principal, action == Action::\"drop\", resource);"
    ));
    let alice = person("alice", &[]);
    let select = || operation(&[(Verb::Select, Some("a"))]);
    let decide = |operations| outcome(&set.decide(&alice, &production(), inspected(operations), &now()));
    assert_eq!(decide(vec![select(), select()]), "permit None");
    assert_eq!(decide(vec![select(), delete("a")]), "hold hold for 1 of dba");
    assert!(decide(vec![delete("a"), operation(&[(Verb::Drop, Some("a"))]), select()]).starts_with("refuse"));
    assert!(decide(vec![]).starts_with("refuse"));
}

#[test]
fn a_grant_lifts_what_it_was_given_for_and_nothing_else() {
    let set = policies(&format!("{PERMIT_ALL}{HOLD}"));
    let alice = person("alice", &[]);
    let asked = || inspected(vec![delete("a")]);
    let digest = asked().digest();
    let decide = |set: &PolicySet, grant| outcome(&set.decide_approved(&alice, &production(), asked(), &now(), grant));
    let id = format!("permit {:?}", Some(ApprovalId::new(1, [1; 5]).to_string()));
    assert_eq!(decide(&set, grant(&["hold"], &[(1, "dba")], digest)), id);
    assert_eq!(decide(&set, grant(&["other"], &[(1, "dba")], digest)), "hold hold for 1 of dba");
    assert!(decide(&set, grant(&["hold"], &[(1, "dba")], [0; 32])).contains("another statement"));
    let stricter = policies(&format!("{PERMIT_ALL}{}", HOLD.replace("(\"dba\")", "(\"2 of dba\")")));
    assert_eq!(decide(&stricter, grant(&["hold"], &[(1, "dba")], digest)), "hold hold for 2 of dba");
    let forbidden = policies(&format!("{PERMIT_ALL}{HOLD}forbid(principal, action in Action::\"write\", resource);"));
    assert!(decide(&forbidden, grant(&["hold"], &[(1, "dba")], digest)).starts_with("refuse"));
}

#[test]
fn connect_is_decided_and_may_be_held() {
    let set = policies(
        "permit(principal in Group::\"engineers\", action == Action::\"connect\", resource);
         @id(\"hold\") @approval(\"dba\") forbid(principal is Agent, action == Action::\"connect\", resource);",
    );
    let connect = |who: &Principal| short(&set.connect(who, &production(), &now()));
    assert_eq!(connect(&person("alice", &["engineers"])), "permit");
    assert_eq!(connect(&person("carol", &[])), "refuse -");
    assert_eq!(connect(&agent("crew", "alice", &["engineers"])), "hold hold for 1 of dba");
}
