//! Which descriptors are generic-netlink sockets: a table by number, in pages, without locks.
//!
//! Any thread may write any slot: it is the thread that opens, closes or swaps the descriptor, and a program that does
//! two of these at once to one descriptor races in libc as well. Readers of other slots are not disturbed.

#![expect(
    unsafe_code,
    reason = "pages come from mmap: the allocator may not be used in a signal handler or forked child"
)]

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use libc::c_int;

const SLOTS: usize = 1024;
const PAGES: usize = 4096;

/// Four times the descriptors a process may have by default (`fs.nr_open`); a page is there once it is needed.
pub(crate) struct Table {
    pages: [AtomicPtr<Page>; PAGES],
}

struct Page {
    slots: [Slot; SLOTS],
}

/// All zeros is an empty slot.
struct Slot {
    /// Of the socket; 0 while the descriptor is none of ours. Written last, read first.
    inode: AtomicU64,
    /// [`Side`] and port id.
    socket: AtomicU64,
    /// The last request's number and length, and what became of it.
    asked: AtomicU64,
    request: [AtomicU64; REQUEST_WORDS],
}

/// The longest request that is kept: ipvsadm's and keepalived's have up to 300 bytes.
pub(crate) const LONGEST_REQUEST: usize = REQUEST_WORDS * 8;
const REQUEST_WORDS: usize = 64;

/// The last request of a socket, as far as its answer is still to come.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    /// Its number.
    pub(crate) sequence: u32,
    /// Its bytes; 0: it is too long to be kept.
    pub(crate) length: usize,
    /// How often it was sent again; absent: it may not be, for a part of its answer was received, or it was not kept.
    pub(crate) again: Option<u8>,
}

/// A socket, as it is known under each of its descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The number of the socket file: how a descriptor that was closed behind our back is told from ours.
    pub(crate) inode: u64,
    pub(crate) side: Side,
    /// The netlink address; 0 before `bind`. The kernel keeps that of its sockets itself.
    pub(crate) port_id: u32,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Kernel,
    Director,
}

const DIRECTOR: u64 = 1 << 63;
/// An answer may still come.
const ASKED: u64 = 1 << 63;
/// A part of it has come.
const BEGUN: u64 = 1 << 62;
/// Where it stands how often the request was sent again.
const AGAIN: u32 = 48;
/// Where its length stands.
const LENGTH: u32 = 32;

impl Table {
    #[expect(clippy::large_stack_arrays, reason = "made at compile time, into a static")]
    pub(crate) const fn new() -> Self {
        Self { pages: [const { AtomicPtr::new(ptr::null_mut()) }; PAGES] }
    }

    /// What was remembered for `fd`.
    #[inline]
    pub(crate) fn entry(&self, fd: c_int) -> Option<Entry> {
        let slot = self.slot(fd)?;
        let inode = slot.inode.load(Ordering::Acquire);
        (inode != 0).then(|| {
            let word = slot.socket.load(Ordering::Relaxed);
            let side = if word & DIRECTOR == 0 { Side::Kernel } else { Side::Director };
            Entry { inode, side, port_id: (word & u64::from(u32::MAX)) as u32 }
        })
    }

    /// False: no memory for the page, or a number beyond the table.
    pub(crate) fn remember(&self, fd: c_int, entry: Entry) -> bool {
        let Some(slot) = self.page_for(fd).and_then(|page| page.slots.get(place(fd)?.1)) else { return false };
        let side = if entry.side == Side::Director { DIRECTOR } else { 0 };
        slot.inode.store(0, Ordering::Release);
        slot.asked.store(0, Ordering::Relaxed);
        slot.socket.store(side | u64::from(entry.port_id), Ordering::Release);
        slot.inode.store(entry.inode, Ordering::Release);
        true
    }

