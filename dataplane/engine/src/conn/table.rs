//! The connection table all workers share.

use std::io;

use ulvs_model::ForwardMethod;
use ulvs_wire::{Address, Delta, Family, FlowHasher, FlowKey, parse};

use crate::memory::Region;
use crate::prefetch::prefetch;
use crate::proto::State;
use crate::snapshot::{AddressPair, Destinations};
use crate::sync::atomic::Ordering;
use crate::time::Ticks;

use super::call_id::{CallId, CallIds};
use super::control::{Control, Life};
use super::entry::{ConnId, Direction, Entry, Helper, NewConnection, Role};
use super::index::{Home, Index, Inserted};
use super::local::Local;
use super::pool::Pool;
use super::quiescence::Quiescence;

/// Connections of one client port to one real server port through different services that may be open at a time: their
/// replies can't be told apart, as they can't in IPVS.
const SAME_REPLIES: usize = 4;

/// Index slots for a table of `capacity` connections: two each, at 72 % when nine tenths of the table are in use.
pub(super) const fn index_slots(capacity: usize) -> usize {
    capacity / 2 * 5 + 16
}

/// The table: entries, index, free entries. Position independent, lock-free, for any number of workers.
#[derive(Debug)]
pub struct Table {
    pub(super) entries: Region<Entry>,
    pub(super) index: Index,
    pub(super) pool: Pool,
    pub(super) quiescence: Quiescence,
    pub(super) calls: CallIds,
    hasher: FlowHasher,
    workers: usize,
    keeps_beginnings: bool,
}

/// The entry that a packet's connection most likely has.
pub(crate) type Guess<'a> = Option<&'a Entry>;

/// A connection a packet belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) direction: Direction,
    pub(crate) control: Control,
    /// Its IPv6 addresses, if they were found without reading its second line.
    pub(crate) pair: Option<&'a AddressPair>,
}

/// Why a connection could not be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refused {
    /// Another worker made it at this moment: look it up.
    Exists,
    /// No entry or no index slot is free.
    Full,
    /// Too many connections have the same replies.
    ReplyTuple,
}

impl Table {
    /// A table for `capacity` connections, used by `workers` workers.
    ///
    /// # Errors
    /// What the kernel says when it has no room for the mappings.
    pub fn new(capacity: u32, workers: usize, hasher: FlowHasher) -> io::Result<Self> {
        Ok(Self {
            entries: Region::new(capacity as usize)?,
            index: Index::new(index_slots(capacity as usize))?,
            pool: Pool::new(capacity),
            quiescence: Quiescence::new(workers),
            calls: CallIds::new(capacity as usize)?,
            hasher,
            workers,
            keeps_beginnings: false,
        })
    }

    /// Has entries know from now on when their connections began: of IPv4's that is a cache line more to be written.
    pub const fn keep_beginnings(&mut self) {
        self.keeps_beginnings = true;
    }

    /// The most connections it can hold.
    pub fn capacity(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of the index, of entries used so far and of what workers keep beside them.
    pub fn bytes(&self) -> usize {
        let entries = self.pool.used() as usize * size_of::<Entry>();
        self.index.bytes() + entries + self.workers * Local::bytes(self.capacity(), self.workers)
    }

    /// The worker's part of the table. Each worker of the table has one.
    pub(crate) fn local(&self, worker: usize) -> Local {
        Local::new(worker, self.workers, self.pool.list(self.workers), self.capacity())
    }

    #[inline]
    pub(crate) fn home(&self, key: &FlowKey) -> Home {
        self.index.home(self.hasher.flow(key))
    }

    /// The same of an IPv4 flow's.
    #[inline(always)]
    pub(crate) fn home_v4(&self, key: &FlowKey) -> Home {
        self.index.home(self.hasher.flow_v4(key.ends(), key.v4()))
    }

    #[inline]
    pub(crate) fn prefetch_bucket(&self, home: Home) {
        self.index.prefetch(home);
    }

    /// The home of a template.
    pub(super) fn template_home(&self, key: &FlowKey, call: Option<&CallId>) -> Home {
        let flow = self.hasher.flow(key);
        self.index.home(call.map_or(flow, |call| call.words().fold(flow, |hash, word| self.hasher.with(hash, word))))
    }

    /// The home of an entry's key.
    pub(super) fn home_of(&self, id: ConnId) -> Home {
        let entry = &self.entries[id as usize];
        let call = entry.is_of_call().then(|| self.calls.get(id));
        self.template_home(&entry.key(), call.as_ref())
    }

    /// The entry a flow most likely has, whose first line is asked for; `None` if it has none, surely or most likely.
    #[inline]
    pub(crate) fn prefetch_entry(&self, home: Home) -> Guess<'_> {
        let entry = self.entries.get(self.index.guess(home) as usize)?;
        prefetch(entry);
        Some(entry)
    }

