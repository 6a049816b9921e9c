//! Follows the gateway: what waits and what is live, and one session as it runs. A gateway that is away is waited for.

use std::{sync::Arc, time::Duration};

use hoop_gateway_core::{
    api::types::{ApprovalItem, RecordedEvent, SessionItem},
    model::SessionId,
};
use tokio::sync::{Notify, mpsc};

use super::{
    hands::{trouble, watched},
    message::{Fed, Message, Watched},
    request::Request,
};
use crate::{api_client::Api, context::Context, failure::Failure};

/// A list with so many rows may have been cut off.
const FULL_LIST: usize = 200;
/// As many sessions the gateway gives at once.
const SESSIONS: &str = "500";
/// How often it is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// Lists again and again until nobody listens.
pub(super) async fn follow(context: Context, inbox: mpsc::Sender<Message>, again: Arc<Notify>) -> Result<(), Failure> {
    let mut api = Api::new(&context).await?;
    loop {
        let news = match list(&mut api).await {
            Ok(news) => news,
            Err(failure) => vec![Fed::Lost(trouble(&failure).said)],
        };
        for one in news {
            if inbox.send(Message::Fed(one)).await.is_err() {
                return Ok(());
            }
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = again.notified() => {}
        }
    }
}

async fn list(api: &mut Api) -> Result<Vec<Fed>, Failure> {
    let items: Vec<ApprovalItem> = api.get("/api/v1/approvals").await?;
    let sessions: Vec<SessionItem> = api.get_with("/api/v1/sessions", &[("limit", SESSIONS)]).await?;
    let are_all = items.len() < FULL_LIST;
    Ok(vec![
        Fed::Connected,
        Fed::Approvals { items: items.into_iter().map(Request::new).collect(), are_all },
        Fed::Sessions(sessions),
    ])
}

/// Tells one session's events from one on.
pub(super) async fn watch(
    context: Context,
    session: SessionId,
    from: u64,
    inbox: mpsc::Sender<Message>,
) -> Result<(), Failure> {
    let mut api = Api::new(&context).await?;
    let path = format!("/api/v1/sessions/{session}/recording");
    let news = match api.get_lines::<RecordedEvent>(&path).await {
        Ok(events) => {
            let is_over = events.last().is_some_and(|event| event.kind == "session_ended");
            let fresh = events.into_iter().filter(|event| event.seq >= from).collect();
            let over = is_over.then_some(Watched::Over);
            std::iter::once(Watched::Events(fresh)).chain(over).collect()
        }
        Err(failure) => vec![Watched::Failed(trouble(&failure).said)],
    };
    for one in news {
        // Nobody listens any more when the dashboard ends.
        drop(inbox.send(watched(&session, one)).await);
    }
    Ok(())
}
