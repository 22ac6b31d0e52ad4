//! Follows the kernel's links, addresses, routes and neighbours.
//!
//! It subscribes first and reads the tables then, so that nothing falls between; from there on it applies the kernel's
//! notifications. Where these do not tell all, it reads again: everything after an overrun, the routes after a change
//! that may have taken IPv4 routes silently.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use crate::decode::{Change, Interfaces, decode};
use crate::events::{Event, Events};
use crate::netlink::{Netlink, NetlinkError};
use crate::rib::{Applied, Rib};
use crate::state::KernelState;
use crate::tables;

/// How the mirror works.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes the kernel may queue for the mirror before it drops notifications.
    pub receive_buffer: usize,
    /// The least time between two snapshots.
    pub spacing: Duration,
    /// The least time between two readings of the kernel's tables.
    pub dump_spacing: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { receive_buffer: 4 << 20, spacing: Duration::from_millis(2), dump_spacing: Duration::from_millis(20) }
    }
}

/// A running mirror.
#[derive(Debug)]
pub struct Mirror {
    /// The kernel's state, complete from the start. The channel closes when the mirror dies.
    pub state: watch::Receiver<Arc<KernelState>>,
    /// Ends with `Ok` when every receiver of `state` is gone, and with an error when the kernel cannot be followed any
    /// more. Abort it to stop the mirror.
    pub task: JoinHandle<Result<(), MirrorError>>,
}

impl Mirror {
    /// Starts to mirror the interfaces with these indices, in the calling thread's network namespace, and waits for the
    /// first complete state.
    ///
    /// # Errors
    ///
    /// When the kernel's tables cannot be subscribed to or read.
    pub async fn start(interfaces: BTreeSet<u32>) -> Result<Self, MirrorError> {
        Self::start_with(interfaces, Options::default()).await
    }

    /// As [`Mirror::start`], with other [`Options`].
    ///
    /// # Errors
    ///
    /// As [`Mirror::start`].
    pub async fn start_with(interfaces: BTreeSet<u32>, options: Options) -> Result<Self, MirrorError> {
        let mut follower = Follower {
            events: Events::subscribe(options.receive_buffer).map_err(MirrorError::Notifications)?,
            netlink: Netlink::open()?,
            interfaces,
            options,
            rib: Rib::default(),
            state: KernelState::default(),
            publish_at: None,
            quiet_until: Instant::now(),
            dump: None,
            dump_after: Instant::now(),
        };
        follower.read_all().await?;
        let (publisher, state) = watch::channel(Arc::new(follower.state.clone()));
        follower.publish_at = None;
        let task = tokio::spawn(async move { follower.run(publisher).await });
        Ok(Self { state, task })
    }
}

/// Why the mirror could not start, or died.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// The notifications failed.
    #[error("could not follow the kernel's routing notifications: {0}")]
    Notifications(io::Error),
    /// A table could not be read.
    #[error("could not read the kernel's tables: {0}")]
    Tables(#[from] NetlinkError),
}

/// What must be read again; the greater includes the lesser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Dump {
    Routes,
    All,
}

struct Follower {
    events: Events,
    netlink: Netlink,
    interfaces: Interfaces,
    options: Options,
    rib: Rib,
    /// The next snapshot; it shares its parts with the published one until they change.
    state: KernelState,
    /// When `state` is due, if it differs from the published one.
    publish_at: Option<Instant>,
    /// No snapshot before this.
    quiet_until: Instant,
    dump: Option<Dump>,
    dump_after: Instant,
}

impl Follower {
    async fn run(mut self, publisher: watch::Sender<Arc<KernelState>>) -> Result<(), MirrorError> {
        let mut events = Vec::new();
        loop {
            let dump_at = self.dump.map(|_| self.dump_after);
            tokio::select! {
                biased;
                () = publisher.closed() => return Ok(()),
                () = at(self.publish_at) => self.publish(&publisher),
                () = at(dump_at) => self.read_again().await?,
                result = self.events.next(&mut events) => {
                    result.map_err(MirrorError::Notifications)?;
                    for event in events.drain(..) {
                        self.follow(event);
                    }
                }
            }
        }
    }

    fn publish(&mut self, publisher: &watch::Sender<Arc<KernelState>>) {
        self.publish_at = None;
        self.quiet_until = Instant::now() + self.options.spacing;
        publisher.send_if_modified(|published| {
            let differs = **published != self.state;
            if differs {
                *published = Arc::new(self.state.clone());
            }
            differs
        });
    }

