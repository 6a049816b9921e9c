//! A login made anew because a policy wants a fresher or a stronger one: the same person, the same gateway.
//!
//! The older login stays as it was until the new one is known to be the same person's.

use hoop_gateway_core::{
    api::types::LoginWay,
    model::{Principal, StepUp},
};

use super::{Browser, Wanted, device_page, obtain, stored_login};
use crate::{
    api_client::ApiClient,
    context::Context,
    failure::{Failure, FailureKind},
    output::printable_line,
    token_store::TokenStore,
};

/// Runs the login as `demand` says, and keeps it. Ctrl-C ends it with status 130.
pub(crate) async fn log_in_again(context: &Context, demand: &StepUp) -> Result<(), Failure> {
    tokio::select! {
        outcome = Box::pin(log_in(context, demand)) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
    }
}

async fn log_in(context: &Context, demand: &StepUp) -> Result<(), Failure> {
    let client = ApiClient::new(context)?;
    let store = TokenStore::new(context, client.gateway())?;
    let before = store.load().await?.ok_or_else(|| Failure::not_logged_in("the login has ended meanwhile"))?;
    let info = client.gateway_info().await?;
    let hint = hint(&before.principal);
    let wanted = Wanted { demand, hint: Some(&hint), may_open_browser: true };
    let (answer, refresh) = if info.identity.way == LoginWay::DevicePage {
        (device_page::log_in(context, &client, &info.identity, &wanted).await?, None)
    } else {
        let grant = obtain(context, client.gateway(), &info.identity, &wanted, Browser::WhereThereIsOne).await?;
        let proof = grant.proof(info.identity.token, info.identity.wants_access_token)?;
        (client.exchange(&proof).await?, grant.refresh)
    };
    same_person(&before.principal, &answer.principal)?;
    let lock = store.lock().await?;
    store.replace(&stored_login(info.identity, refresh, answer)).await?;
    drop(lock);
    Ok(())
}

/// Somebody else's login approves nothing in this person's place, and does not replace theirs.
fn same_person(before: &Principal, now: &Principal) -> Result<(), Failure> {
    if (before.kind, &before.name) == (now.kind, &now.name) {
        return Ok(());
    }
    let name = |who: &Principal| printable_line(who.name.as_str());
    Err(Failure::new(FailureKind::Refused, "somebody else logged in")
        .because(format!("you are logged in as {}, and this login is {}'s", name(before), name(now)))
        .next("log in as yourself; your older login is as it was"))
}

/// What the provider may know the person by.
fn hint(who: &Principal) -> String {
    let known = ["preferred_username", "email"].iter().find_map(|claim| who.claims.get(*claim));
    known.map_or_else(|| who.name.to_string(), Clone::clone)
}

#[cfg(test)]
mod tests {
    use hoop_gateway_core::model::{PrincipalKind, PrincipalName};

    use super::*;

    fn who(kind: PrincipalKind, name: &str) -> Principal {
        Principal {
            kind,
            name: PrincipalName::new(name).expect("a name"),
            groups: std::collections::BTreeSet::new(),
            claims: std::collections::BTreeMap::new(),
            owner: None,
            lent_by: None,
        }
    }

    #[test]
    fn only_the_same_person_steps_up() {
        let bob = who(PrincipalKind::User, "bob");
        assert_eq!(same_person(&bob, &bob), Ok(()));
        for other in [who(PrincipalKind::User, "alice"), who(PrincipalKind::Agent, "bob")] {
            assert_eq!(same_person(&bob, &other).expect_err("another").kind(), FailureKind::Refused);
        }
    }

    #[test]
    fn the_provider_is_told_a_name_that_it_knows() {
        let mut bob = who(PrincipalKind::User, "00u1");
        assert_eq!(hint(&bob), "00u1");
        bob.claims.insert("email".to_owned(), "bob@example.com".to_owned());
        assert_eq!(hint(&bob), "bob@example.com");
    }
}
