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

#[test]
fn columns_are_kept_for_every_relation_in_order() {
    let catalogue = sample();
    let columns: Vec<(i16, &str)> = catalogue.columns_of(1).iter().map(|c| (c.number, &*c.name)).collect();
    assert_eq!(columns, [(1, "id"), (2, "name"), (3, "email")]);
    assert_eq!(catalogue.columns(4), BTreeSet::from(["id".to_owned()]));
    assert!(catalogue.columns_of(5).is_empty() && catalogue.knows(4) && !catalogue.knows(5));
    assert_eq!(catalogue.tags_of_name("email").map(|tag| &**tag).collect::<Vec<_>>(), ["email"]);
    assert!(catalogue.has_tags() && !Catalogue::default().has_tags());
    assert!(catalogue.is_user_function("score") && !catalogue.is_user_function("lower"));
}
