use super::table::Table;
use super::value::{prefix, text, written};
use crate::draft::DraftRoute;
use crate::problems::Problems;

/// One `[[route]]`.
pub(super) fn read(table: &mut Table<'_, '_>, problems: &mut Problems) -> DraftRoute {
    DraftRoute {
        prefix: table.required("prefix", "\"0.0.0.0/0\"", problems, prefix),
        via: table.optional("via", problems, written("an IP address, as \"192.0.2.254\"")),
        port: table.required("port", "\"wan\"", problems, text),
    }
}
