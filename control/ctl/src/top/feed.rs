//! Asks ulvsd once a second, in a thread of its own: keys never wait for an answer.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use ulvs_api::{
    Client, ClientError, Connection, ConnectionQuery, DrainRequest, EditRequest, Live, LiveQuery, LiveServices,
    LiveServicesQuery,
};

/// Between two questions.
const PERIOD: Duration = Duration::from_secs(1);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections that are looked through.
const CONNECTIONS: usize = ConnectionQuery::PAGE;

/// What is to be seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wish {
    pub(super) services: LiveServicesQuery,
    /// Connections, too.
    pub(super) connections: bool,
}

/// What is to be changed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    Edit(EditRequest),
    Drain(DrainRequest),
}

/// What came.
#[derive(Debug)]
pub(super) enum News {
    Seen(Box<Seen>),
    /// Nobody answers, or ulvsd refuses; a sentence.
    Trouble(String),
    /// A change was made, or not; a sentence.
    Changed(String),
}

/// Answers of one second.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What was asked for.
    pub(super) wish: Wish,
    /// Its samples are those of the last seconds.
    pub(super) live: Live,
    pub(super) services: LiveServices,
    pub(super) connections: Vec<Connection>,
}

enum Order {
    Look(Wish),
    Change(Change),
}

/// The thread, seen from here.
pub(super) struct Feed {
    orders: Sender<Order>,
    pub(super) news: Receiver<News>,
}

impl Feed {
    /// Begins to ask.
    pub(super) fn start(client: Client, wish: Wish) -> Result<Self> {
        let (orders, receiver) = mpsc::channel();
        let (sender, news) = mpsc::channel();
        let client = client.with_timeout(PATIENCE);
        thread::Builder::new().name("feed".to_owned()).spawn(move || serve(&client, wish, &receiver, &sender))?;
        Ok(Self { orders, news })
    }

    /// Something else is to be seen, at once.
    pub(super) fn look(&self, wish: Wish) {
        // A thread that has ended is found out by its news.
        let _ = self.orders.send(Order::Look(wish));
    }

    pub(super) fn change(&self, change: Change) {
        let _ = self.orders.send(Order::Change(change));
    }
}

/// Until nobody listens any more.
fn serve(client: &Client, mut wish: Wish, orders: &Receiver<Order>, news: &Sender<News>) {
    let mut next = Instant::now();
    loop {
        match orders.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(Order::Look(other)) => wish = other,
            Ok(Order::Change(change)) => {
                let said = make(client, &change).unwrap_or_else(|error| error.to_string());
                if news.send(News::Changed(said)).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => next = Instant::now() + PERIOD,
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let answer = match look(client, &wish) {
            Ok(seen) => News::Seen(Box::new(seen)),
            Err(error) => News::Trouble(error.to_string()),
        };
        if news.send(answer).is_err() {
            return;
        }
    }
}

/// Asks everything once.
pub(super) fn look(client: &Client, wish: &Wish) -> Result<Seen, ClientError> {
    let services = client.live_services(&wish.services)?;
    let live = client.live(LiveQuery { since: services.at.saturating_sub(2500) })?;
    let connections = if wish.connections {
        client.connections(&ConnectionQuery { limit: Some(CONNECTIONS), ..ConnectionQuery::default() })?.connections
    } else {
        Vec::new()
    };
    Ok(Seen { wish: wish.clone(), live, services, connections })
}

fn make(client: &Client, change: &Change) -> Result<String, ClientError> {
    let changed = match change {
        Change::Edit(request) => client.edit(request)?,
        Change::Drain(request) => client.drain(request)?,
    };
    Ok(if changed.changes.is_empty() { "it was so already".to_owned() } else { changed.changes.join("; ") })
}
