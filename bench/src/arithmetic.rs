//! How much of a core a thread has: the time of a loop that needs neither memory nor another's cache.
//!
//! A virtual machine's CPUs may be two halves of one core now and then, and the system within can't tell.

use std::hint::black_box;

use crate::measure;

/// Rounds of the loop: some 5 ms.
const ROUNDS: u64 = 6 << 20;

/// Seconds of CPU time that the loop took this thread: six chains of operations, as many as a core works on at a time.
pub(crate) fn seconds() -> f64 {
    let before = measure::cpu_time();
    let mut chains = black_box([1_u64, 2, 3, 4, 5, 6]);
    for round in 0..ROUNDS {
        chains[0] = chains[0].wrapping_mul(3).wrapping_add(round);
        chains[1] ^= chains[1] << 1;
        chains[2] = chains[2].wrapping_add(round ^ 7);
        chains[3] = chains[3].wrapping_mul(5).wrapping_add(1);
        chains[4] = chains[4].wrapping_add(chains[4] >> 3);
        chains[5] ^= round;
    }
    black_box(chains);
    measure::cpu_time().saturating_sub(before).as_secs_f64()
}
