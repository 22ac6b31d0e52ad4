//! The sweep sees every entry once a second.

use super::{TIMEOUT, insert, table, with_method};
use crate::time::{TICKS_PER_SECOND, Ticks};
use ulvs_model::ForwardMethod;

/// Connections of which no packet comes end within a little over a second of their time, whatever the number of workers,
/// the size of the table and the clock's origin, and none before.
#[test]
fn everything_ends_in_time() {
    for origin in [0, u32::MAX - TIMEOUT / 2, 1 << 31] {
        for workers in 1..=4 {
            for live in [1, 100, 4095, 4096, 4097, 20_000] {
                let (table, mut locals) = table(live + live / 8 + 8, workers);
                for number in 0..live {
                    let new = with_method(number, ForwardMethod::Nat);
                    insert(&table, &mut locals[number as usize % workers], &new, Ticks(origin)).unwrap();
                }
                let mut ended = 0;
                // Loops are many in a tick.
                let mut run = |ticks: std::ops::Range<u32>| {
                    for tick in ticks {
                        let now = Ticks(origin.wrapping_add(tick));
                        for _ in 0..12 {
                            for local in &mut locals {
                                local.quiesce(&table);
                                local.sweep(&table, now, &mut |_, _| ended += 1);
                            }
                        }
                    }
                    ended
                };
                assert_eq!(run(TIMEOUT - 200..TIMEOUT + 1), 0, "{live} connections, {workers} workers");
                let end = TIMEOUT + 1 + TICKS_PER_SECOND + TICKS_PER_SECOND / 8;
                assert_eq!(run(TIMEOUT + 1..end), live, "{workers} workers, from {origin}");
            }
        }
    }
}
