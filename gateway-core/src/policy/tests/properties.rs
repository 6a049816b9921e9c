//! What holds for any policies and any operation.

use proptest::prelude::*;

use super::*;

fn scopes() -> impl Strategy<Value = String> {
    let action = prop_oneof![
        Just("action".to_owned()),
        proptest::sample::select(Verb::ALL).prop_map(|verb| format!("action == Action::\"{verb}\"")),
        proptest::sample::select(&Effect::ALL[..]).prop_map(|effect| format!("action in Action::\"{effect}\"")),
    ];
    let principal = proptest::sample::select(&["principal", "principal in Group::\"a\"", "principal is Agent"][..]);
    (principal, action).prop_map(|(principal, action)| format!("({principal}, {action}, resource)"))
}

fn conditions() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(
        &["", "when { context.risk > 50 }", "unless { context.agent }", "when { context.source == \"tunnel\" }"][..],
    )
}

fn sets() -> impl Strategy<Value = String> {
    let policy = (proptest::bool::weighted(0.7), scopes(), conditions()).prop_map(|(permits, scope, condition)| {
        format!("{}{scope} {condition};", if permits { "permit" } else { "forbid" })
    });
    let held = (proptest::sample::select(&Effect::ALL[..]), conditions()).prop_map(|(effect, condition)| {
        format!("@approval(\"dba\") forbid(principal, action in Action::\"{effect}\", resource) {condition};")
    });
    proptest::collection::vec(prop_oneof![3 => policy, 1 => held], 0..6).prop_map(|policies| policies.join("\n"))
}

fn operations() -> impl Strategy<Value = Operation> {
    let access = (proptest::sample::select(Verb::ALL), proptest::option::of(proptest::sample::select(&["a", "b"][..])));
    (proptest::collection::vec(access, 1..4), 0_u8..=100)
        .prop_map(|(accesses, risk)| Operation { risk, ..operation(&accesses) })
}

fn principals() -> impl Strategy<Value = Principal> {
    prop_oneof![Just(person("p", &["a"])), Just(person("p", &[])), Just(agent("p", "q", &["a"]))]
}

fn severity(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Permit { .. } => 0,
        Verdict::NeedsApproval(_) => 1,
        Verdict::Refuse(_) => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn another_forbid_never_permits_what_was_refused(
        set in sets(), scope in scopes(), condition in conditions(), who in principals(), asked in operations()
    ) {
        let (Ok(before), Ok(after)) = (load(&set), load(&format!("{set}\nforbid{scope} {condition};"))) else { return Ok(()) };
        prop_assert!(severity(&weigh(&after, &who, &asked)) >= severity(&weigh(&before, &who, &asked)));
    }

    #[test]
    fn a_message_is_as_strict_as_its_strictest_operation(
        set in sets(), who in principals(), asked in proptest::collection::vec(operations(), 1..4)
    ) {
        let Ok(set) = load(&set) else { return Ok(()) };
        let strictest = asked.iter().map(|each| severity(&weigh(&set, &who, each))).max().unwrap();
        let decision = set.decide(&who, &production(), Inspected::new((), asked.into(), Arc::from([])), &now());
        let severity = match decision {
            Decision::Permit(_) => 0,
            Decision::NeedsApproval { .. } => 1,
            Decision::Refuse { .. } => 2,
        };
        prop_assert_eq!(severity, strictest);
    }

    #[test]
    fn the_cache_answers_as_the_policies_do(set in sets(), who in principals(), asked in operations()) {
        let Ok(set) = load(&set) else { return Ok(()) };
        let first = weigh(&set, &who, &asked);
        prop_assert_eq!(&weigh(&set, &who, &asked), &first);
        prop_assert_eq!(set.weigh_approved(&who, &production(), &asked, &now(), &[]), first);
    }
}
