//! The tour: each act shows a real command and what came of it, and checks that it came true.

use std::process::ExitStatus;

use super::{
    child::{Child, Ended, Source},
    narration::Narration,
    stage::{CONNECTION, World},
};
use crate::failure::Failure;

const MASKED: &str = "select name, email, card from customers order by id";
const DROP: &str = "drop table customers";
const DELETE: &str = "delete from orders where status = 'cancelled'";

/// All acts, in order. The first that does not come true ends the tour.
pub(super) async fn run(world: &World<'_>, narration: &Narration) -> Result<(), Failure> {
    arrive(world, narration).await?;
    mask(world, narration).await?;
    refuse(world, narration).await?;
    hold(world, narration).await?;
    let session = replay(world, narration).await?;
    verify(world, narration, &session).await
}

/// What to try while the world stays up.
pub(super) fn invite(world: &World<'_>, narration: &Narration) -> Result<(), Failure> {
    narration.line("\nThe world stays up. In other terminals, as alice or bob (carol logs in with `hoop login` and the secret below):\n")?;
    for person in ["alice", "bob"] {
        let home = world.home(person);
        narration.line(&format!(
            "  # {person}\n  export HOOP_GATEWAY={} HOOP_TOKEN_STORE=file\n  export HOOP_CONFIG_HOME={} HOOP_STATE_HOME={}\n",
            world.gateway,
            home.join("config").display(),
            home.join("state").display()
        ))?;
    }
    narration.line(&format!(
        "  psql '{}'\n  hoop ls · hoop connect {CONNECTION} · hoop approvals watch · hoop sessions ls\n\n  \
         The login page's secret is {}\n\nCtrl-C here takes everything down.",
        world.address(),
        world.secret
    ))
}

async fn arrive(world: &World<'_>, narration: &Narration) -> Result<(), Failure> {
    narration
        .act(
            "1. Logged in, connected",
            "alice (engineers) and bob (dba) logged in with a device code; alice opened a tunnel.",
        )
        .await?;
    let ended = show(world, narration, "alice", &["whoami"]).await?;
    expect(ended.everything().contains("alice"), "whoami names alice", &ended)?;
    let ended = show(world, narration, "alice", &["ls"]).await?;
    expect(ended.output().contains(CONNECTION), "the connection is listed", &ended)?;
    narration.command("alice", &format!("hoop connect {CONNECTION}"))?;
    narration.result(&format!("psql '{}'", world.address()))
}

async fn mask(world: &World<'_>, narration: &Narration) -> Result<(), Failure> {
    narration
        .act("2. A masked SELECT", "The rows are real; mail addresses and card numbers stay in the gateway.")
        .await?;
    let ended = psql(world, narration, MASKED).await?;
    let seen = ended.everything();
    let leaks = ["ada@example.com", "4111111111111111", "grace@example.org"].iter().any(|value| seen.contains(value));
    expect(ended.status.success() && seen.contains("Ada Lovelace") && !leaks, "the values are masked", &ended)
}

async fn refuse(world: &World<'_>, narration: &Narration) -> Result<(), Failure> {
    narration
        .act("3. A refused DROP", "It never reaches the server, and the answer says which rule and what to do.")
        .await?;
    let ended = psql(world, narration, DROP).await?;
    expect(!ended.status.success() && ended.everything().contains("ERROR"), "DROP is refused", &ended)?;
    let rows = world.postgres.value("select count(*) from customers").await?;
    expect(rows.trim() == "3", "the table is still there", &ended)
}

async fn hold(world: &World<'_>, narration: &Narration) -> Result<(), Failure> {
    narration.act("4. A held DELETE", "psql waits. bob sees exactly what would run, and decides.").await?;
    show_psql(world, narration, DELETE)?;
    let mut waiting = Child::start("psql", &mut world.psql(DELETE))?;
    let request = waiting.wait_for("that it is held", |source, line| {
        let found = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        let mut found = found.filter(|word| word.starts_with("apr_") && source == Source::Errors);
        found.next().map(|id| (id.to_owned(), line.to_owned()))
    });
    let (request, notice) = request.await?;
    narration.result(&notice)?;
    let own = show(world, narration, "alice", &["approvals", "approve", &request]).await?;
    expect(!own.status.success(), "alice cannot approve her own request", &own)?;
    let listed = show(world, narration, "bob", &["approvals", "ls"]).await?;
    expect(listed.output().contains(&request), "bob sees the request", &listed)?;
    let shown = show(world, narration, "bob", &["approvals", "show", &request]).await?;
    expect(shown.output().contains(DELETE), "bob sees the exact statement", &shown)?;
    let reason = "old orders, agreed";
    let approved = show(world, narration, "bob", &["approvals", "approve", &request, "--reason", reason]).await?;
    expect(approved.status.success(), "bob's approval is taken", &approved)?;
    let ended = waiting.finish().await?;
    narration.line("\nand in alice's terminal, psql goes on:")?;
    narration.result(&ended.everything())?;
    expect(ended.status.success() && ended.output().contains("DELETE 6"), "the DELETE ran", &ended)?;
    let rows = world.postgres.value("select count(*) from orders where status = 'cancelled'").await?;
    expect(rows.trim() == "0", "the rows are gone", &ended)
}

