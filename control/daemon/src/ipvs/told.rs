//! Changes of services and real servers as lines of the log, whoever made them.

use std::net::SocketAddr;

use tracing::field::display;
use ulvs_ipvs::table::{Change, Destination, DestinationId, Drain, Owner, Table};

/// Logs a change, `table` being the one before it; the line, unless nothing is to be told of it.
pub(super) fn log(table: &Table, change: &Change, by: Owner) -> Option<String> {
    let line = table.describe(std::slice::from_ref(change)).pop()?;
    let after = destination(change);
    let service = change.service().map(display);
    let real_server = after.map(|one| one.id).or_else(|| gone(change)).map(|id: DestinationId| display(address(id)));
    let weight = after.and_then(Destination::weight);
    let drain = after.and_then(drain);
    let remove_at = after.and_then(deadline);
    let (change, by) = (word(change), by.name());
    tracing::info!(change, by, service, real_server, weight, drain, remove_at, "{line}");
    Some(line)
}

const fn address(id: DestinationId) -> SocketAddr {
    id.0
}

/// What became of the entry.
const fn word(change: &Change) -> &'static str {
    match change {
        Change::ServiceAdded(..) | Change::DestinationAdded(..) => "added",
        Change::ServiceRemoved(..) | Change::DestinationRemoved(..) | Change::DestinationForgotten(..) => "removed",
        Change::DestinationWithdrawn(..) => "taken out",
        Change::DestinationRestored(..) => "put back",
        _ => "edited",
    }
}

/// The real server that there is afterwards.
const fn destination(change: &Change) -> Option<&Destination> {
    match change {
        Change::DestinationAdded(_, one)
        | Change::DestinationEdited(_, one)
        | Change::DestinationWithdrawn(_, one)
        | Change::DestinationRestored(_, one) => Some(one),
        _ => None,
    }
}

/// The real server that there is no longer.
const fn gone(change: &Change) -> Option<DestinationId> {
    match change {
        Change::DestinationRemoved(_, id) | Change::DestinationForgotten(_, id) => Some(*id),
        _ => None,
    }
}

const fn drain(one: &Destination) -> Option<&'static str> {
    match one.hold.drain {
        Drain::No => None,
        Drain::Quiescent(_) => Some("draining"),
        Drain::Removed => Some("drained"),
    }
}

/// When it is taken out at the latest, in seconds since 1970.
const fn deadline(one: &Destination) -> Option<u64> {
    match one.hold.drain {
        Drain::Quiescent(Some(deadline)) => Some(deadline.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex, PoisonError};

    use serde_json::{Value, json};
    use tracing_subscriber::layer::SubscriberExt;
    use ulvs_ipvs::table::{Command, Deadline, DestinationSpec, ServiceId, ServiceSpec};
    use ulvs_model::{Protocol, ServiceKey, Sysctl};

    use super::*;
    use crate::nowhere::Nowhere;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged of a command, without the time.
    fn said(table: &mut Table, command: &Command, by: Owner) -> Vec<Value> {
        let changes = table.plan(command, by, &Nowhere).unwrap();
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).without_time().with_target(false);
        let subscriber = tracing_subscriber::registry().with(layer.with_writer(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            for change in &changes {
                log(table, change, by);
            }
        });
        table.commit(&changes);
        let text = String::from_utf8(std::mem::take(&mut *lines.0.lock().unwrap())).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What, by whom, which real server, its weight afterwards.
    fn shown(lines: &[Value]) -> (&str, &str, &str, Option<i64>) {
        let [line] = lines else { panic!("{lines:?}") };
        let text = |name: &str| line[name].as_str().unwrap();
        (text("change"), text("by"), text("real_server"), line["weight"].as_i64())
    }

    #[test]
    fn each_change_is_a_line_with_fields() {
        let mut table = Table::new();
        let (vip, real_server) = (([192, 0, 2, 100], 80).into(), ([10, 0, 0, 11], 8080).into());
        let id: ServiceId = ServiceKey::new(Protocol::Tcp, vip).into();
        let (flags, timeout, netmask) = (0, 0, u32::MAX);
        let (scheduler, engine) = ("rr".to_owned(), String::new());
        let spec = ServiceSpec { id, scheduler, flags, mask: u32::MAX, timeout, netmask, engine };
        let lines = said(&mut table, &Command::NewService(spec), Owner::Netlink);
        let expected = json!({"level": "INFO", "message": "+ tcp 192.0.2.100:80 scheduler rr", "change": "added",
            "by": "netlink", "service": "tcp 192.0.2.100:80"});
        assert_eq!(lines, [expected]);
        let one = |weight| Ok(DestinationSpec { weight, ..DestinationSpec::at(real_server) });
        let lines = said(&mut table, &Command::NewDestination(id, one(3)), Owner::Api);
        assert_eq!(shown(&lines), ("added", "api", "10.0.0.11:8080", Some(3)));
        let lines = said(&mut table, &Command::SetDestination(id, one(5)), Owner::Netlink);
        assert_eq!(shown(&lines), ("edited", "netlink", "10.0.0.11:8080", Some(5)));
        let drain = Drain::Quiescent(Some(Deadline(1_800_000_000)));
        let lines = said(&mut table, &Command::Drain(id, DestinationId(real_server), drain), Owner::Api);
        assert_eq!(shown(&lines), ("edited", "api", "10.0.0.11:8080", Some(0)));
        assert_eq!((&lines[0]["drain"], &lines[0]["remove_at"]), (&json!("draining"), &json!(1_800_000_000)));
        let lines = said(&mut table, &Command::DeleteDestination(id, one(0)), Owner::Netlink);
        assert_eq!(shown(&lines), ("removed", "netlink", "10.0.0.11:8080", None));
        let lines = said(&mut table, &Command::SetSysctl(Sysctl::SloppyTcp, 1), Owner::Api);
        assert_eq!((&lines[0]["message"], &lines[0]["service"]), (&json!("~ sysctl sloppy_tcp 0 -> 1"), &Value::Null));
    }
}
