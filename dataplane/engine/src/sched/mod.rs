//! Schedulers: which destination gets a new connection (ipvs-facts A). One rule per file.
//!
//! A scheduler walks the service's destinations newest first (ipvs-facts A.0). What a rule prepares for a list of destinations
//! belongs to the snapshot ([`Scheduler`]); what it remembers between two picks outlives it ([`Memory`]), and the control side
//! brings it along when destinations change, exactly as the kernel does.

mod cells;
mod dh;
mod fo;
mod hash32;
mod heaviest;
mod lblc;
mod lblcr;
mod lc;
mod least;
mod locality;
mod maglev;
mod memory;
mod mh;
mod nq;
mod ovf;
mod reach;
mod roster;
mod rr;
mod sed;
mod sh;
mod siphash;
mod spare;
mod turns;
mod twos;
mod wlc;
mod wrr;

use std::net::SocketAddr;

use smallvec::SmallVec;
use ulvs_model::{SchedulerFlags, SchedulerKind};
use ulvs_wire::{Family, FlowKey};

use crate::live::LiveConnections;
use crate::prefetch::prefetch;
use crate::snapshot::DestinationId;
use crate::time::Ticks;

pub(crate) use cells::Cells;
use least::Least;
pub(crate) use memory::{Edit, Memory};
pub(crate) use turns::Turns;

/// A destination as rules see it at a pick.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) id: DestinationId,
    pub(crate) weight: i32,
}

/// A destination as the control side lists it for a scheduler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed {
    pub(crate) candidate: Candidate,
    /// Which use of its number it is.
    pub(crate) generation: u32,
    /// Its last weight that was not 0.
    pub(crate) last_weight: i32,
    /// It has thresholds.
    pub(crate) limited: bool,
    pub(crate) address: SocketAddr,
}

/// What a pick is made for.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The packet's addresses and ports.
    pub(crate) key: &'a FlowKey,
    pub(crate) worker: usize,
    pub(crate) live: &'a LiveConnections,
    pub(crate) now: Ticks,
}

impl Request<'_> {
    /// Whether a destination can get a new connection (ipvs-facts A.0).
    #[inline]
    fn is_eligible(&self, candidate: Candidate) -> bool {
        candidate.weight > 0 && !self.live.of(candidate.id).overloaded
    }
}

/// A service's rule over its destinations as a snapshot has them.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Scheduler {
    memory: Memory,
    /// Newest first. Most are few, and lie where the service does.
    candidates: SmallVec<[Candidate; Self::FEW]>,
    rule: Rule,
    flags: SchedulerFlags,
}

/// A rule with what it prepared for a list of destinations.
#[derive(Debug)]
enum Rule {
    Rr,
    Wrr(wrr::Rounds),
    Lc(Least<lc::Lc>),
    Wlc(Least<wlc::Wlc>),
    Sed(Least<sed::Sed>),
    Nq(Least<nq::Nq>),
    Lblc(Box<lblc::Prepared>),
    Lblcr(Box<lblc::Prepared>),
    Fo(heaviest::Order),
    Ovf(heaviest::Order),
    Twos(twos::Shares),
    Dh(hash32::Slots),
    Sh(hash32::Slots),
    Mh(maglev::Places),
    None,
}

impl Rule {
    fn new(kind: SchedulerKind, family: Family, listed: &[Listed], memory: &Memory, workers: usize) -> Self {
        let prepared = |candidates| Box::new(lblc::Prepared::new(listed, candidates, memory.locality(), workers));
        let candidates: Vec<_> = listed.iter().map(|one| one.candidate).collect();
        let candidates = &*candidates;
        match kind {
            SchedulerKind::Rr => Self::Rr,
            SchedulerKind::Wrr => Self::Wrr(wrr::Rounds::new(candidates)),
            SchedulerKind::Lc => Self::Lc(Least::new(candidates, workers)),
            SchedulerKind::Wlc => Self::Wlc(Least::new(candidates, workers)),
            SchedulerKind::Sed => Self::Sed(Least::new(candidates, workers)),
            SchedulerKind::Nq => Self::Nq(Least::new(candidates, workers)),
            SchedulerKind::Lblc => Self::Lblc(prepared(candidates)),
            SchedulerKind::Lblcr => Self::Lblcr(prepared(candidates)),
            SchedulerKind::Fo => Self::Fo(heaviest::Order::new(candidates)),
            SchedulerKind::Ovf => Self::Ovf(heaviest::Order::new(candidates)),
            SchedulerKind::Twos => Self::Twos(twos::Shares::new(listed)),
            SchedulerKind::Dh => Self::Dh(dh::slots(candidates)),
            SchedulerKind::Sh => Self::Sh(sh::slots(candidates)),
            SchedulerKind::Mh => Self::Mh(maglev::Places::new(listed, family)),
            SchedulerKind::None => Self::None,
        }
    }
}

impl Scheduler {
    /// Where in it the rule begins.
    pub(crate) const RULE: usize = std::mem::offset_of!(Self, rule);
    /// So many destinations lie beside what their service is found by; of more, the list is elsewhere.
    const FEW: usize = 4;

    /// The rule over `listed` destinations, newest first, for a service of this family.
    pub(crate) fn new(
        (kind, flags): (SchedulerKind, SchedulerFlags),
        family: Family,
        listed: &[Listed],
        memory: Memory,
        workers: usize,
    ) -> Self {
        let candidates = listed.iter().map(|one| one.candidate).collect();
        let rule = Rule::new(kind, family, listed, &memory, workers);
        Self { memory, candidates, rule, flags }
    }

