//! The end of connections: out of the index, by where the index has them.

use ulvs_model::ForwardMethod;

use crate::prefetch::{AT_A_TIME, prefetch};
use crate::sync::atomic::{Ordering, fence};

use super::control::{Control, Life};
use super::entry::{ConnId, Entry};
use super::index::Home;
use super::local::Local;
use super::table::Table;

/// Where the index has an entry: by requests, and by replies of NAT.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Homes {
    request: Home,
    reply: Option<Home>,
}

impl Table {
    /// Ends a connection. Only one caller ends it: `Some` is the control word it had. `None` also if the worker
    /// [can't end](Local::can_retire) another one now, or it controls others.
    pub(crate) fn kill(&self, local: &mut Local, id: ConnId) -> Option<Control> {
        if !local.can_retire() {
            return None;
        }
        let entry = &self.entries[id as usize];
        let was = if entry.control().is_helped() {
            Self::kill_childless(entry)?
        } else {
            Self::swap_life(entry, Control::is_live, Life::Dead)?
        };
        self.take_out(id, was, self.homes(entry, id));
        local.retire(id, was.incarnation());
        Some(was)
    }

    /// Ends a connection that may control others, unless it does. Whoever makes it do so says so before looking whether it
    /// is live; here it stops being live before that is looked at: one of both sees the other.
    fn kill_childless(entry: &Entry) -> Option<Control> {
        let was = Self::swap_life(entry, Control::is_live, Life::Joining)?;
        fence(Ordering::SeqCst);
        let life = if entry.controls() == 0 { Life::Dead } else { Life::Live };
        entry.control.store(was.with_life(life).0, Ordering::Release);
        (life == Life::Dead).then_some(was)
    }

    /// Where the index has an entry.
    fn homes(&self, entry: &Entry, id: ConnId) -> Homes {
        let control = entry.control();
        let by_reply = control.method() == ForwardMethod::Nat && !control.has(Control::TEMPLATE);
        Homes { request: self.home_of(id), reply: by_reply.then(|| self.home(&entry.reply_key())) }
    }

    /// Where the index has entries that are about to end, whose buckets are asked for: step by step for all of them, so that none
    /// waits for another one's lines.
    #[inline(never)]
    pub(super) fn prefetch_homes(&self, ids: impl Iterator<Item = ConnId>, homes: &mut [Homes; AT_A_TIME]) {
        let mut ending = [(ConnId::MAX, None); AT_A_TIME];
        for ((place, id), homes) in ending.iter_mut().zip(ids).zip(homes.iter_mut()) {
            let entry = &self.entries[id as usize];
            prefetch(entry);
            (*place, *homes) = ((id, Some(entry)), Homes::default());
        }
        let ending = || ending.iter().map_while(|&(id, entry)| Some((id, entry?)));
        ending().filter(|(_, entry)| entry.has_v6()).for_each(|(_, entry)| entry.prefetch_second());
        for ((id, entry), homes) in ending().zip(homes) {
            *homes = self.homes(entry, id);
            self.index.prefetch(homes.request);
            if let Some(home) = homes.reply {
                self.index.prefetch(home);
            }
        }
    }

    /// Takes an entry that has just ended out of the index: its homes are those of the incarnation that ended.
    pub(super) fn take_out(&self, id: ConnId, was: Control, homes: Homes) {
        if was.has(Control::EXPELLED) {
            return;
        }
        if let Some(home) = homes.reply {
            self.index.remove(home, id);
        }
        self.index.remove(homes.request, id);
    }
}
