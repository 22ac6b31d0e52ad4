//! Interrupts of a core, by kind.

use std::fs;

use anyhow::{Context, Result};

/// How often a core was interrupted, by what interests here.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Interrupts {
    /// By another core, for mappings of the process that are no longer there.
    pub(super) shootdowns: u64,
    /// By another core, to have something else done here.
    pub(super) calls: u64,
    /// By everything else: the timer, devices.
    pub(super) others: u64,
}

impl Interrupts {
    /// Those of this core so far.
    pub(super) fn of(core: usize) -> Result<Self> {
        Self::read(&fs::read_to_string("/proc/interrupts")?, core)
            .context("/proc/interrupts does not tell of this core")
    }

    fn read(text: &str, core: usize) -> Option<Self> {
        let (cores, rows) = text.split_once('\n')?;
        let column = cores.split_whitespace().position(|word| word == format!("CPU{core}"))?;
        let mut all = Self::default();
        for row in rows.lines() {
            let Some((name, counts)) = row.split_once(':') else { continue };
            // Some are counted for all cores together.
            let Some(count) = counts.split_whitespace().nth(column).and_then(|count| count.parse::<u64>().ok()) else {
                continue;
            };
            match name.trim() {
                "TLB" => all.shootdowns += count,
                "CAL" | "RES" => all.calls += count,
                _ => all.others += count,
            }
        }
        Some(all)
    }

    pub(super) const fn since(self, before: Self) -> Self {
        Self {
            shootdowns: self.shootdowns.saturating_sub(before.shootdowns),
            calls: self.calls.saturating_sub(before.calls),
            others: self.others.saturating_sub(before.others),
        }
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            shootdowns: self.shootdowns + other.shootdowns,
            calls: self.calls + other.calls,
            others: self.others + other.others,
        }
    }
}

/// Whether the system was started with this core for those alone that ask for it.
pub(super) fn is_isolated(core: usize) -> bool {
    fs::read_to_string("/sys/devices/system/cpu/isolated").is_ok_and(|list| has(&list, core))
}

/// Whether a core is in a list such as `1-3,5`.
fn has(list: &str, core: usize) -> bool {
    list.trim().split(',').any(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        matches!((first.parse::<usize>(), last.parse::<usize>()), (Ok(first), Ok(last)) if (first..=last).contains(&core))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isolated_cores_are_a_list() {
        let isolated: Vec<_> = (0..8).filter(|core| has("1-3,5\n", *core)).collect();
        assert_eq!(isolated, [1, 2, 3, 5]);
        assert!(!has("\n", 0));
    }

    #[test]
    fn each_core_has_a_column() {
        let text = "           CPU0       CPU1\n  1:  5  7  IO-APIC  edge  i8042\nLOC:  10  20  Local timer interrupts\n\
                    RES: 1 2 Rescheduling\nCAL: 30 40 Function call\nTLB: 50 60 TLB shootdowns\nERR: 9\n";
        let of_second = Interrupts { shootdowns: 60, calls: 42, others: 27 };
        assert_eq!(Interrupts::read(text, 1), Some(of_second));
        assert_eq!(Interrupts::read(text, 2), None);
        assert_eq!(of_second.plus(of_second).since(of_second), of_second);
    }
}