/// Gives the id of the session that it replayed.
async fn replay(world: &World<'_>, narration: &Narration) -> Result<String, Failure> {
    narration
        .act("5. The replay", "Every statement was recorded before it ran, with its decision, approval and outcome.")
        .await?;
    show(world, narration, "alice", &["sessions", "ls"]).await?;
    let listed =
        Child::run("hoop sessions", &mut world.hoop("alice", &["sessions", "ls", "--output", "jsonl"])).await?;
    // Newest first: the session of the held DELETE.
    let session = listed.output().lines().find_map(|line| {
        let item: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(item.get("id")?.as_str()?.to_owned())
    });
    let session = session.ok_or_else(|| Failure::failed("the demo found no session").because(listed.everything()))?;
    let ended = show(world, narration, "alice", &["replay", &session, "--speed", "20"]).await?;
    expect(ended.status.success() && ended.everything().contains("delete from orders"), "the replay shows it", &ended)?;
    Ok(session)
}

async fn verify(world: &World<'_>, narration: &Narration, session: &str) -> Result<(), Failure> {
    narration
        .act("6. The verification", "Offline, with the recorder's public key: a changed byte anywhere would be found.")
        .await?;
    let data = world.gateway_data();
    let key = data.join("keys").join("recording.pub.pem");
    let recordings = data.join("recordings").display().to_string();
    let ended =
        show(world, narration, "auditor", &["audit", "verify", &recordings, "--key", &key.display().to_string()])
            .await?;
    expect(ended.status.success(), "the recordings verify", &ended)?;
    narration.line(&format!("\nThat was the tour. The last session was {session}."))
}

/// Shows a `hoop` command and its result.
async fn show(world: &World<'_>, narration: &Narration, who: &str, arguments: &[&str]) -> Result<Ended, Failure> {
    let spoken: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
    narration.command(who, &format!("hoop {}", spoken.join(" ")))?;
    let ended = Child::run("hoop", &mut world.hoop(who, arguments)).await?;
    narration.result(&ended.everything())?;
    say_status(narration, ended.status)?;
    Ok(ended)
}

async fn psql(world: &World<'_>, narration: &Narration, statement: &str) -> Result<Ended, Failure> {
    show_psql(world, narration, statement)?;
    let ended = Child::run("psql", &mut world.psql(statement)).await?;
    narration.result(&ended.everything())?;
    say_status(narration, ended.status)?;
    Ok(ended)
}

fn show_psql(world: &World<'_>, narration: &Narration, statement: &str) -> Result<(), Failure> {
    narration.command("alice", &format!("psql {} -c {}", world.address(), quoted(statement)))
}

fn say_status(narration: &Narration, status: ExitStatus) -> Result<(), Failure> {
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => narration.result(&format!("(exit status {code})")),
        None => narration.result("(ended by a signal)"),
    }
}

fn expect(came_true: bool, what: &str, ended: &Ended) -> Result<(), Failure> {
    if came_true {
        return Ok(());
    }
    Err(Failure::failed(format!("this did not come true: {what}")).because(ended.everything()))
}

/// As one would type it in a shell.
fn quoted(argument: &str) -> String {
    let plain = argument.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:=@".contains(&byte));
    if plain && !argument.is_empty() { argument.to_owned() } else { format!("\"{argument}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_one_would_type_them() {
        assert_eq!(quoted("approvals"), "approvals");
        assert_eq!(quoted("old orders, agreed"), "\"old orders, agreed\"");
        assert_eq!(quoted(""), "\"\"");
    }
}