    /// Whether picks depend on changes of loads being counted.
    pub(crate) fn watches(&self) -> bool {
        match &self.rule {
            Rule::Lc(least) => least.is_grouped(),
            Rule::Wlc(least) => least.is_grouped(),
            Rule::Sed(least) => least.is_grouped(),
            Rule::Nq(least) => least.is_grouped(),
            Rule::Lblc(prepared) | Rule::Lblcr(prepared) => prepared.is_watching(),
            _ => false,
        }
    }

    /// Asks for the line on which the rule begins.
    #[inline(always)]
    pub(crate) fn prefetch_rule(&self) {
        prefetch(&self.rule);
    }

    /// Its destinations, if they are few and take turns; `may_pick`: nobody but this rule has a say.
    pub(crate) fn turns(&self, may_pick: bool) -> Option<Turns> {
        match &self.rule {
            Rule::Rr => Turns::of(&self.candidates, &self.memory, may_pick),
            Rule::Wrr(_) => Turns::of(&self.candidates, &self.memory, false),
            _ => None,
        }
    }

    /// The destination that most likely gets the next connection, where they take turns.
    #[inline(always)]
    pub(crate) fn next_by_turn(&self, worker: usize) -> Option<DestinationId> {
        let (Rule::Rr | Rule::Wrr(_)) = &self.rule else { return None };
        let list = self.candidates.as_slice();
        list.get(self.memory.cell(worker)?.get().after(list.len())).map(|candidate| candidate.id)
    }

    /// Asks for the list, where destinations don't take turns. Of a few of which nothing more can be told, any may be it.
    #[inline(always)]
    pub(crate) fn prefetch(&self, ask_for: impl Fn(DestinationId)) {
        match &self.rule {
            Rule::Lc(least) => least.prefetch(),
            Rule::Wlc(least) => least.prefetch(),
            Rule::Sed(least) => least.prefetch(),
            Rule::Nq(least) => least.prefetch(),
            _ if !self.candidates.spilled() => self.candidates.iter().for_each(|one| ask_for(one.id)),
            _ => {}
        }
        if self.candidates.spilled() {
            self.candidates.first().map(prefetch);
        }
    }

    /// Whether the next connection's destination is told by the loads.
    #[inline(always)]
    pub(crate) const fn goes_by_loads(&self) -> bool {
        matches!(self.rule, Rule::Lc(_) | Rule::Wlc(_) | Rule::Sed(_) | Rule::Nq(_))
    }

    /// Asks for the loads.
    #[inline(always)]
    pub(crate) fn prefetch_loads(&self, live: &LiveConnections) {
        if let ([first, ..], [.., last]) = (&*self.candidates, &*self.candidates) {
            live.prefetch(first.id);
            live.prefetch(last.id);
        }
    }

    /// The destination that most likely gets the next connection, where loads tell it.
    #[inline(always)]
    pub(crate) fn next_by_loads(&self, live: &LiveConnections) -> Option<DestinationId> {
        let place = match &self.rule {
            Rule::Lc(least) => least.expected(live)?,
            Rule::Wlc(least) => least.expected(live)?,
            Rule::Sed(least) => least.expected(live)?,
            Rule::Nq(least) => least.expected(live)?,
            _ => return None,
        };
        self.candidates.get(place).map(|candidate| candidate.id)
    }

    /// The destination that gets the next connection, if any can.
    #[inline(always)]
    pub(crate) fn pick(&self, request: &Request<'_>) -> Option<DestinationId> {
        let place = match &self.rule {
            Rule::Lc(least) => least.pick(request),
            Rule::Wlc(least) => least.pick(request),
            Rule::Sed(least) => least.pick(request),
            Rule::Nq(least) => least.pick(request),
            Rule::Rr => rr::pick(&self.candidates, &self.memory, request),
            Rule::Wrr(rounds) => wrr::pick(&self.candidates, rounds, &self.memory, request),
            _ => self.place(request),
        };
        let list = self.candidates.as_slice();
        place.map(|place| list[place].id)
    }

    /// Where in the list it is, by the other rules.
    #[inline(never)]
    fn place(&self, request: &Request<'_>) -> Option<usize> {
        let list = &*self.candidates;
        match &self.rule {
            Rule::Lblc(prepared) => lblc::pick(prepared, list, self.memory.locality()?, request),
            Rule::Lblcr(prepared) => lblcr::pick(prepared, list, self.memory.locality()?, request),
            Rule::Fo(order) => fo::pick(list, order, request),
            Rule::Ovf(order) => ovf::pick(list, order, request),
            Rule::Twos(shares) => twos::pick(list, shares, self.memory.cell(request.worker)?, request),
            Rule::Dh(slots) => dh::pick(list, slots, request),
            Rule::Sh(slots) => sh::pick(list, slots, self.flags, request),
            Rule::Mh(places) => mh::pick(list, places, self.flags, request),
            Rule::Rr | Rule::Wrr(_) | Rule::Lc(_) | Rule::Wlc(_) | Rule::Sed(_) | Rule::Nq(_) | Rule::None => None,
        }
    }
}

#[cfg(all(test, not(loom)))]
pub(crate) mod tests {
    use super::*;

    /// Of a service without destinations.
    pub(crate) fn scheduler_of_nobody() -> Scheduler {
        Scheduler::new((SchedulerKind::None, SchedulerFlags::default()), Family::V4, &[], Memory::Nothing, 1)
    }
}
