use super::table::Table;
use super::value::{boolean, number, text};
use crate::Dpdk;
use crate::problems::Problems;

/// `[dpdk]`
pub(super) fn read(table: &mut Table<'_, '_>, problems: &mut Problems) -> Dpdk {
    let default = Dpdk::default();
    Dpdk {
        huge_pages: table.or("huge_pages", default.huge_pages, problems, boolean),
        memory_mib: table.or("memory", default.memory_mib, problems, number(16..=1_048_576)),
        packets: table.optional("packets", problems, number(512..=67_108_864)).map(|packets| packets.value),
        eal_args: table
            .list("eal_args", problems, text)
            .map_or(default.eal_args, |args| args.value.into_iter().map(|arg| arg.value).collect()),
    }
}
