//! Who is told of a held statement: a webhook that checks signatures and fails at first, a chat, a real mail server.

use serde_json::Value;

use super::harness::{Authority, Cluster, Database, Gateway, Person, Program, Site, Stream, Tunnel, start_python};

const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwx5Tl9AqA1x4=";
const MAIL_PASSWORD: &str = "mail-password-zq";
/// A literal of the held statement: it must reach no receiver.
const LITERAL: &str = "zq-4111";

struct Stage {
    receivers: Receivers,
    gateway: Gateway,
    alice: Person,
    bob: Person,
    _database: Database,
}

/// The receivers of `tests/fixtures/python/receivers.py`.
struct Receivers {
    program: Program,
    http: u64,
    smtp: u64,
    authority: Authority,
    _folder: tempfile::TempDir,
}

impl Receivers {
    fn start(failures: &str) -> Self {
        let authority = Authority::new();
        let (certificate, key) = authority.issue();
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("certificate"), certificate).expect("written");
        std::fs::write(path("key"), key).expect("written");
        let (certificate, key_file) = (path("certificate"), path("key"));
        let facts = [
            ("KEY", KEY),
            ("FAILURES", failures),
            ("CERTIFICATE", &certificate),
            ("KEY_FILE", &key_file),
            ("USER", "hoop"),
            ("PASSWORD", MAIL_PASSWORD),
        ];
        let mut program = start_python("receivers.py", &facts);
        let ready = program.expect("that it is ready", |_, line| json(line).filter(|said| said["ready"] == true));
        let port = |name: &str| ready[name].as_u64().expect("a port");
        Self { http: port("http"), smtp: port("smtp"), program, authority, _folder: folder }
    }

    /// The next thing that was said by one of them, of this event where it names one.
    fn hears(&mut self, receiver: &str, how: &str, event: &str) -> Value {
        self.program.expect(&format!("{receiver} {how} {event}"), |stream, line| {
            let said = json(line).filter(|said| stream == Stream::Output && said[receiver] == how)?;
            (event.is_empty() || said["body"]["type"] == event).then_some(said)
        })
    }
}

fn json(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok()
}

fn site(database: &Database, receivers: &Receivers, retries: &str) -> Site {
    let administer = "permit(principal in Group::\"dba\", action == Action::\"administer\", resource);";
    let site = Site::new(database).policy("administer", administer);
    let (http, smtp) = (receivers.http, receivers.smtp);
    site.write("webhook.key", &format!("whsec_{KEY}\n"));
    site.write("chat.url", &format!("http://127.0.0.1:{http}/chat"));
    site.write("mail.password", MAIL_PASSWORD);
    site.write("mail-ca.pem", &receivers.authority.pem);
    let settings = std::fs::read_to_string(site.path().join("gateway.toml")).expect("written");
    let notifications = format!(
        "\n[notifications]\n{retries}\n\
         [[notifications.webhook]]\nname = \"ops\"\nurl = \"http://127.0.0.1:{http}/hook\"\nsecret = \"file:webhook.key\"\n\
         [[notifications.webhook]]\nname = \"broken\"\nurl = \"http://127.0.0.1:{http}/never\"\n\
         secret = \"file:webhook.key\"\nevents = [\"approval.requested\"]\n\
         [[notifications.webhook]]\nname = \"others\"\nurl = \"http://127.0.0.1:{http}/hook\"\n\
         secret = \"file:webhook.key\"\ngroups = [\"security\"]\n\
         [[notifications.slack]]\nname = \"chat\"\nurl = \"file:chat.url\"\nevents = [\"approval.requested\"]\n\
         [notifications.email]\nserver = \"127.0.0.1:{smtp}\"\nca_file = \"mail-ca.pem\"\nusername = \"hoop\"\n\
         secret = \"file:mail.password\"\nfrom = \"hoop@example.test\"\nevents = [\"approval.requested\"]\n\
         [[notifications.email.group]]\nname = \"dba\"\nto = [\"bob@example.test\"]\n"
    );
    site.write("gateway.toml", &(settings + &notifications));
    site
}

