//! The heap that a process with workers keeps. A program of its own: beside other tests there are other threads from the start, with
//! heaps of their own.

#![cfg(target_env = "gnu")]
#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use std::ops::Range;

use ulvs_worker::heap::keep;

/// Where the heap is by now.
fn heap() -> Option<Range<usize>> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let ends = maps.lines().filter(|line| line.ends_with("[heap]")).filter_map(|line| {
        let (begin, end) = line.split_whitespace().next()?.split_once('-')?;
        Some((usize::from_str_radix(begin, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
    });
    ends.map(|(begin, end)| begin..end).reduce(|all, next| all.start..next.end)
}

/// How many bytes of the mapping with this address are on huge pages, and whether they were asked for.
fn huge(address: usize) -> (u64, bool) {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut lines = maps.lines().skip_while(|line| {
        let range = line.split_whitespace().next().and_then(|range| range.split_once('-'));
        let range = range.and_then(|(begin, end)| {
            Some(usize::from_str_radix(begin, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
        });
        !range.is_some_and(|range| range.contains(&address))
    });
    let kibibytes = lines.find_map(|line| line.strip_prefix("AnonHugePages:")?.split_whitespace().next()?.parse().ok());
    let flags = lines.find_map(|line| line.strip_prefix("VmFlags:")).unwrap_or_default();
    (kibibytes.unwrap_or(0_u64) << 10, flags.split_whitespace().any(|flag| flag == "hg"))
}

#[test]
fn a_large_block_of_any_thread_is_of_the_one_heap_which_stays_and_has_huge_pages() {
    assert!(keep());
    // Threads of before may have heaps of their own, those of afterwards use the one that is kept.
    let block = std::thread::spawn(|| keep().then(|| vec![0_u8; 100 << 20])).join().unwrap();
    let mut block = block.unwrap();
    let before = heap().unwrap();
    assert!(before.contains(&block.as_ptr().addr()), "{:?} is not in {before:?}", block.as_ptr());
    block[..20 << 20].fill(1);
    let kernel = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    let (bytes, are_asked_for) = huge(block.as_ptr().addr() + (10 << 20));
    if kernel.contains("[always]") || kernel.contains("[madvise]") {
        // How many there are depends on what else the machine has in memory.
        assert!(are_asked_for, "{bytes} bytes are on huge pages");
    }
    drop(block);
    let now = heap().unwrap();
    assert!(now.end >= before.end, "given back: {before:?}, now {now:?}");
}
