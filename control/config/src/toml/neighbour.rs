use super::table::Table;
use super::value::{parsed, text, written};
use crate::draft::DraftNeighbour;
use crate::problems::Problems;

/// One `[[neighbour]]`.
pub(super) fn read(table: &mut Table<'_, '_>, problems: &mut Problems) -> DraftNeighbour {
    DraftNeighbour {
        address: table.required("address", "\"192.0.2.254\"", problems, written("an IP address, as \"192.0.2.254\"")),
        mac: table.required("mac", "\"02:00:00:00:00:fe\"", problems, parsed).map(|mac| mac.value),
        port: table.required("port", "\"wan\"", problems, text),
    }
}
