//! Credentials that the gateway alone has, each tried against a server that checks it.

use super::{
    super::{
        harness::{Person, Program, Tunnel, free_port, python_command, python_with, until},
        login,
    },
    curl, pending,
    spoken::{connection, gateway, serve},
    start_python_at,
};

const POLICY: &str = r#"
@id("staff-reaches-services")
permit(principal in Group::"engineers", action in [Action::"connect", Action::"read", Action::"write"], resource);

@id("one-instance-is-asked-for")
@approval("dba")
@expires("15m")
forbid(principal, action == Action::"aws_write", resource) when {
  context has request && context.request.hasTag("body.Action") && context.request.getTag("body.Action") == "RunInstances"
};

@id("five-instances-are-too-many")
@message("at most two instances at a time")
forbid(principal, action == Action::"aws_write", resource) when {
  context has request && context.request.hasTag("body.MaxCount") && context.request.getTag("body.MaxCount") == "5"
};
"#;

fn upstream(port: u16) -> Program {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/http/upstream.py");
    let mut upstream = start_python_at(script, port);
    upstream.expect_line("ready");
    upstream
}

fn said(tunnel: &Tunnel, path: &str, arguments: &[&str]) -> serde_json::Value {
    let said = Program::run(curl(arguments).arg(format!("{}{path}", tunnel.url)), "").success();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn a_token_is_asked_for_once_and_once_more_when_it_is_not_taken() {
    let port = free_port();
    let _upstream = upstream(port);
    let provider = login::provider(&[("AUDIENCE", "https://api.example"), ("EXCHANGE", "yes")]);
    let platform = login::client_token(&provider, "agent", "agent-secret");
    let hasty = login::provider(&[("AUDIENCE", "https://api.example"), ("TOKEN_SECONDS", "4")]);
    let (_gateway, alice) = gateway(
        |site| {
            let secret = |name: &str, text: &str| {
                site.write(name, text);
                site.path().join(name).display().to_string()
            };
            let (token, agent) = (secret("token.secret", "token-secret"), secret("agent.secret", "agent-secret"));
            let here = format!("http://127.0.0.1:{port}");
            let oauth = |url: &str, id: &str, file: &str, more: &str| {
                format!(
                    "[connection.credential]\ntype = \"oauth2-client\"\ntoken_url = \"{url}\"\nclient_id = \"{id}\"\n\
                     secret = \"file:{file}\"\n{more}"
                )
            };
            let (subject, stale) = (secret("subject.jwt", &platform), secret("stale.jwt", "a.b.c"));
            let exchanged = |subject: &str| {
                format!(
                    "[connection.credential]\ntype = \"oauth2-exchange\"\ntoken_url = \"{}/token\"\n\
                     subject_token = \"file:{subject}\"\nsubject_token_type = \"jwt\"\naudience = \"urn:shop\"\n\
                     client_id = \"agent\"\nsecret = \"file:{agent}\"\nlogin = \"post\"\n",
                    provider.issuer
                )
            };
            let issued = |by: &str| oauth(&format!("{by}/token"), "agent", &agent, "login = \"post\"");
            [
                connection("api", &here, &oauth(&format!("{here}/token"), "hoop", &token, "")),
                connection("issued", &here, &issued(&provider.issuer)),
                connection("brief", &here, &issued(&hasty.issuer)),
                connection("exchanged", &here, &exchanged(&subject)),
                connection("stale", &here, &exchanged(&stale)),
                connection("wrong", &here, &oauth(&format!("{here}/token"), "hoop", &agent, "")),
            ]
            .concat()
        },
        POLICY,
    );
    let api = Tunnel::open(&alice, "api");
    let tokens = || {
        let seen = Program::run(&mut curl(&[&format!("http://127.0.0.1:{port}/seen")]), "").success();
        seen.matches("POST /token").count()
    };
    assert_eq!(said(&api, "/bearer?good=token-1", &[])["good"], true);
    assert_eq!(said(&api, "/bearer?good=token-1", &["-H", "Authorization: Bearer mine"])["good"], true);
    assert_eq!(tokens(), 1, "it is kept");
    // One that is not taken is asked for anew, and the same request goes once more, whatever it is.
    assert_eq!(said(&api, "/bearer?good=token-2", &["-d", "x=1"])["good"], true);
    assert_eq!(tokens(), 2);
    let refused =
        Program::run(curl(&["-o", "/dev/null", "-w", "%{http_code}"]).arg(format!("{}/bearer?good=no", api.url)), "");
    assert_eq!((refused.success().trim_end(), tokens()), ("401", 3), "at most once");
    // A certified provider gives one too, which the client never sees.
    let echoed = said(&Tunnel::open(&alice, "issued"), "/wire", &[]);
    let bearer = echoed["headers"]["authorization"].as_str().unwrap_or_default();
    assert!(bearer.len() > 40 && bearer.trim_start_matches("Bearer ").trim_matches('*').is_empty(), "{echoed}");
    // And one for another that the platform gave the gateway: neither is the client's, and only the one that was got goes out.
    let told = said(&Tunnel::open(&alice, "exchanged"), "/login", &[]);
    assert_eq!((&told["claims"]["for"], &told["claims"]["to"]), (&"agent".into(), &"urn:shop".into()), "{told}");
    let stale = said(&Tunnel::open(&alice, "stale"), "/echo", &[]);
    assert_eq!(stale["status"], 502, "{stale}");
    assert!(!stale.to_string().contains("a.b.c"), "{stale}");
    // One that lives for seconds is renewed before it ends: the upstream never has to say that it did.
    let brief = Tunnel::open(&alice, "brief");
    let first = said(&brief, "/login", &[])["login"].clone();
    assert!(first.is_string());
    until("another token", || said(&brief, "/login", &[])["login"] != first);
    let wrong = said(&Tunnel::open(&alice, "wrong"), "/echo", &[]);
    assert_eq!(wrong["status"], 502, "{wrong}");
    assert!(!wrong.to_string().contains("agent-secret"), "{wrong}");
}

#[test]
fn calls_of_aws_are_decided_by_their_action_and_signed_anew() {
    let (port, echo) = (free_port(), free_port());
    let _upstream = upstream(echo);
    let _moto = serve(port, "moto.server", &["-H", "127.0.0.1", "-p", &port.to_string()]);
    let secret = "the-gateways-own-secret-key";
    let (gateway, alice) = gateway(
        |site| {
            site.write("aws.secret", secret);
            let signed = |service: &str| {
                format!(
                    "[connection.credential]\ntype = \"aws-sigv4\"\naccess_key_id = \"AKIAGATEWAY\"\nregion = \
                     \"eu-west-1\"\nservice = \"{service}\"\nsecret = \"file:{}\"",
                    site.path().join("aws.secret").display()
                )
            };
            let at = |port: u16| format!("http://127.0.0.1:{port}");
            [
                connection("aws", &at(port), &signed("ec2")),
                connection("gate", &at(echo), &signed("execute-api")),
                connection("bucket", &at(port), &signed("s3")),
            ]
            .concat()
        },
        POLICY,
    );
    // What arrives is signed with the gateway's key, whatever the client signed with.
    let gate = Tunnel::open(&alice, "gate");
    let own = ["-H", "Authorization: AWS4-HMAC-SHA256 Credential=AKIAOFNOBODY/x, SignedHeaders=host, Signature=0"];
    let echoed =
        said(&gate, "/echo?b=2&a=1%20x", &[&own[..], &["-H", "X-Amz-Date: 20200101T000000Z", "-d", "body"]].concat());
    assert!(!echoed.to_string().contains("AKIAOFNOBODY") && !echoed.to_string().contains("20200101"), "{echoed}");
    let mut judge = python_command("../http/signed.py", &[("STORY_SECRET", secret)]);
    let judged: serde_json::Value =
        serde_json::from_str(&Program::run(&mut judge, &echoed.to_string()).success()).expect("JSON");
    let expected =
        serde_json::json!({"key": "AKIAGATEWAY", "region": "eu-west-1", "service": "execute-api", "good": true});
    assert_eq!(judged, expected, "{echoed}");

    // boto3, as anybody uses it.
    let aws = Tunnel::open(&alice, "aws");
    let bob = Person::login(&gateway, "bob");
    let mut client = Program::start(&mut python_command("../http/ec2.py", &[("STORY_URL", &aws.url)]));
    let step = |client: &mut Program, name: &str| -> serde_json::Value {
        client.expect(name, |_, line| {
            serde_json::from_str::<serde_json::Value>(line).ok().filter(|step| step["step"] == name)
        })
    };
    assert_eq!(step(&mut client, "described")["answer"], serde_json::json!([]));
    client.write("\n");
    let many = step(&mut client, "many");
    assert_eq!(many["error"]["Code"], "AccessDenied", "{many}");
    assert!(many["error"]["Message"].to_string().contains("at most two instances"), "{many}");
    let id = pending(&bob);
    let shown = bob.run(&["approvals", "show", &id]).success();
    assert!(shown.contains("ec2:RunInstances") && shown.contains("MaxCount=1"), "{shown}");
    bob.run(&["approvals", "approve", &id, "--reason", "one is enough"]).success();
    assert_eq!(step(&mut client, "one")["answer"], 1);
    let described = step(&mut client, "described again");
    assert_eq!(described["answer"].as_array().map(Vec::len), Some(1), "{described}");

    // Objects go up as boto3 sends them by itself; who chunks them in AWS's own way is told how not to.
    let bucket = Tunnel::open(&alice, "bucket");
    let kept = python_with("../http/s3.py", &[("STORY_URL", &bucket.url)]).success();
    assert_eq!(kept.trim_end(), "\"kept\"");
    let chunked = ["-T", "-", "-H", "Content-Encoding: aws-chunked", "-w", "\n%{http_code}"];
    let refused =
        Program::run(curl(&chunked).arg(format!("{}/story/other", bucket.url)), "1\r\nx\r\n0\r\n\r\n").success();
    assert!(refused.contains("<Code>ValidationError</Code>") && refused.trim_end().ends_with("415"), "{refused}");
    assert!(refused.contains("AWS_REQUEST_CHECKSUM_CALCULATION=when_required"), "{refused}");
}
