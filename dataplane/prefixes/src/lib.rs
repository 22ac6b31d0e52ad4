//! A table of address prefixes whose copies share what is the same.
//!
//! A copy costs nothing, a change takes time by the length of the prefix, and [`Prefixes::changes`] finds what two copies
//! differ in by looking at nothing that they share. So a full routing table of the Internet (a million prefixes) goes from
//! the kernel's notifications to the workers change by change.

mod changes;
mod node;
mod place;

use std::net::IpAddr;

use ipnet::IpNet;

use node::{Link, Node};
use place::Place;

/// Values by prefix, of both address families.
#[derive(Clone, Debug)]
pub struct Prefixes<V> {
    v4: Link<V>,
    v6: Link<V>,
    length: usize,
}

impl<V> Default for Prefixes<V> {
    fn default() -> Self {
        Self { v4: None, v6: None, length: 0 }
    }
}

impl<V> Prefixes<V> {
    /// How many prefixes have a value.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether no prefix has a value.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The value of exactly this prefix.
    pub fn get(&self, prefix: &IpNet) -> Option<&V> {
        node::get(self.root(prefix.addr()), Place::of(prefix))
    }

    /// The value of the longest prefix that this address is in.
    #[inline]
    pub fn longest(&self, address: IpAddr) -> Option<&V> {
        node::longest(self.root(address), Place::bits_of(address))
    }

    /// All prefixes with their values: IPv4's first, and of each family in the order of their addresses, the shorter first.
    pub fn iter(&self) -> impl Iterator<Item = (IpNet, &V)> {
        node::iter(self.v4.as_deref(), false).chain(node::iter(self.v6.as_deref(), true))
    }

    /// The same, beginning behind a prefix, which needs not be there.
    pub fn after(&self, prefix: &IpNet) -> impl Iterator<Item = (IpNet, &V)> {
        let (v4, v6) = (self.v4.as_deref(), self.v6.as_deref());
        let place = Place::of(prefix);
        let (v4, v6) = match prefix {
            IpNet::V4(_) => (node::after(v4, place), v6.into_iter().collect()),
            IpNet::V6(_) => (Vec::new(), node::after(v6, place)),
        };
        node::below(v4, false).chain(node::below(v6, true))
    }

    #[inline]
    fn root(&self, of: IpAddr) -> Option<&Node<V>> {
        match of {
            IpAddr::V4(_) => self.v4.as_deref(),
            IpAddr::V6(_) => self.v6.as_deref(),
        }
    }

    const fn root_mut(&mut self, of: IpAddr) -> &mut Link<V> {
        match of {
            IpAddr::V4(_) => &mut self.v4,
            IpAddr::V6(_) => &mut self.v6,
        }
    }
}

impl<V: Clone + PartialEq> Prefixes<V> {
    /// Gives the prefix a value, or takes it away. Whether that changed anything: if not, everything is still shared.
    pub fn set(&mut self, prefix: &IpNet, value: Option<V>) -> bool {
        let place = Place::of(prefix);
        let was = node::get(self.root(prefix.addr()), place);
        if was == value.as_ref() {
            return false;
        }
        let (before, after) = (usize::from(was.is_some()), usize::from(value.is_some()));
        let root = self.root_mut(prefix.addr());
        match value {
            Some(value) => node::insert(root, place, value),
            None => node::remove(root, place),
        }
        self.length = self.length + after - before;
        true
    }

    /// Calls `changed` for each prefix whose value in `self` is another one than in `before`: with the value it has now.
    pub fn changes<'a>(&'a self, before: &'a Self, mut changed: impl FnMut(IpNet, Option<&'a V>)) {
        changes::walk((before.v4.as_deref(), self.v4.as_deref()), false, &mut changed);
        changes::walk((before.v6.as_deref(), self.v6.as_deref()), true, &mut changed);
    }
}

/// By what they hold, however they came to it.
impl<V: Clone + PartialEq> PartialEq for Prefixes<V> {
    fn eq(&self, other: &Self) -> bool {
        let mut same = self.length == other.length;
        if same {
            self.changes(other, |_, _| same = false);
        }
        same
    }
}

impl<V: Clone + Eq> Eq for Prefixes<V> {}

impl<V: Clone + PartialEq> FromIterator<(IpNet, V)> for Prefixes<V> {
    fn from_iter<I: IntoIterator<Item = (IpNet, V)>>(all: I) -> Self {
        let mut prefixes = Self::default();
        for (prefix, value) in all {
            prefixes.set(&prefix, Some(value));
        }
        prefixes
    }
}