    /// The connection `key` belongs to, if it is the one that [`prefetch_entry`](Self::prefetch_entry) said, and nothing is to
    /// be done but to forward its packets. If not, the answer is [`search`](Self::search)'s.
    #[inline(always)]
    pub(crate) fn likely<'a, const MAY_BE_V6: bool>(
        guess: Guess<'a>,
        key: &FlowKey,
        destinations: &'a Destinations,
    ) -> Option<Hit<'a>> {
        let entry = guess?;
        if MAY_BE_V6 && key.family() == Family::V6 {
            let pair = entry.pair(destinations);
            let (direction, control) = match pair {
                Some(pair) => entry.matches_plainly_v6(key, pair)?,
                None => entry.matches_plainly_without_pair(key)?,
            };
            Some(Hit { entry, direction, control, pair })
        } else {
            let (direction, control) = entry.matches_plainly_v4(key)?;
            Some(Hit { entry, direction, control, pair: None })
        }
    }

    /// The number of an entry; `None` of one that is not in the table. Few packets need it, so nobody keeps it beside the entry.
    pub(crate) fn number_of(&self, entry: &Entry) -> Option<ConnId> {
        let from_first = std::ptr::from_ref(entry).addr().wrapping_sub(self.entries.as_ptr().addr());
        let at = from_first / size_of::<Entry>();
        if at < self.entries.len() { ConnId::try_from(at).ok() } else { None }
    }

    /// The connection `key` belongs to, wherever in its chain it is.
    #[inline]
    pub(crate) fn search(&self, home: Home, key: &FlowKey) -> Option<Hit<'_>> {
        if self.index.is_absent(home) { None } else { self.search_chain(home, key) }
    }

    #[inline(never)]
    fn search_chain(&self, home: Home, key: &FlowKey) -> Option<Hit<'_>> {
        let mut hit = None;
        self.index.find(home, |id| {
            let entry = &self.entries[id as usize];
            hit = entry.matches(key).and_then(|(direction, control)| {
                Some(Hit { entry, direction, control: Self::keep(entry, control)?, pair: None })
            });
            hit.is_some()
        });
        hit
    }

    /// Takes the mark off a connection that was about to expire: the sweep that made it then ends nothing, and what the
    /// packet stores in the entry is not lost. `None` if the connection ended before.
    #[inline]
    pub(super) fn keep(entry: &Entry, mut control: Control) -> Option<Control> {
        while control.life() == Life::Expiring {
            let expiring = |c: Control| (c.life() == Life::Expiring).then(|| c.with_life(Life::Live));
            if let Some(was) = entry.swap_control(expiring) {
                return Some(was.with_life(Life::Live));
            }
            control = entry.control();
        }
        control.has_packets().then_some(control)
    }

    #[inline]
    pub(crate) fn entry(&self, id: ConnId) -> &Entry {
        &self.entries[id as usize]
    }

    /// Makes a connection in `state`, whose timer starts now; `home` is that of its key.
    pub(crate) fn insert(
        &self,
        local: &mut Local,
        (home, new): (Home, &NewConnection),
        state: State,
        now: Ticks,
        timeout: u32,
    ) -> Result<ConnId, Refused> {
        self.insert_of(local, (home, new, None), state, now, timeout)
    }

    /// The same, of a call if it is said.
    #[inline(never)]
    pub(super) fn insert_of(
        &self,
        local: &mut Local,
        (home, new, call): (Home, &NewConnection, Option<&CallId>),
        state: State,
        now: Ticks,
        timeout: u32,
    ) -> Result<ConnId, Refused> {
        if !local.can_retire() {
            return Err(Refused::Full);
        }
        let hit = self.make_of(local, (home, &new.key), (new, call), (state, timeout), now)?;
        self.number_of(hit.entry).ok_or(Refused::Full)
    }

    /// As [`insert`](Self::insert), where workers make connections: `key` is that of `new` where it lies in memory already. Only
    /// if the worker [can end](Local::can_retire) one.
    #[inline(always)]
    pub(crate) fn make(
        &self,
        local: &mut Local,
        at: (Home, &FlowKey),
        new: &NewConnection,
        begin: (State, u32),
        now: Ticks,
    ) -> Result<Hit<'_>, Refused> {
        self.make_of(local, at, (new, None), begin, now)
    }

    #[inline(always)]
    fn make_of(
        &self,
        local: &mut Local,
        (home, key): (Home, &FlowKey),
        (new, call): (&NewConnection, Option<&CallId>),
        (state, timeout): (State, u32),
        now: Ticks,
    ) -> Result<Hit<'_>, Refused> {
        debug_assert!(local.can_retire(), "checked before");
        let id = self.pool.take(&mut local.free, &self.entries).ok_or(Refused::Full)?;
        let entry = &self.entries[id as usize];
        entry.describe(new, deltas(new));
        if let Some(call) = call {
            self.calls.set(id, call);
        }
        if self.keeps_beginnings {
            entry.begin(now);
        }
        entry.last_seen.store(now.0, Ordering::Relaxed);
        entry.timeout.store(timeout, Ordering::Relaxed);
        let incarnation = entry.control().incarnation().wrapping_add(1);
        let control = Control::new(incarnation, new.method, state, flags(new)).helped(new.helper == Helper::Ftp);
        entry.control.store(control.0, Ordering::Release);
        // Until it is live nobody else changes the control word, so that storing is enough.
        let outcome = if new.role.is_template() {
            self.put_template_into_index(id, home, (key, call))
        } else {
            self.put_into_index(id, home, key, new)
        };
        if let Err(why) = outcome {
            entry.control.store(control.with_life(Life::Dead).0, Ordering::Release);
            // It was in the index for a moment: another worker may have its number.
            local.retire(id, incarnation);
            return Err(why);
        }
        let control = control.with_life(Life::Live);
        entry.control.store(control.0, Ordering::Release);
        Ok(Hit { entry, direction: Direction::In, control, pair: None })
    }

    #[inline(always)]
    fn put_into_index(&self, id: ConnId, home: Home, key: &FlowKey, new: &NewConnection) -> Result<(), Refused> {
        let same = |other: ConnId| matches!(self.entries[other as usize].matches(key), Some((Direction::In, _)));
        match self.index.insert(home, id, 0, same) {
            Inserted::Yes if new.method != ForwardMethod::Nat => Ok(()),
            Inserted::Yes => self.put_reply_into_index(id, home, key, (new.address, new.port)),
            Inserted::Exists(_) => Err(Refused::Exists),
            Inserted::Full => Err(Refused::Full),
        }
    }

    /// Puts a NAT connection to `destination` into the index by its replies too, or takes it out again.
    #[inline(never)]
    fn put_reply_into_index(
        &self,
        id: ConnId,
        home: Home,
        key: &FlowKey,
        destination: (Address, u16),
    ) -> Result<(), Refused> {
        let reply = key.to(destination.0, destination.1).reversed();
        let same = |other: ConnId| matches!(self.entries[other as usize].matches(&reply), Some((Direction::Out, _)));
        let reply_home = self.home(&reply);
        let refused = if self.index.can_confuse(home, reply_home) {
            Refused::ReplyTuple
        } else {
            match self.index.insert(reply_home, id, SAME_REPLIES - 1, same) {
                Inserted::Yes => return Ok(()),
                Inserted::Exists(_) => Refused::ReplyTuple,
                Inserted::Full => Refused::Full,
            }
        };
        self.index.remove(home, id);
        Err(refused)
    }

    /// Changes the life of an entry for which `when` holds; the control word it had.
    pub(super) fn swap_life(entry: &Entry, when: impl Fn(Control) -> bool, to: Life) -> Option<Control> {
        entry.swap_control(|control| when(control).then(|| control.with_life(to)))
    }
}

