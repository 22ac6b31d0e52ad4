//! Services by address, port and protocol or by mark.

use std::sync::Arc;

use ulvs_model::{PersistenceEngine, ServiceKey, ServiceSettings};
use ulvs_wire::{Address, Family, parse};

use crate::prefetch::prefetch;
use crate::sched::{Request, Scheduler, Turns};
use crate::time::ticks;

use super::directory::Directory;
use super::line::ServiceLine;
use super::place::Place;
use super::{Addresses, DestinationId};

/// Services whose lines stay in a worker's cache, some seven each: to look ahead would take longer than to wait for them.
const FEW: u32 = 2048;
/// FTP's port, its data's from the server, and the first that its clients and servers choose among.
pub(crate) const FTP: u16 = 21;
pub(crate) const FTP_DATA: u16 = 20;
const UNPRIVILEGED: u16 = 1024;

/// How long and by which part of their address clients are remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Persistence {
    /// In ticks.
    pub(crate) timeout: u32,
    /// Of an address as packets have it.
    pub(crate) mask: u128,
    /// Calls are told apart, by SIP's Call-ID.
    pub(crate) by_call: bool,
}

impl Persistence {
    fn of(model: ulvs_model::Persistence) -> Self {
        let by_call = model.engine == Some(PersistenceEngine::Sip);
        Self { timeout: ticks(model.timeout), mask: model.netmask.bits(), by_call }
    }
}

/// A service as a worker sees it. Up to where the scheduler's rule begins, it is on the first two lines: processors fetch the second
/// line of a pair nearly for nothing.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct ServiceView {
    /// The scheduler alone decides about its connections: it has no persistence, is by no mark and schedules no datagram by
    /// itself.
    plain: bool,
    /// Each datagram is scheduled by itself (ipvs-facts B.7).
    pub(crate) one_packet: bool,
    /// The one it serves; 0: all.
    port: u16,
    scheduler: Scheduler,
    pub(crate) key: ServiceKey,
    pub(crate) persistence: Option<Persistence>,
}

const _: () = assert!(std::mem::offset_of!(ServiceView, scheduler) + Scheduler::RULE < 128);

impl ServiceView {
    pub(crate) fn new(key: ServiceKey, scheduler: Scheduler, settings: &ServiceSettings) -> Self {
        let persistence = settings.persistence.map(Persistence::of);
        let plain = persistence.is_none() && key.mark().is_none() && !settings.one_packet;
        Self { plain, one_packet: settings.one_packet, port: key.port(), scheduler, key, persistence }
    }

    /// The port it serves; 0: all.
    #[inline]
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The scheduler alone decides about its connections.
    #[inline]
    pub(crate) const fn is_plain(&self) -> bool {
        self.plain
    }

    /// It is one by firewall mark.
    pub(crate) const fn is_marked(&self) -> bool {
        self.key.mark().is_some()
    }

    /// Its destinations, if they are few and take turns; if the scheduler does not decide alone, to be asked for ahead only.
    pub(super) fn turns(&self) -> Option<Turns> {
        self.scheduler.turns(self.plain)
    }

    /// Asks for what picks read of it.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        prefetch(self);
        self.scheduler.prefetch_rule();
    }

    /// What the next pick reads can be asked for.
    pub(crate) const fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// The destination that gets the next connection.
    #[inline(always)]
    pub(crate) fn pick(&self, request: &Request<'_>) -> Option<DestinationId> {
        self.scheduler.pick(request)
    }
}

/// All services of a snapshot. One lookup, however many ports an address has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Services {
    directory: Directory,
    /// Virtual addresses, once for each service.
    vips: Addresses,
    /// How many services there are of IPv4 and of IPv6.
    of_family: [u32; 2],
    /// How many of them are also found by other ports than their own.
    wide: u32,
    /// How many of them are found by a mark, of IPv4 and of IPv6.
    marked: [u32; 2],
}

impl Services {
    /// The service a packet to this address and port is for (ipvs-facts B.5.2): one of this port, or one of FTP if the port
    /// may be of its data, or one of all ports.
    #[inline(always)]
    pub(crate) fn find(&self, to: &Place) -> Option<&ServiceLine> {
        let exact = self.directory.find(to);
        if exact.is_none() && self.wide > 0 { self.find_wide(to) } else { exact }
    }

    #[cold]
    #[inline(never)]
    fn find_wide(&self, to: &Place) -> Option<&ServiceLine> {
        let port = to.port();
        let may_be_ftp = to.protocol() == parse::TCP && (port == FTP_DATA || port >= UNPRIVILEGED);
        let ftp = if may_be_ftp { self.directory.find(&to.with_port(FTP)) } else { None };
        ftp.or_else(|| self.directory.find(&to.with_port(0)))
    }

    /// The service of a place, most likely; it is not read.
    #[inline(always)]
    pub(crate) fn guess(&self, place: &Place) -> Option<&ServiceLine> {
        self.directory.guess(place)
    }

    /// Whether there is any service by mark, and so a reason to ask for a packet's.
    #[inline]
    pub(crate) const fn are_marked(&self) -> bool {
        self.marked[0] + self.marked[1] > 0
    }

    /// Whether any of this family is by mark: its connections may have any virtual address.
    #[inline]
    pub(crate) const fn are_marked_of(&self, family: Family) -> bool {
        self.marked[family_index(family)] > 0
    }

    /// The service of packets with this mark; 0: they have none.
    pub(crate) fn of_mark(&self, mark: u32, family: Family) -> Option<&ServiceLine> {
        if mark == 0 { None } else { self.directory.find(&Place::marked(mark, family)) }
    }

    /// Whether some are found by other ports than their own, or by a mark.
    #[inline]
    pub(crate) const fn are_wide(&self) -> bool {
        self.wide > 0 || self.are_marked()
    }

    /// Whether there are so many that a worker's cache may not hold what their schedulers use.
    pub(crate) const fn are_many(&self) -> bool {
        self.of_family[0] + self.of_family[1] > FEW
    }

    /// Whether some service has this address.
    pub(crate) fn has_vip(&self, address: Address, family: Family) -> bool {
        self.vips.contains(address, family)
    }

    /// Whether there is any service of this family. Without one, IPVS leaves the family's packets alone (ipvs-facts B.2).
    pub(crate) const fn any_of(&self, family: Family) -> bool {
        self.of_family[family_index(family)] > 0
    }

    pub(crate) fn set(&mut self, service: Arc<ServiceView>) {
        let key = service.key;
        if self.directory.set(ServiceLine::new(service)) {
            if let Some(vip) = key.vip() {
                self.vips.add(vip);
            }
            self.of_family[family_index(key.family())] += 1;
            self.wide += u32::from(is_wide(&key));
            self.marked[family_index(key.family())] += u32::from(key.mark().is_some());
        }
    }

    pub(crate) fn remove(&mut self, key: &ServiceKey) {
        if self.directory.remove(&Place::of(key)) {
            self.of_family[family_index(key.family())] -= 1;
            self.wide -= u32::from(is_wide(key));
            self.marked[family_index(key.family())] -= u32::from(key.mark().is_some());
            if let Some(vip) = key.vip() {
                self.vips.remove(vip);
            }
        }
    }
}

const fn is_wide(key: &ServiceKey) -> bool {
    key.mark().is_none() && matches!(key.port(), 0 | FTP)
}

const fn family_index(family: Family) -> usize {
    match family {
        Family::V4 => 0,
        Family::V6 => 1,
    }
}
