//! What a run uses up over HTTP is counted while it goes on: an answer that reaches a budget ends there, in words.

use std::fs;

use super::{
    super::harness::{Person, Program, free_port, python_command},
    pending,
    spoken::{connection, gateway},
    start_python_at,
};

const POLICY: &str = r#"
@id("staff-asks")
permit(
  principal in Group::"engineers",
  action in [Action::"connect", Action::"read", Action::"write", Action::"llm_complete"],
  resource
);

@id("few-tokens")
@message("this run has used up its tokens")
forbid(principal, action == Action::"llm_complete", resource) when { context has usage && context.usage.tokens >= 200 };

@id("few-bytes")
@message("this run has read enough")
forbid(principal, action == Action::"http_get", resource) when { context has usage && context.usage.bytes >= 2000 };

@id("few-seconds")
@message("this run took long enough")
forbid(principal, action == Action::"http_patch", resource) when { context has usage && context.usage.wall_seconds >= 5 };

@id("then-somebody-is-asked")
@approval("dba")
forbid(principal, action == Action::"http_put", resource) when { context has usage && context.usage.wall_seconds >= 5 };
"#;

#[test]
fn an_answer_ends_where_its_budget_does_and_a_card_in_pieces_is_masked() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let long = format!("The card is 4111 1111 1111 1111. {}", "And then something else happened. ".repeat(200));
    fs::write(file("script.json"), serde_json::json!([{ "say": long }, { "say": "Hi." }]).to_string())
        .expect("written");
    let mut command = python_command("../crewai/fake_llm.py", &[]);
    let mut model = Program::start(command.args([file("script.json"), file("requests.jsonl")]));
    let port: u16 = model.expect("its port", |_, line| line.strip_prefix("listening ")?.parse().ok());
    let shop = free_port();
    let mut upstream =
        start_python_at(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/http/upstream.py"), shop);
    upstream.expect_line("ready");
    let (gateway, alice) = gateway(
        |_| {
            let openai = connection("openai", &format!("http://127.0.0.1:{port}"), "").replace("\"http\"", "\"llm\"");
            openai + &connection("shop-api", &format!("http://127.0.0.1:{shop}"), "")
        },
        POLICY,
    );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/http/tokens.py");
    let python = python_command(script, &[]).get_program().to_string_lossy().into_owned();
    // Where the surroundings have a proxy, the tunnels are reached beside it.
    let mut command = alice.command(&["exec", "-c", "openai", "-c", "shop-api", "--", &python, script]);
    let mut client = Program::start(command.env("http_proxy", "http://127.0.0.1:9").env_remove("no_proxy"));
    let mut ask = |what: &str| -> serde_json::Value {
        client.write(&format!("{what}\n"));
        client.expect(what, |_, line| serde_json::from_str(line).ok())
    };
    assert!(ask("fetch").is_number(), "nothing is used up yet");
    let first = ask("ask");
    let said = first["said"].as_str().unwrap_or_else(|| panic!("{first}"));
    assert!(said.starts_with("The card is ") && !said.contains("4111 1111"), "{said}");
    assert!(said.len() < 2_000 && first["done"] == false, "{} of {} bytes: {first}", said.len(), long.len());
    assert!(first["error"].to_string().contains("used up its tokens"), "{first}");
    let second = ask("ask");
    assert_eq!((&second["status"], &second["problem"]["rule"]), (&403.into(), &"few-tokens".into()), "{second}");
    // Bytes of every session of the run count, those of the model's answer too.
    assert_eq!(ask("fetch"), "few-bytes");

    // Time ends an answer that says nothing more; afterwards one is refused, and another is held until somebody decides.
    let script = "curl -sS -N -m 50 -X PATCH $HOOP_SHOP_API_URL/slow; echo; for method in PATCH PUT; do \
                  curl -sS -m 50 -X $method $HOOP_SHOP_API_URL/wire; echo; done";
    let mut client = alice.start(&["exec", "-c", "shop-api", "--", "sh", "-c", script]);
    client.expect_line("data: first");
    client.expect_line("\"rule\":\"few-seconds\"");
    let bob = Person::login(&gateway, "bob");
    bob.run(&["approvals", "deny", &pending(&bob), "--reason", "it took too long"]).success();
    let outcome = client.finish();
    assert!(outcome.output.contains("urn:hoop:denied") && outcome.output.contains("it took too long"), "{outcome:?}");
    assert!(outcome.errors.contains("curl: ("), "the answer does not look whole: {outcome:?}");
}