fn stage(failures: &str, retries: &str) -> Stage {
    let receivers = Receivers::start(failures);
    let database = Cluster::shared().database();
    let gateway = Gateway::start(site(&database, &receivers, retries));
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    Stage { receivers, gateway, alice, bob, _database: database }
}

/// A held delete of alice's; it waits until the tunnel goes.
fn held(stage: &Stage) -> (Tunnel, Program, String) {
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let mut psql = tunnel.psql().start();
    psql.write(&format!("delete from orders where id = 7 and status <> '{LITERAL}';\n"));
    let id = psql.expect("that it is held", |_, line| {
        let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        words.find(|word| word.starts_with("apr_")).map(str::to_owned)
    });
    (tunnel, psql, id)
}

#[test]
fn everybody_who_is_asked_is_told_and_nobody_is_told_the_statement() {
    let mut stage = stage("2", "retry_base_millis = 20\nattempts = 4");
    let (_tunnel, psql, id) = held(&stage);
    let first = stage.receivers.hears("hook", "refused", "approval.requested");
    let taken = stage.receivers.hears("hook", "taken", "approval.requested");
    assert_eq!((&taken["attempt"], &taken["id"]), (&Value::from(3), &first["id"]), "the same id at every attempt");
    assert_eq!(taken["body"], first["body"]);
    let told = &taken["body"]["data"];
    assert_eq!((told["id"].as_str(), &told["requester"]["name"]), (Some(id.as_str()), &Value::from("alice")));
    assert_eq!((&told["kind"], &told["groups"]), (&Value::from("delete"), &serde_json::json!(["dba"])));
    assert_eq!(told["link"], format!("{}/approvals/{id}", stage.gateway.url));
    assert_eq!(told["commands"]["approve"], format!("hoop approvals approve {id}"));
    assert_eq!(stage.bob.run(&["approvals", "approve", &id]).code(), 0);
    let approved = stage.receivers.hears("hook", "taken", "approval.approved");
    assert_eq!(approved["body"]["data"]["by"], serde_json::json!(["bob"]));
    let session = told["session"].as_str().expect("a session");
    assert_eq!(stage.alice.run(&["sessions", "kill", session, "--yes"]).code(), 0);
    let killed = stage.receivers.hears("hook", "taken", "session.killed");
    assert_eq!(killed["body"]["data"]["by"], serde_json::json!(["alice"]));
    drop(psql);
    let page = stage.gateway.browser().open(told["link"].as_str().expect("a link"));
    assert!(page.status == 200 && page.body.contains(&format!("hoop approvals show {id}")), "{page:?}");
    let all = stage.receivers.program.so_far();
    assert!(!all.contains(LITERAL) && !all.contains("orders"), "{all}");
    assert!(!all.contains("unsigned"), "{all}");
}

#[test]
fn a_chat_and_the_mailboxes_of_the_group_hear_it_too() {
    let mut stage = stage("0", "retry_base_millis = 20\nattempts = 4");
    let (_tunnel, _psql, id) = held(&stage);
    // They arrive in any order.
    let mut heard = std::collections::BTreeMap::new();
    while heard.len() < 2 {
        let said = stage.receivers.program.expect("the chat and the mail", |_, line| {
            json(line).filter(|said| said["chat"] == "taken" || said["mail"] == "taken")
        });
        heard.insert(said["chat"] == "taken", said);
    }
    let chat = &heard[&true]["body"];
    assert_eq!(chat["text"], "alice asks for approval of a delete on pg-prod");
    assert!(chat["blocks"].to_string().contains(&format!("hoop approvals approve {id}")), "{chat}");
    let mail = &heard[&false];
    assert_eq!((&mail["recipients"], &mail["tls"]), (&serde_json::json!(["bob@example.test"]), &Value::from(true)));
    assert!(mail["subject"].as_str().is_some_and(|subject| subject.starts_with("[hoop] alice asks")), "{mail}");
    let text = mail["text"].as_str().expect("a text");
    assert!(text.contains(&format!("hoop approvals show {id}")) && !text.contains(LITERAL), "{mail}");
    assert_eq!(mail["message-id"].as_str().map(|id| id.starts_with("<msg_")), Some(true), "{mail}");
}

