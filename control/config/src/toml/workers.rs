use ::toml::de::DeValue;

use super::table::Table;
use super::value::{number, string};
use crate::PollMode;
use crate::draft::DraftWorkers;
use crate::problems::Problems;

/// The highest core number Linux can have, `CONFIG_NR_CPUS` of the largest machines.
const CORE_MAX: usize = 8191;

/// `[workers]`
pub(super) fn read(table: &mut Table<'_, '_>, problems: &mut Problems) -> DraftWorkers {
    DraftWorkers {
        cores: table.required_list("cores", "[1]", problems, number(0..=CORE_MAX)),
        poll: table.or("poll", PollMode::default(), problems, poll),
    }
}

fn poll(value: &DeValue<'_>) -> Result<PollMode, String> {
    match string(value)? {
        "busy" => Ok(PollMode::Busy),
        "adaptive" => Ok(PollMode::Adaptive),
        other => Err(format!("unknown poll mode \"{}\": use one of busy, adaptive", other.escape_debug())),
    }
}
