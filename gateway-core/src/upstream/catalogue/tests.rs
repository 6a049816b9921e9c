//! What a snapshot says of names, tags and views.

use super::*;

fn sample() -> Catalogue {
    Catalogue::sample(
        &[
            (1, "public", "customers", &["id", "name", "email"]),
            (2, "public", "v1", &[]),
            (3, "app", "v2", &[]),
            (4, "app", "customers", &["id"]),
        ],
        &[(1, 3, "email", "email"), (1, 2, "name", "person")],
        &[(3, 2), (2, 1)],
        &["score"],
    )
}

#[test]
fn a_view_of_a_view_shows_the_tags_of_the_table() {
    let catalogue = sample();
    assert!(catalogue.derived_tags(3).is_some_and(|tags| tags.contains("email")));
    assert!(catalogue.derived_tags(4).is_none());
    assert_eq!(catalogue.tags_at(1, 3).map(|column| &*column.name).collect::<Vec<_>>(), ["email"]);
}

#[test]
fn names_resolve_along_the_search_path_only() {
    let catalogue = sample();
    let path = ["app".to_owned(), "public".to_owned()];
    assert_eq!(catalogue.resolve(None, "customers", &path).map(|r| r.oid), Some(4));
    assert_eq!(catalogue.resolve(Some("public"), "customers", &path).map(|r| r.oid), Some(1));
    assert_eq!(catalogue.resolve(None, "v2", &["public".to_owned()]).map(|r| r.oid), None);
}

#[test]
fn an_opaque_view_counts_as_showing_every_tag() {
    let mut catalogue = sample();
    catalogue.derive(&[(3, 2)], &[2]);
    assert_eq!(catalogue.derived_tags(2), Some(&catalogue.all_tags()));
    assert_eq!(catalogue.derived_tags(3), Some(&catalogue.all_tags()));
}

/// The tags of each column of a view, `!` after those of values that are made of tagged ones.
fn shown(catalogue: &Catalogue, view: u32) -> Vec<String> {
    let of = |column: &Column| {
        let tags = catalogue.tags_at(view, column.number);
        let tags: Vec<String> = tags.map(|one| format!("{}{}", one.tag, if one.is_made { "!" } else { "" })).collect();
        format!("{}: {}", column.name, tags.join(" "))
    };
    catalogue.columns_of(view).iter().map(of).collect()
}

#[test]
fn columns_of_views_carry_the_tags_of_what_they_show() {
    let mut catalogue = Catalogue::sample(
        &[
            (1, "public", "customers", &["id", "name", "email"]),
            (2, "public", "v1", &["id", "address", "initial", "n"]),
            (3, "app", "v2", &["a", "b"]),
            (4, "app", "v3", &["x"]),
            (5, "app", "v4", &["id", "email"]),
        ],
        &[(1, 3, "email", "email")],
        &[(2, 1), (3, 2), (4, 1), (5, 1)],
        &[],
    );
    let definitions = [
        (2, " SELECT c.id, c.email AS address, upper(c.email) AS initial, count(*) AS n FROM public.customers c;"),
        (3, " SELECT v1.address AS a, v1.initial AS b FROM public.v1;"),
        (5, " SELECT customers.id FROM public.customers;"),
    ];
    let parsed = definitions.map(|(view, text)| (view, crate::sql::inspect(text).unwrap().remove(0).sources));
    catalogue.follow_views(&[2, 3, 4, 5], &parsed.into_iter().collect());
    assert_eq!(shown(&catalogue, 2), ["id: ", "address: email", "initial: email!", "n: "]);
    assert_eq!(shown(&catalogue, 3), ["a: email", "b: email!"]);
    assert_eq!(shown(&catalogue, 4), ["x: email!"], "a view whose definition is not known shows what it could");
    assert_eq!(shown(&catalogue, 5), ["id: email!", "email: email!"], "a definition of another width is not believed");
}

#[test]
fn columns_are_kept_for_every_relation_in_order() {
    let catalogue = sample();
    let columns: Vec<(i16, &str)> = catalogue.columns_of(1).iter().map(|c| (c.number, &*c.name)).collect();
    assert_eq!(columns, [(1, "id"), (2, "name"), (3, "email")]);
    assert_eq!(catalogue.columns(4), BTreeSet::from(["id".to_owned()]));
    assert!(catalogue.columns_of(5).is_empty() && catalogue.knows(4) && !catalogue.knows(5));
    assert_eq!(catalogue.tags_of_name("email").map(|tag| &**tag).collect::<Vec<_>>(), ["email"]);
    assert!(catalogue.has_tags() && !Catalogue::default().has_tags());
}

#[test]
fn a_routine_is_found_along_the_search_path_or_in_the_schema_that_is_named() {
    let catalogue = sample().with_routine("app", "score", "score").with_routine("app", "===", "same");
    let found = |schema, name, path: &[&str]| {
        let path: Vec<String> = path.iter().map(|&schema| schema.to_owned()).collect();
        catalogue.routines(schema, name, &path).map(|r| format!("{}.{}", r.schema, r.name)).collect::<Vec<_>>()
    };
    assert_eq!(found(None, "score", &["pg_catalog", "public"]), ["public.score"]);
    assert_eq!(found(None, "score", &["public", "app"]), ["public.score", "app.score"]);
    assert_eq!(found(Some("app"), "score", &["public"]), ["app.score"]);
    assert_eq!(found(None, "===", &["app"]), ["app.same"]);
    assert!(found(None, "score", &["pg_catalog"]).is_empty() && found(None, "lower", &["public"]).is_empty());
}

#[test]
fn what_a_relation_reaches_it_runs_at_the_event_that_reaches_it() {
    let routine = || Runs::Routine(Arc::from("public"), Arc::from("audit"));
    let mut catalogue = sample().with_hook(4, routine(), Events::DELETE);
    let reach = |from, event, to, events| hooks::Reach { from, event, to, events };
    // Deleting from 1 cascades to 4; 2 is a view of 1, and 3 a view of 2.
    catalogue.spread(&[
        reach(3, Events::DELETE, 2, Events::DELETE),
        reach(3, Events::READ, 2, Events::READ),
        reach(2, Events::DELETE, 1, Events::DELETE),
        reach(1, Events::DELETE, 4, Events::DELETE),
        reach(1, Events::UPDATE, 4, Events::UPDATE),
    ]);
    for relation in [1, 2, 3, 4] {
        assert_eq!(catalogue.hooks(relation, Events::DELETE).collect::<Vec<_>>(), [&routine()], "{relation}");
        assert_eq!(catalogue.hooks(relation, Events::READ.and(Events::UPDATE)).count(), 0, "{relation}");
    }
}

#[test]
fn a_type_of_users_runs_code_where_the_catalogue_says_so() {
    let catalogue = sample().with_type(20_000, "mood", false).with_type(20_001, "checked", true);
    let path = ["pg_catalog".to_owned(), "public".to_owned()];
    assert_eq!(catalogue.conversion(None, "mood", &path), Conversion::Plain);
    assert_eq!(catalogue.conversion(Some("public"), "checked", &[]), Conversion::RunsCode);
    assert_eq!(catalogue.conversion(None, "mood", &path[..1]), Conversion::Unknown);
    assert_eq!(catalogue.conversion(None, "nowhere", &path), Conversion::Unknown);
    assert!(catalogue.is_plain_type(25) && catalogue.is_plain_type(20_000));
    assert!(!catalogue.is_plain_type(20_001) && !catalogue.is_plain_type(20_002));
}