#[test]
fn what_nobody_takes_is_given_up_listed_and_dropped_by_who_administers() {
    let mut stage = stage("0", "retry_base_millis = 20\nattempts = 2");
    let (_tunnel, _psql, id) = held(&stage);
    stage.receivers.hears("hook", "taken", "approval.requested");
    let mut said = stage.gateway.said();
    let deadline = std::time::Instant::now() + super::harness::PATIENCE;
    while !said.contains("a notification was given up") {
        assert!(std::time::Instant::now() < deadline, "{said}");
        said = stage.gateway.said();
    }
    assert!(!said.contains(KEY) && !said.contains(MAIL_PASSWORD) && !said.contains("/chat"), "{said}");
    let listed = stage.bob.json(&["notifications", "ls"]);
    let dead = listed["notifications"].as_array().expect("a list");
    assert_eq!((dead.len(), &dead[0]["receiver"], &dead[0]["about"]), (1, &Value::from("broken"), &Value::from(id)));
    assert_eq!((&dead[0]["state"], &dead[0]["error"]), (&"dead".into(), &"it answered with status 503".into()));
    let message = dead[0]["id"].as_str().expect("an id");
    assert_eq!(stage.alice.run(&["notifications", "ls"]).code(), 3, "alice does not administer");
    assert_eq!(stage.alice.run(&["notifications", "drop", message]).code(), 3);
    assert_eq!(stage.bob.run(&["notifications", "retry", "--dead"]).code(), 0);
    assert_eq!(stage.bob.run(&["notifications", "drop", message]).code(), 0);
    assert_eq!(stage.bob.json(&["notifications", "ls"])["notifications"], serde_json::json!([]));
}

#[test]
fn what_was_not_told_before_the_gateway_died_is_told_after_it_came_back() {
    let mut stage = stage("until told", "retry_base_millis = 50");
    let (tunnel, psql, _id) = held(&stage);
    let refused = stage.receivers.hears("hook", "refused", "approval.requested");
    stage.gateway.kill();
    drop((tunnel, psql));
    stage.receivers.program.write("take them from now on\n");
    stage.gateway.launch(&[]);
    let taken = stage.receivers.hears("hook", "taken", "approval.requested");
    assert_eq!((&taken["id"], &taken["body"]), (&refused["id"], &refused["body"]));
}

#[test]
fn a_restart_tells_that_nobody_waits_any_more() {
    let mut stage = stage("0", "retry_base_millis = 50");
    let (tunnel, psql, id) = held(&stage);
    stage.receivers.hears("hook", "taken", "approval.requested");
    stage.gateway.kill();
    drop((tunnel, psql));
    stage.gateway.launch(&[]);
    let taken = stage.receivers.hears("hook", "taken", "approval.withdrawn");
    assert_eq!(taken["body"]["data"]["id"], id.as_str());
}

#[test]
fn a_key_that_cannot_sign_stops_the_start_and_is_not_shown() {
    let receivers = Receivers::start("0");
    let database = Cluster::shared().database();
    let site = site(&database, &receivers, "");
    site.write("webhook.key", "hunter2");
    let outcome = Gateway::attempt(&site, &["--dev"]);
    assert_ne!(outcome.code(), 0);
    let said = outcome.output + &outcome.errors;
    assert!(said.contains("receiver `ops`") && said.contains("openssl rand") && !said.contains("hunter2"), "{said}");
}
