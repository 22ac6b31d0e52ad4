use super::table::Table;
use super::value::{number, parsed};
use crate::draft::DraftTunnel;
use crate::problems::Problems;

/// What a real server's table says of its tunnel. Absent if something of it can't be read, which was reported: the rest means
/// nothing then.
pub(super) fn read(table: &mut Table<'_, '_>, problems: &mut Problems) -> Option<DraftTunnel> {
    let is_there = ["tun_type", "tun_port", "tun_checksum"].map(|key| table.has(key));
    let draft = DraftTunnel {
        kind: table.optional("tun_type", problems, parsed),
        port: table.optional("tun_port", problems, number(1..=u16::MAX)),
        checksum: table.optional("tun_checksum", problems, parsed),
    };
    let is_read = [draft.kind.is_some(), draft.port.is_some(), draft.checksum.is_some()];
    (is_read == is_there).then_some(draft)
}
