use super::table::Table;
use super::value::number;
use crate::SourceLimit;
use crate::problems::Problems;

/// `source_rate` and `source_burst`, of `[defence]` or of a service. Absent: nothing is said.
pub(super) fn read(table: &mut Table<'_, '_>, problems: &mut Problems) -> Option<SourceLimit> {
    let rate = table.optional("source_rate", problems, number(0..=SourceLimit::MOST));
    let burst = table.optional("source_burst", problems, number(1..=u32::MAX));
    let (rate, burst) = match (rate, burst) {
        (Some(rate), burst) => (rate.value, burst),
        (None, Some(burst)) => {
            if !table.has("source_rate") {
                problems.wrong(burst.span, "`source_burst` goes with `source_rate`: write how many a second, too");
            }
            return None;
        }
        (None, None) => return None,
    };
    if rate == 0 {
        if let Some(burst) = burst {
            problems.wrong(burst.span, "`source_burst`: there is no limit with `source_rate` 0: leave it out");
        }
        return Some(SourceLimit::Unlimited);
    }
    let most = SourceLimit::most_at_once(rate);
    let Some(burst) = burst else { return Some(SourceLimit::Limited { rate, burst: rate }) };
    if burst.value > most {
        let message =
            format!("`source_burst`: at most {most}, which {rate} a second are in an hour; found {}", burst.value);
        problems.wrong(burst.span, message);
    }
    Some(SourceLimit::Limited { rate, burst: burst.value })
}