    fn changed(&mut self) {
        let now = Instant::now();
        self.publish_at.get_or_insert_with(|| now.max(self.quiet_until));
    }

    fn want(&mut self, dump: Dump) {
        self.dump = self.dump.max(Some(dump));
    }

    fn follow(&mut self, event: Event) {
        match event {
            Event::Message(message, flags) => {
                if let Some(change) = decode(&message, flags, &self.interfaces) {
                    self.apply(change);
                }
            }
            Event::NextHops => self.want(Dump::Routes),
            Event::Lost => {
                warn!("lost notifications of the kernel's routing; reading its tables again");
                self.want(Dump::All);
            }
        }
    }

    fn apply(&mut self, change: Change) {
        let changed = match change {
            Change::Link(index, link) => {
                // IPv4 routes go with their link without a word, and multipath ones lose a next hop.
                if self.state.links.get(&index).map(|known| known.up) != link.as_ref().map(|link| link.up) {
                    self.want(Dump::Routes);
                }
                set(&mut self.state.links, index, link)
            }
            Change::Address { entry, present } => {
                if self.state.addresses.contains(&entry) == present {
                    false
                } else {
                    let addresses = Arc::make_mut(&mut self.state.addresses);
                    if present {
                        addresses.insert(entry);
                    } else {
                        addresses.remove(&entry);
                        // Routes that prefer it as their source go silently too.
                        self.want(Dump::Routes);
                    }
                    true
                }
            }
            Change::Neighbour(key, neighbour) => set(&mut self.state.neighbours, key, neighbour),
            Change::Route(entry, verb) => match self.rib.apply(&entry, verb) {
                Applied::Nothing => false,
                Applied::Changed => {
                    let best = self.rib.best(&entry.prefix).cloned();
                    self.state.routes.set(&entry.prefix, best.map(Arc::new))
                }
                Applied::Uncertain => {
                    debug!(prefix = %entry.prefix, ?verb, "reading the routes again");
                    self.want(Dump::Routes);
                    false
                }
            },
        };
        if changed {
            self.changed();
        }
    }

    async fn read_again(&mut self) -> Result<(), MirrorError> {
        let started = Instant::now();
        let result = match self.dump.take() {
            Some(Dump::All) => {
                self.events.discard().map_err(MirrorError::Notifications)?;
                self.read_all().await
            }
            Some(Dump::Routes) => self.read_routes().await,
            None => Ok(()),
        };
        // A table that changes all the time will be calmer later; meanwhile the notifications still tell most of it.
        self.dump_after = Instant::now() + self.options.dump_spacing.max(started.elapsed() * 4);
        match result {
            Err(NetlinkError::Unsteady) => {
                debug!("the kernel's tables are changing; reading them again later");
                self.want(Dump::All);
                Ok(())
            }
            other => other.map_err(MirrorError::from),
        }
    }

    async fn read_all(&mut self) -> Result<(), NetlinkError> {
        let tables = tables::read_interfaces(&self.netlink, &self.interfaces).await?;
        self.state.links = Arc::new(tables.links);
        self.state.addresses = Arc::new(tables.addresses);
        self.state.neighbours = Arc::new(tables.neighbours);
        self.changed();
        self.read_routes().await
    }

    async fn read_routes(&mut self) -> Result<(), NetlinkError> {
        self.rib = Rib::from_dump(tables::read_routes(&self.netlink, &self.interfaces).await?);
        // Those that are the same stay shared with the snapshots before.
        let before = self.state.routes.clone();
        let gone = before.iter().map(|(prefix, _)| prefix).filter(|prefix| self.rib.best(prefix).is_none());
        let mut changed = false;
        for prefix in gone {
            changed |= self.state.routes.set(&prefix, None);
        }
        for (prefix, route) in self.rib.all_best() {
            if before.get(prefix).is_none_or(|known| **known != *route) {
                changed |= self.state.routes.set(prefix, Some(Arc::new(route.clone())));
            }
        }
        if changed {
            self.changed();
        }
        Ok(())
    }
}

/// Sets or removes an entry of a shared map, copying the map only if that changes it.
fn set<K: Ord + Clone, V: PartialEq + Clone>(map: &mut Arc<BTreeMap<K, V>>, key: K, value: Option<V>) -> bool {
    if map.get(&key) == value.as_ref() {
        return false;
    }
    let map = Arc::make_mut(map);
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
    true
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}