    /// A request was sent by `fd`, and so often again.
    pub(crate) fn set_asked(&self, fd: c_int, sequence: u32, request: &[u8], again: u8) {
        let Some(slot) = self.slot(fd) else { return };
        let length = if request.len() <= LONGEST_REQUEST { request.len() } else { 0 };
        for (word, bytes) in slot.request.iter().zip(request.get(..length).unwrap_or_default().chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(whole), Ordering::Relaxed);
        }
        let counts = u64::from(again) << AGAIN | (length as u64) << LENGTH;
        slot.asked.store(ASKED | counts | u64::from(sequence), Ordering::Release);
    }

    /// Something was received by `fd`.
    #[inline]
    pub(crate) fn answered(&self, fd: c_int) {
        if let Some(slot) = self.slot(fd) {
            slot.asked.fetch_or(BEGUN, Ordering::Relaxed);
        }
    }

    /// The last request by `fd`, its bytes in `bytes`.
    pub(crate) fn asked(&self, fd: c_int, bytes: &mut [u8; LONGEST_REQUEST]) -> Option<Request> {
        let slot = self.slot(fd)?;
        let word = slot.asked.load(Ordering::Acquire);
        for (word, bytes) in slot.request.iter().zip(bytes.chunks_mut(8)) {
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        let length = usize::from((word >> LENGTH) as u16);
        let sequence = (word & u64::from(u32::MAX)) as u32;
        let again = (word & BEGUN == 0 && length > 0).then_some((word >> AGAIN) as u8);
        (word & ASKED != 0).then_some(Request { sequence, length, again })
    }

    /// The last request by `fd` was refused.
    pub(crate) fn refused(&self, fd: c_int) {
        if let Some(slot) = self.slot(fd) {
            slot.asked.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn forget(&self, fd: c_int) {
        if let Some(slot) = self.slot(fd) {
            slot.inode.store(0, Ordering::Release);
        }
    }

    /// Forgets `fd` if it is still remembered as `inode`.
    pub(crate) fn forget_stale(&self, fd: c_int, inode: u64) {
        if let Some(slot) = self.slot(fd) {
            let _ = slot.inode.compare_exchange(inode, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Calls `each` for every descriptor remembered as `inode`: the socket and its duplicates.
    pub(crate) fn for_each_of(&self, inode: u64, mut each: impl FnMut(c_int)) {
        for (number, page) in self.pages.iter().enumerate() {
            let Some(page) = live(page) else { continue };
            for (index, slot) in page.slots.iter().enumerate() {
                if slot.inode.load(Ordering::Acquire) == inode {
                    each((number * SLOTS + index) as c_int);
                }
            }
        }
    }

    fn slot(&self, fd: c_int) -> Option<&Slot> {
        let (page, index) = place(fd)?;
        live(self.pages.get(page)?)?.slots.get(index)
    }

    fn page_for(&self, fd: c_int) -> Option<&Page> {
        let page = self.pages.get(place(fd)?.0)?;
        if let Some(page) = live(page) {
            return Some(page);
        }
        let fresh = map()?;
        if page.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: another thread's page came first, and nobody has seen this one
            unsafe { libc::munmap(fresh.cast(), size_of::<Page>()) };
        }
        live(page)
    }
}

/// Page and slot of a descriptor; none for -1.
fn place(fd: c_int) -> Option<(usize, usize)> {
    let fd = usize::try_from(fd).ok()?;
    Some((fd / SLOTS, fd % SLOTS))
}

fn live(page: &AtomicPtr<Page>) -> Option<&Page> {
    // SAFETY: null, or a page that map() made and that is never unmapped once it is here
    unsafe { page.load(Ordering::Acquire).as_ref() }
}

fn map() -> Option<*mut Page> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: fresh anonymous memory; zeros are a valid page of empty slots, a page of memory is aligned enough
    let memory = unsafe { libc::mmap(ptr::null_mut(), size_of::<Page>(), protection, flags, -1, 0) };
    (memory != libc::MAP_FAILED).then_some(memory.cast())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(inode: u64) -> Entry {
        Entry { inode, side: Side::Kernel, port_id: 0 }
    }

    #[test]
    fn what_is_remembered_is_found_until_forgotten() {
        let table = Table::new();
        let one = Entry { inode: 7, side: Side::Director, port_id: u32::MAX };
        assert_eq!(table.entry(3), None);
        assert!(table.remember(3, one));
        assert_eq!(table.entry(3), Some(one));
        assert_eq!(table.entry(4), None);
        table.forget(3);
        assert_eq!(table.entry(3), None);
    }

    #[test]
    fn a_request_is_kept_until_it_is_refused_or_its_number_is_anothers() {
        let (table, mut bytes) = (Table::new(), [0; LONGEST_REQUEST]);
        table.remember(3, entry(7));
        assert!(table.asked(3, &mut bytes).is_none());
        let request: Vec<u8> = (0..=254).collect();
        table.set_asked(3, u32::MAX, &request, 0);
        let asked = table.asked(3, &mut bytes).unwrap();
        assert_eq!((asked.sequence, asked.again, &bytes[..asked.length]), (u32::MAX, Some(0), &request[..]));
        table.answered(3);
        assert!(table.asked(3, &mut bytes).is_some_and(|asked| asked.again.is_none()));
        table.set_asked(3, 0, &request, u8::MAX);
        assert!(table.asked(3, &mut bytes).is_some_and(|asked| asked.again == Some(u8::MAX) && asked.sequence == 0));
        table.set_asked(3, 1, &[1; LONGEST_REQUEST + 1], 0);
        assert!(table.asked(3, &mut bytes).is_some_and(|asked| asked.again.is_none() && asked.length == 0));
        table.set_asked(3, 1, &[1; LONGEST_REQUEST], 0);
        assert!(
            table.asked(3, &mut bytes).is_some_and(|asked| asked.again == Some(0) && asked.length == LONGEST_REQUEST)
        );
        table.refused(3);
        assert!(table.asked(3, &mut bytes).is_none());
        table.set_asked(3, 1, &request, 0);
        table.remember(3, entry(8));
        assert!(table.asked(3, &mut bytes).is_none());
    }

    #[test]
    fn numbers_beyond_select_and_beyond_the_table() {
        let table = Table::new();
        assert!(table.remember(1_048_575, entry(1)));
        assert_eq!(table.entry(1_048_575), Some(entry(1)));
        assert!(!table.remember(c_int::MAX, entry(1)));
        assert!(!table.remember(-1, entry(1)));
        assert_eq!((table.entry(c_int::MAX), table.entry(-1)), (None, None));
        table.forget(-1);
        table.forget(c_int::MAX);
    }

    #[test]
    fn a_number_used_again_is_not_forgotten_as_stale() {
        let table = Table::new();
        table.remember(5, entry(1));
        table.remember(5, entry(2));
        table.forget_stale(5, 1);
        assert_eq!(table.entry(5), Some(entry(2)));
        table.forget_stale(5, 2);
        assert_eq!(table.entry(5), None);
    }

    #[test]
    fn duplicates_are_found_on_all_pages() {
        let table = Table::new();
        for fd in [0, 9, 1023, 1024, 70_000] {
            table.remember(fd, entry(42));
        }
        table.remember(8, entry(43));
        let mut found = Vec::new();
        table.for_each_of(42, |fd| found.push(fd));
        assert_eq!(found, [0, 9, 1023, 1024, 70_000]);
    }

    #[test]
    fn threads_on_their_own_descriptors_do_not_disturb_each_other() {
        let table = Table::new();
        std::thread::scope(|scope| {
            for thread in 0..8_u32 {
                let table = &table;
                scope.spawn(move || {
                    for round in 0..20_000_u32 {
                        let fd = ((round % 300) * 8 + thread) as c_int;
                        let one =
                            Entry { inode: u64::from(round) + 1, side: Side::Director, port_id: thread << 24 | round };
                        assert!(table.remember(fd, one));
                        assert_eq!(table.entry(fd), Some(one));
                        table.forget(fd);
                        assert_eq!(table.entry(fd), None);
                    }
                });
            }
        });
    }
}
