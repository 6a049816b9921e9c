//! Follows the gateway: what waits and what is live, listed once and then told as it changes. A gateway that is away is
//! waited for.

use std::{sync::Arc, time::Duration};

use hoop_gateway_core::api::types::{ApprovalItem, SessionItem};
use tokio::sync::{Notify, mpsc};

use super::{
    hands::trouble,
    message::{Fed, Message},
    request::Request,
};
use crate::{
    api_client::{Api, Events, Feed},
    context::Context,
    failure::Failure,
};

/// A list with so many rows may have been cut off.
const FULL_LIST: usize = 200;
/// As many sessions the gateway gives at once.
const SESSIONS: &str = "500";
/// What failed is tried again after this.
const RETRY: Duration = Duration::from_secs(2);

/// What to do next.
enum Next {
    /// Tell this.
    Tell(Fed),
    /// List everything.
    List,
    /// Begin again: the login or the gateway did not let us go on.
    Reopen(Failure),
}

/// Follows until nobody listens.
pub(super) async fn follow(context: Context, inbox: mpsc::Sender<Message>, again: Arc<Notify>) -> Result<(), Failure> {
    let mut api = Api::new(&context).await?;
    let mut events = Events::open(Api::new(&context).await?);
    let mut list_failed = false;
    loop {
        let next = tokio::select! {
            feed = events.next() => meant(feed),
            () = again.notified() => Next::List,
            () = tokio::time::sleep(RETRY), if list_failed => Next::List,
        };
        let news = match next {
            Next::Tell(fed) => vec![fed],
            Next::List => {
                let listed = list(&mut api).await;
                list_failed = listed.is_err();
                listed.unwrap_or_else(|failure| vec![Fed::Lost(in_full(&failure))])
            }
            Next::Reopen(failure) => {
                tell(&inbox, vec![Fed::Lost(in_full(&failure))]).await;
                tokio::time::sleep(RETRY).await;
                // Without a login there is nothing to follow; that was said, and a new login is found when it comes.
                if let Ok(fresh) = Api::new(&context).await {
                    events = Events::open(fresh);
                }
                Vec::new()
            }
        };
        if !tell(&inbox, news).await {
            return Ok(());
        }
    }
}

fn meant(feed: Result<Feed, Failure>) -> Next {
    match feed {
        Ok(Feed::Connected | Feed::Lagged) => Next::List,
        Ok(Feed::Approval(item)) => Next::Tell(Fed::Approval(Box::new(Request::new(*item)))),
        Ok(Feed::Session(item)) => Next::Tell(Fed::Session(item)),
        Ok(Feed::Lost(why)) => Next::Tell(Fed::Lost(why)),
        Err(failure) => Next::Reopen(failure),
    }
}

fn in_full(failure: &Failure) -> String {
    let trouble = trouble(failure);
    match trouble.next {
        Some(next) => format!("{}; {next}", trouble.said),
        None => trouble.said,
    }
}

async fn tell(inbox: &mpsc::Sender<Message>, news: Vec<Fed>) -> bool {
    for one in news {
        if inbox.send(Message::Fed(one)).await.is_err() {
            return false;
        }
    }
    true
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