/// Flags a connection begins with, beside those of its method and state.
#[inline(always)]
fn flags(new: &NewConnection) -> u16 {
    match new.role {
        _ if new.helper == Helper::Announced => Control::NO_CPORT,
        Role::Template | Role::Call => Control::TEMPLATE,
        Role::Controlled(_) if new.key.protocol() == parse::UDP => Control::UNASSURED,
        // TCP assures its template when it is established.
        Role::Controlled(_) | Role::Single => 0,
    }
}

/// What the rewrite of a request does to its IP and its TCP or UDP checksum. Replies have the inverse.
#[inline(always)]
pub(super) fn deltas(new: &NewConnection) -> (Delta, Delta) {
    if new.method != ForwardMethod::Nat || new.role.is_template() {
        return (Delta::NONE, Delta::NONE);
    }
    let addresses = match new.key.family() {
        Family::V4 => Delta::between(&bytes_v4(new.key.destination()), &bytes_v4(new.address)),
        Family::V6 => Delta::between(&new.key.destination().0.to_be_bytes(), &new.address.0.to_be_bytes()),
    };
    let ports = Delta::between(&new.key.destination_port().to_be_bytes(), &new.port.to_be_bytes());
    (addresses, addresses.and(ports))
}

fn bytes_v4(address: Address) -> [u8; 4] {
    address.to_v4().to_be_bytes()
}
