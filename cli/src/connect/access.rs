//! Access that needs an approval: asked for before the tunnel opens, and waited for.
//!
//! The waiting line says who can approve and how long they have. Whoever stops waiting takes the request back.

use std::{future::Future, time::Duration};

use hoop_gateway_core::{
    api::types::{AccessRequest, ApprovalItem, ApprovalStatus, ConnectionItem, MayConnect},
    model::{ApprovalId, PrincipalName},
};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    api_client::Api,
    approvals::{needed, time_left},
    context::Context,
    failure::{Failure, FailureKind},
    output::printable_line,
};

/// What somebody asks for, and in whose name.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Why.
    pub(crate) reason: Option<String>,
    /// For how long.
    pub(crate) lasting: Option<Duration>,
    /// The agent that they lend their presence.
    pub(crate) as_agent: Option<PrincipalName>,
}

/// Asks for access where connecting needs an approval, and waits until it is given, or until somebody interrupts.
pub(crate) async fn obtain(
    asked: &Asked,
    connection: &ConnectionItem,
    context: &Context,
    interrupted: impl Future<Output = ()>,
) -> Result<(), Failure> {
    if connection.may_connect != MayConnect::Approval {
        if asked.reason.is_some() {
            context.output.say(&format!("Connecting to {} needs no approval now.", connection.name));
        }
        return Ok(());
    }
    let mut api = Api::new(context).await?;
    let body = AccessRequest {
        reason: asked.reason.clone(),
        for_seconds: asked.lasting.map(|lasting| lasting.as_secs().max(1)),
        as_agent: asked.as_agent.clone(),
    };
    let path = format!("/api/v1/connections/{}/access", connection.name);
    let asked: ApprovalItem = api.post(&path, &body).await?;
    let id = asked.id.clone();
    let outcome = tokio::select! {
        outcome = wait(&mut api, asked, context) => Some(outcome),
        () = interrupted => None,
    };
    match outcome {
        Some(outcome) => outcome,
        None => Err(take_back(context, &id).await),
    }
}

async fn wait(api: &mut Api, asked: ApprovalItem, context: &Context) -> Result<(), Failure> {
    let line = Line::start(context, &asked);
    let path = format!("/api/v1/approvals/{}", asked.id);
    let mut request = asked;
    loop {
        if request.status != ApprovalStatus::Pending {
            drop(line);
            return settled(&request, context);
        }
        line.update(&request);
        tokio::time::sleep(INTERVAL).await;
        match api.get(&path).await {
            Ok(changed) => request = changed,
            // It may be back before the request is over.
            Err(failure)
                if failure.kind() == FailureKind::Unreachable
                    && request.expires_at_millis > crate::approvals::now_millis() => {}
            Err(failure) => return Err(failure),
        }
    }
}

fn settled(request: &ApprovalItem, context: &Context) -> Result<(), Failure> {
    let last = request.reviews.last();
    let by = last.map_or_else(|| "somebody".to_owned(), |review| printable_line(review.by.as_str()));
    match request.status {
        ApprovalStatus::Approved => {
            let seconds = request.window_seconds.unwrap_or_default();
            let lasts = crate::login::spoken(Duration::from_secs(seconds));
            context.output.say(&format!("{} approved; {} is open to you for {lasts}.", by, request.connection));
            Ok(())
        }
        ApprovalStatus::Denied => {
            let failure = Failure::new(FailureKind::Refused, format!("{by} denied access to {}", request.connection));
            let reason = last.and_then(|review| review.reason.clone());
            Err(reason.into_iter().fold(failure, Failure::because).next("talk to the reviewer"))
        }
        ApprovalStatus::Pending | ApprovalStatus::Expired | ApprovalStatus::Withdrawn | ApprovalStatus::Superseded => {
            let what =
                format!("{} was not decided: it is {}", request.id, crate::approvals::status_word(request.status));
            Err(Failure::new(FailureKind::Pending, what).next("ask again, or ask a reviewer first"))
        }
    }
}

/// Ctrl-C: the request goes with who asked.
async fn take_back(context: &Context, id: &ApprovalId) -> Failure {
    let withdrawn = async {
        let mut api = Api::new(context).await?;
        api.post::<_, ApprovalItem>(&format!("/api/v1/approvals/{id}/withdraw"), &()).await
    };
    match tokio::time::timeout(FAREWELL, withdrawn).await {
        Ok(Ok(_)) => Failure::interrupted().because(format!("{id} was taken back")),
        _ => Failure::interrupted().because(format!("{id} could not be taken back, and lapses by itself")),
    }
}

const INTERVAL: Duration = Duration::from_secs(1);
const FAREWELL: Duration = Duration::from_secs(3);

/// The line while one waits: live where a person watches, said once where not.
struct Line(Option<ProgressBar>);

impl Line {
    fn start(context: &Context, request: &ApprovalItem) -> Self {
        let text = words(request);
        if !context.output.talk_is_terminal() {
            context.output.say(&text);
            return Self(None);
        }
        let line = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} (Ctrl-C takes it back)") {
            line.set_style(style);
        }
        line.set_message(text);
        line.enable_steady_tick(Duration::from_millis(250));
        Self(Some(line))
    }

    fn update(&self, request: &ApprovalItem) {
        if let Some(line) = &self.0 {
            line.set_message(words(request));
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(line) = &self.0 {
            line.finish_and_clear();
        }
    }
}

fn words(request: &ApprovalItem) -> String {
    let left = time_left(request, crate::approvals::now_millis());
    printable_line(&format!("Waiting for approval {} by {}, expires {left}", request.id, needed(request)))
}
