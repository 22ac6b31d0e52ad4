//! Whether a packet belongs to a connection, and which way it goes: always by all of its addresses and ports.

use ulvs_model::ForwardMethod;
use ulvs_wire::{Family, FlowKey};

use crate::conn::control::Control;
use crate::conn::tuple::Tuple;
use crate::snapshot::{AddressPair, Destinations};
use crate::sync::atomic::Ordering::Relaxed;

use super::{Direction, Entry, load};

impl Entry {
    /// Whether the entry has a connection and `key` belongs to it, and which way the packet goes.
    #[inline(always)]
    pub(in crate::conn) fn matches(&self, key: &FlowKey) -> Option<(Direction, Control)> {
        let control = self.control();
        if control.has_packets() { Some((self.direction(key, control)?, control)) } else { None }
    }

    /// The same of a packet by IPv4 and of a connection whose packets are [only to be forwarded](Control::is_plain).
    #[inline(always)]
    pub(in crate::conn) fn matches_plainly_v4(&self, key: &FlowKey) -> Option<(Direction, Control)> {
        debug_assert_eq!(key.family(), Family::V4, "asked before");
        let control = self.control();
        if control.is_plain() { Some((self.direction_v4(key, control)?, control)) } else { None }
    }

    /// The same of a packet by IPv6: the second line is not read.
    #[inline(always)]
    pub(in crate::conn) fn matches_plainly_v6(
        &self,
        key: &FlowKey,
        pair: &AddressPair,
    ) -> Option<(Direction, Control)> {
        let control = self.control();
        if !control.is_plain() {
            return None;
        }
        Some((self.direction_v6(key, control, || pair.vip, || pair.real_server)?, control))
    }

    /// The same, of a connection without a pair.
    #[inline(never)]
    pub(in crate::conn) fn matches_plainly_without_pair(&self, key: &FlowKey) -> Option<(Direction, Control)> {
        self.matches(key).filter(|(_, control)| control.is_plain())
    }

    #[inline(always)]
    fn direction(&self, key: &FlowKey, control: Control) -> Option<Direction> {
        match key.family() {
            Family::V4 => self.direction_v4(key, control),
            Family::V6 => self.direction_v6(key, control, || load(&self.vip_v6), || load(&self.destination_v6)),
        }
    }

    #[inline(always)]
    fn direction_v4(&self, key: &FlowKey, control: Control) -> Option<Direction> {
        let tuple = Tuple(self.tuple.load(Relaxed));
        if tuple.request() == key.ends() && self.addresses[0].load(Relaxed) == key.v4() {
            return Some(Direction::In);
        }
        // Replies of NAT come from the real server; of other methods, if they come by at all, from the virtual address.
        let nat = control.method() == ForwardMethod::Nat;
        if tuple.reply(nat) != key.ends() {
            return None;
        }
        let ends = self.addresses[0].load(Relaxed);
        let from = if nat { u64::from(self.destination_v4()) } else { ends >> 32 };
        (key.v4() == from | ends << 32).then_some(Direction::Out)
    }

    #[inline(always)]
    fn direction_v6(
        &self,
        key: &FlowKey,
        control: Control,
        vip: impl Fn() -> [u64; 2],
        real_server: impl Fn() -> [u64; 2],
    ) -> Option<Direction> {
        let (tuple, [from, to]) = (Tuple(self.tuple.load(Relaxed)), key.v6());
        if tuple.request() == key.ends() && load(&self.addresses) == *from && vip() == *to {
            return Some(Direction::In);
        }
        let nat = control.method() == ForwardMethod::Nat;
        if tuple.reply(nat) != key.ends() {
            return None;
        }
        let replies_from = if nat { real_server() } else { vip() };
        (load(&self.addresses) == *to && replies_from == *from).then_some(Direction::Out)
    }

    /// The IPv6 addresses that its packets have, unless only its second line knows.
    #[inline(always)]
    pub(in crate::conn) fn pair<'a>(&self, destinations: &'a Destinations) -> Option<&'a AddressPair> {
        let (id, generation) = self.destination_id();
        if Tuple(self.tuple.load(Relaxed)).is_paired() { destinations.pair(id, generation) } else { None }
    }

    /// Whether the addresses are those of a request, families being the same.
    #[inline(always)]
    fn is_request(&self, key: &FlowKey) -> bool {
        match key.family() {
            Family::V4 => self.addresses[0].load(Relaxed) == key.v4(),
            Family::V6 => load(&self.addresses) == key.v6()[0] && load(&self.vip_v6) == key.v6()[1],
        }
    }

    /// Whether the entry has the template with this key, of a call or not; the control word.
    pub(in crate::conn) fn matches_template(&self, key: &FlowKey, of_call: bool) -> Option<Control> {
        let tuple = Tuple(self.tuple.load(Relaxed));
        let control = self.control();
        let is_it = control.has_packets() && !control.has(Control::EXPELLED) && tuple.is_template(key.ends(), of_call);
        (is_it && self.is_request(key)).then_some(control)
    }
}
