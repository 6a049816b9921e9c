//! `hoop whoami`: who the gateway says I am.

use hoop_gateway_core::{
    api::types::Whoami,
    model::{Principal, PrincipalKind},
};

use crate::{
    api_client::Api,
    arguments::WhoamiArguments,
    context::Context,
    failure::{ExitStatus, Failure},
    output::printable_line,
};

/// Asks the gateway and prints its answer.
pub(crate) async fn run(_arguments: WhoamiArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let whoami: Whoami = Api::new(context).await?.get("/api/v1/whoami").await?;
    context.output.value("whoami", &whoami, |whoami| describe(&whoami.principal))?;
    context.output.say(&lasting(&whoami));
    Ok(ExitStatus::SUCCESS)
}

/// How long anything goes on after the identity provider disabled the person.
fn lasting(whoami: &Whoami) -> String {
    let minutes = |seconds: i64| seconds.saturating_add(59) / 60;
    format!(
        "If your identity provider disables you, tunnels end within {} minutes, and nothing goes on after {}.",
        minutes(whoami.renewed_every_seconds),
        minutes(whoami.believed_for_seconds)
    )
}

/// `alice (engineers, dba)`, or `crew, an agent of alice (agents)`.
pub(crate) fn describe(principal: &Principal) -> String {
    let mut text = principal.name.to_string();
    if principal.kind == PrincipalKind::Agent {
        text.push_str(", an agent");
        if let Some(owner) = &principal.owner {
            text.extend([" of ", owner.as_str()]);
        }
        if let Some(lender) = &principal.lent_by {
            text.extend([", with the presence of ", lender.name.as_str()]);
        }
    }
    if !principal.groups.is_empty() {
        let groups: Vec<&str> = principal.groups.iter().map(hoop_gateway_core::model::GroupName::as_str).collect();
        text.extend([" (", &groups.join(", "), ")"]);
    }
    printable_line(&text)
}

/// Who acts, and through whom: `bob → crew` where a person lent an agent their presence, else the name alone.
pub(crate) fn acting(principal: &Principal) -> String {
    match &principal.lent_by {
        Some(lender) => printable_line(&format!("{} → {}", lender.name, principal.name)),
        None => printable_line(principal.name.as_str()),
    }
}
