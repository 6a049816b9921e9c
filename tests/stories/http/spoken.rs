//! Real servers of HTTP behind the gateway: httpbin under gunicorn and under hypercorn (HTTP/2, TLS), whose certificate
//! is verified.

use std::process::Command;

use super::{
    super::harness::{Authority, Cluster, Gateway, Person, Program, Site, Tunnel, free_port, python_command, until},
    curl,
};

const POLICY: &str = r#"
@id("staff-reaches-httpbin")
permit(principal in Group::"engineers", action, resource);

@id("nothing-is-deleted")
@message("nothing is deleted there")
forbid(principal, action == Action::"http_delete", resource);
"#;

/// A module of Python that serves at a port, once it listens.
pub(super) fn serve(port: u16, module: &str, arguments: &[&str]) -> Program {
    let mut command: Command = python_command("-m", &[]);
    let program = Program::start(command.arg(module).args(arguments));
    let address = format!("127.0.0.1:{port}");
    until(&format!("{module} listens"), || std::net::TcpStream::connect(&address).is_ok());
    program
}

/// A site with these connections, a gateway, and alice.
pub(super) fn gateway(connections: impl FnOnce(&Site) -> String, policy: &str) -> (Gateway, Person) {
    let site = Site::new(&Cluster::shared().database()).policy("http", policy);
    let before = std::fs::read_to_string(site.path().join("connections.toml")).expect("readable");
    let added = connections(&site);
    site.write("connections.toml", &format!("{before}\n{added}"));
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    (gateway, alice)
}

pub(super) fn connection(name: &str, upstream: &str, more: &str) -> String {
    format!("[[connection]]\nname = \"{name}\"\nkind = \"http\"\nupstream = \"{upstream}\"\n{more}\n")
}

fn said(tunnel: &Tunnel, path: &str, arguments: &[&str]) -> String {
    let url = format!("{}{path}", tunnel.url);
    Program::run(curl(arguments).arg(url), "").success().trim_end().to_owned()
}

fn json(tunnel: &Tunnel, path: &str, arguments: &[&str]) -> serde_json::Value {
    let said = said(tunnel, path, arguments);
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn httpbin_is_served_by_both_versions_and_only_with_its_own_certificate() {
    let (old, new) = (free_port(), free_port());
    let (authority, stranger) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let (certificate, key) = authority.issue();
    let (certificate, key) = (file("server.pem", &certificate), file("server.key", &key));
    let (trusted, strange) = (file("trusted.pem", &authority.pem), file("strange.pem", &stranger.pem));
    let (old_bind, new_bind) = (format!("127.0.0.1:{old}"), format!("127.0.0.1:{new}"));
    let _gunicorn =
        serve(old, "gunicorn", &["httpbin:app", "--bind", &old_bind, "--threads", "4", "--no-control-socket"]);
    let format = "%(H)s %(m)s %(U)s";
    let tls = ["--certfile", &certificate, "--keyfile", &key, "--access-logfile", "-", "--access-logformat", format];
    let mut hypercorn = serve(new, "hypercorn", &[&["wsgi:httpbin:app", "--bind", &new_bind][..], &tls].concat());
    let (gateway, alice) = gateway(
        |site| {
            site.write("bin.password", "pass word");
            let basic = format!(
                "[connection.credential]\ntype = \"basic\"\nusername = \"hoop\"\nsecret = \"file:{}\"",
                site.path().join("bin.password").display()
            );
            let verified = |file: &str| format!("[connection.tls]\nmode = \"verify-full\"\nca_file = \"{file}\"");
            [
                connection("bin", &format!("http://{old_bind}"), &basic),
                connection("bin-two", &format!("https://{new_bind}"), &verified(&trusted)),
                connection("bin-strange", &format!("https://{new_bind}"), &verified(&strange)),
                connection("bin-unknown", &format!("https://{new_bind}"), ""),
            ]
            .concat()
        },
        POLICY,
    );
    let bin = Tunnel::open(&alice, "bin");
    assert_eq!(json(&bin, "/basic-auth/hoop/pass%20word", &["-u", "eve:mine"])["authenticated"], true);
    assert_eq!(json(&bin, "/anything?a=1", &["-d", "b=2"])["form"]["b"], "2");
    assert_eq!(said(&bin, "/stream/20", &["-N"]).lines().count(), 20);
    assert_eq!(said(&bin, "/drip?numbytes=10&duration=1&delay=0", &["-N"]).len(), 10);
    assert_eq!(json(&bin, "/anything", &["-X", "DELETE"])["rule"], "nothing-is-deleted");
    assert_eq!(said(&bin, "/status/418", &["-o", "/dev/null", "-w", "%{http_code}"]), "418");

    // HTTP/2 to the upstream, and to the client too.
    let two = Tunnel::open(&alice, "bin-two");
    assert_eq!(json(&two, "/anything?a=1", &[])["args"]["a"], "1");
    hypercorn.expect_line("2 GET /anything");
    let arguments = ["--http2-prior-knowledge", "-d", "x", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"];
    assert_eq!(said(&two, "/post", &arguments), "2 200");
    hypercorn.expect_line("2 POST /post");

    // A certificate of somebody else is none.
    for name in ["bin-strange", "bin-unknown"] {
        let refused = json(&Tunnel::open(&alice, name), "/get", &[]);
        assert_eq!(refused["status"], 502, "{name}: {refused}");
        assert!(refused["detail"].as_str().is_some_and(|text| text.contains("TLS")), "{name}: {refused}");
    }
    drop(gateway);
}
