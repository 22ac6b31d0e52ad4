//! Changes as they are written into the journal: what of the kept state is another afterwards.

use serde::{Deserialize, Serialize};
use ulvs_ipvs::table::{Change, DestinationId, Deviation, Owner, ServiceId, Table};

use super::saved::{Saved, SavedDestination, SavedDeviation, SavedDrain, SavedId, SavedOwner, SavedSettings};

/// Changes that were made in one step.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Record {
    /// Counts the changes of all times: `services.json` says up to which one it has them.
    pub(super) number: u64,
    pub(super) steps: Vec<Step>,
}

/// What is so afterwards, whatever was before.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Step {
    /// All that is kept.
    Whole(Saved),
    /// What was kept of a service, its destinations too, is forgotten. These deviations of it are kept from now on.
    Forgotten { id: SavedId, deviations: Vec<SavedDeviation> },
    /// A service.
    Service {
        id: SavedId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        own: Option<(SavedOwner, SavedSettings)>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deviation: Option<SavedDeviation>,
    },
    /// A destination; nothing is kept of it but what is named. The time until which it is drained is in `drain`.
    Destination {
        id: SavedId,
        address: std::net::SocketAddr,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        own: Option<SavedDestination>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deviation: Option<SavedDeviation>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drain: Option<SavedDrain>,
    },
    /// What others made of the file's timeouts and switches.
    Numbers(Vec<SavedDeviation>),
}

/// What has to be written of changes.
#[derive(Debug)]
pub(super) enum Written {
    /// These steps.
    Steps(Vec<Step>),
    /// All of the table: another file changes what is said of any of its entries.
    Whole(Box<Table>),
}

impl Written {
    /// What changes, which are in the table, changed of what is kept; `None`: nothing.
    pub(super) fn of(table: &Table, changes: &[Change], by: Owner) -> Option<Self> {
        if changes.iter().any(|change| matches!(change, Change::FileFollowed(_))) {
            return Some(Self::Whole(Box::new(table.clone())));
        }
        let mut steps = Vec::new();
        let kept = changes.iter().filter(|change| by != Owner::Checks || !is_a_hold(change));
        kept.for_each(|change| add(table, change, &mut steps));
        (!steps.is_empty()).then_some(Self::Steps(steps))
    }

    /// As a line of the journal.
    pub(super) fn line(self, number: u64) -> Vec<u8> {
        let steps = match self {
            Self::Steps(steps) => steps,
            Self::Whole(table) => vec![Step::Whole(Saved::of(&table))],
        };
        // Numbers, strings and lists: nothing that JSON has no word for.
        let mut line = serde_json::to_vec(&Record { number, steps }).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// Whether it is one of those by which checks say how a destination is: they find that again.
const fn is_a_hold(change: &Change) -> bool {
    matches!(change, Change::DestinationEdited(..) | Change::DestinationWithdrawn(..) | Change::DestinationRestored(..))
}

fn add(table: &Table, change: &Change, steps: &mut Vec<Step>) {
    match change {
        Change::ServiceAdded(id, ..) => steps.extend([forgotten(table, id), service(table, id)]),
        Change::ServiceRemoved(id) => steps.push(forgotten(table, id)),
        Change::ServiceEdited(id, ..) => steps.push(service(table, id)),
        Change::DestinationAdded(id, one)
        | Change::DestinationEdited(id, one)
        | Change::DestinationWithdrawn(id, one)
        | Change::DestinationRestored(id, one) => steps.push(destination(table, id, one.id, true)),
        Change::DestinationRemoved(id, one) | Change::DestinationForgotten(id, one) => {
            // It may be there again, and is the newest then: that is a step of its own.
            steps.push(destination(table, id, *one, false));
        }
        Change::TimeoutsSet(_) | Change::SysctlSet(..) => {
            steps.push(Step::Numbers(saved(table.deviations_of_numbers())));
        }
        Change::DaemonStarted(_) | Change::DaemonStopped(_) | Change::Zeroed(_) | Change::FileFollowed(_) => {}
    }
}

fn saved(deviations: impl IntoIterator<Item = Deviation>) -> Vec<SavedDeviation> {
    deviations.into_iter().filter_map(|one| SavedDeviation::of(&one)).collect()
}

fn forgotten(table: &Table, id: &ServiceId) -> Step {
    Step::Forgotten { id: SavedId::of(id), deviations: saved(table.deviations_of(id)) }
}

fn service(table: &Table, id: &ServiceId) -> Step {
    let own = table.service(id).and_then(SavedSettings::own);
    Step::Service { id: SavedId::of(id), own, deviation: saved(table.deviation_of(id)).pop() }
}

fn destination(table: &Table, id: &ServiceId, one: DestinationId, is_there: bool) -> Step {
    let there = table.service(id).and_then(|service| service.destination(&one)).filter(|_| is_there);
    Step::Destination {
        id: SavedId::of(id),
        address: one.0,
        own: there.and_then(SavedDestination::of),
        deviation: saved(table.deviation_of_destination(id, &one)).pop(),
        drain: there.and_then(|one| SavedDrain::of(id, one)),
    }
}
