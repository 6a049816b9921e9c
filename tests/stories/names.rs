//! Names mean what the server says they mean: `search_path`, temporary tables, and what a transaction undoes.

use super::harness::{Cluster, Gateway, Outcome, Person, Site, Tunnel};

/// Everything is permitted but what lies in the schema `secrets`, under whatever name it is asked for.
pub(super) const ALL_BUT_SECRETS: &str = r#"
@id("connects")
permit(principal, action == Action::"connect", resource);
@id("all-but-secrets")
permit(principal, action in [Action::"session", Action::"read", Action::"write", Action::"schema"], resource);
@id("secrets-stay")
@message("the schema secrets is closed")
forbid(principal, action in [Action::"read", Action::"write"], resource is Table) when { resource.schema == "secrets" };
"#;

pub(super) const SCHEMAS: &str = "create schema secrets; create table secrets.t (v text); \
    insert into secrets.t values ('hidden'); grant usage on schema secrets to public; grant all on secrets.t to public; \
    create table public.t (v text); insert into public.t values ('open'); grant all on public.t to public; \
    grant create on schema public to public; create schema app; grant all on schema app to public;";

struct Stage {
    _gateway: Gateway,
    tunnel: Tunnel,
}

fn stage() -> Stage {
    let database = Cluster::shared().database();
    database.direct().run(SCHEMAS).success();
    let site = Site::new(&database);
    site.write("policies/shop.cedar", ALL_BUT_SECRETS);
    site.write("masking.toml", "");
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    Stage { _gateway: gateway, tunnel }
}

impl Stage {
    fn run(&self, script: &str) -> Outcome {
        self.tunnel.psql().going_on().run(script)
    }
}

#[test]
fn a_search_path_that_was_set_is_what_decisions_go_by() {
    let stage = stage();
    for path in [
        "set search_path = secrets, public;",
        "set search_path to secrets;",
        "set schema 'secrets';",
        "select set_config('search_path', 'secrets', false);",
        "set session search_path = \"secrets\";",
        "begin; \n set local search_path = secrets;",
        "do $$ begin perform set_config('search_path', 'secrets', false); end $$;\nset search_path = secrets;",
    ] {
        let outcome = stage.run(&format!("{path}\nselect v from t;\nselect v from public.t;\n"));
        assert!(!outcome.output.contains("hidden"), "{path}: {outcome:?}");
        assert!(outcome.errors.contains("the schema secrets is closed"), "{path}: {outcome:?}");
    }
}

#[test]
fn what_undoes_a_search_path_is_followed() {
    let stage = stage();
    for undone in [
        "set search_path = app;\nreset search_path;",
        "set search_path = app;\nreset all;",
        "set search_path = app;\ndiscard all;",
        "begin;\nset search_path = app;\nrollback;",
        "begin;\nset local search_path = app;\ncommit;",
        "begin;\nsavepoint s;\nset search_path = app;\nrollback to s;\nselect 1;\ncommit;",
        "begin;\nset search_path = app;\nselect 1/0;\nselect 2;\nrollback;",
    ] {
        let outcome = stage.run(&format!("{undone}\nselect v from t;\n"));
        assert!(outcome.output.ends_with("open\n"), "{undone}: {outcome:?}");
    }
    let hidden =
        stage.run("set search_path = secrets;\nbegin;\nset search_path = public;\nrollback;\nselect v from t;\n");
    assert!(!hidden.output.contains("hidden") && !hidden.output.contains("open"), "{hidden:?}");
}

#[test]
fn temporary_tables_and_those_of_an_open_transaction_are_known() {
    let stage = stage();
    let outcome = stage.run(
        "create temp table t (v text);\ninsert into t values ('mine');\nselect v from t;\nselect v from pg_temp.t;\n\
         drop table t;\nselect v from t;\n\
         begin;\ncreate table app.fresh (n int);\ninsert into app.fresh values (7);\nset local search_path = app;\n\
         select n from fresh;\nalter table fresh rename to older;\nselect n from older;\nrollback;\n\
         select to_regclass('app.fresh') is null;\n",
    );
    assert_eq!(outcome.output, "mine\nmine\nopen\n7\n7\nt\n", "{outcome:?}");
}

#[test]
fn statements_sent_together_are_resolved_where_they_can_be_and_refused_where_not() {
    let stage = stage();
    let one = |text: &str| stage.tunnel.psql().with(&["-c", text]).run("");
    let migration = one(
        "begin; create table app.steps (n int); insert into app.steps values (1), (2); create temp table s (n int); \
         insert into s select n from app.steps; commit; select count(*) from s;",
    );
    assert_eq!(migration.output, "2\n", "{migration:?}");
    let again = one("drop table if exists app.steps; create table app.steps (n int); insert into app.steps values (3)");
    assert!(again.status.success(), "{again:?}");
    let hidden = one("set search_path = secrets; select v from t");
    assert!(!hidden.output.contains("hidden") && hidden.errors.contains("apart"), "{hidden:?}");
    let qualified = one("set search_path = secrets; select v from public.t");
    assert_eq!(qualified.output, "open\n", "{qualified:?}");
}

#[test]
fn what_stands_behind_the_end_of_a_transaction_is_not_decided_by_what_names_meant_in_it() {
    let stage = stage();
    let outcome = stage.run(
        "set search_path = secrets, app;\nbegin;\nset local search_path = public;\n\
         commit\\; select v from t;\nselect v from t;\nrollback;\n",
    );
    assert!(!outcome.output.contains("hidden"), "{outcome:?}");
    assert!(outcome.errors.contains("by itself"), "{outcome:?}");
}

#[test]
fn a_failed_transaction_lets_its_end_pass_and_nothing_else() {
    let stage = stage();
    let outcome =
        stage.run("begin;\nset search_path = app;\nselect 1/0;\nselect v from t;\nrollback;\nselect v from t;\n");
    assert!(outcome.errors.contains("25P02"), "{outcome:?}");
    assert_eq!(outcome.output, "open\n", "{outcome:?}");
}
