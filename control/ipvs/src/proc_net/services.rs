//! `ip_vs`.

use std::collections::VecDeque;
use std::fmt::Write as _;

use super::{TICKS_PER_SECOND, write_end, write_protocol};
use crate::codec::{Dump, Entry};
use crate::table::{Destination, Flags, ServiceId, ServiceSettings};
use crate::{Cursor, Datapath, DestinationCounters, Director};

/// The listing of all services with their destinations, some of them at a time.
///
/// Like a dump it is no snapshot: an entry that is there all the while is in it once.
#[derive(Debug, Default)]
pub struct Services {
    is_begun: bool,
    is_last: bool,
    behind: Option<Cursor>,
    /// Services whose rows come next.
    next: VecDeque<(ServiceId, ServiceSettings)>,
    /// The service whose destinations are being listed, and the last one listed.
    listed: Option<(ServiceId, Option<Cursor>)>,
}

impl Services {
    /// Writes the next rows, a few dozen; false: there are no more.
    pub fn write_some(&mut self, director: &Director<impl Datapath>, out: &mut String) -> bool {
        if !self.is_begun {
            self.is_begun = true;
            let _ = write!(
                out,
                "IP Virtual Server version 1.2.1 (size={})\nProt LocalAddress:Port Scheduler Flags\n  \
                 -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n",
                director.datapath().info().table_size
            );
        }
        if let Some((id, behind)) = self.listed.take() {
            let (entries, goes_on) = director.list(&Dump::Destinations(Some(id)), behind);
            for entry in &entries {
                if let Entry::Destination(one, counters) = entry {
                    write_destination(out, one, counters);
                }
            }
            self.listed = goes_on.map(|behind| (id, Some(behind)));
            return true;
        }
        if self.next.is_empty() && !self.is_last {
            let (entries, goes_on) = director.list(&Dump::Services, self.behind);
            self.next.extend(entries.into_iter().filter_map(|entry| match entry {
                Entry::Service(id, settings, _) => Some((id, settings)),
                Entry::Destination(..) | Entry::Daemon(_) => None,
            }));
            (self.behind, self.is_last) = (goes_on, goes_on.is_none());
        }
        let Some((id, settings)) = self.next.pop_front() else { return false };
        write_service(out, &id, &settings);
        self.listed = Some((id, None));
        true
    }
}

fn write_service(out: &mut String, id: &ServiceId, settings: &ServiceSettings) {
    let is_one_packet = settings.flags.has(Flags::ONE_PACKET);
    let one_packet = if is_one_packet { "ops " } else { "" };
    let scheduler = settings.scheduler.name();
    let _ = match id {
        ServiceId::Mark { mark, .. } => write!(out, "FWM  {mark:08X} {scheduler} {one_packet}"),
        ServiceId::Address { protocol, address } => {
            write_protocol(out, *protocol, 0);
            out.push_str("  ");
            write_end(out, *address);
            // the kernel doesn't show the flag in IPv6
            if address.is_ipv6() { write!(out, " {scheduler} ") } else { write!(out, " {scheduler} {one_packet} ") }
        }
    };
    if settings.flags.has(Flags::PERSISTENT) {
        let ticks = settings.timeout.wrapping_mul(TICKS_PER_SECOND).cast_signed();
        let _ = write!(out, "persistent {ticks} {:08X}", u32::from_be(settings.netmask));
    }
    out.push('\n');
}

fn write_destination(out: &mut String, one: &Destination, counters: &DestinationCounters) {
    let method = match one.settings.method {
        0 => "Masq",
        1 => "Local",
        2 => "Tunnel",
        3 => "Route",
        4 => "Bypass",
        _ => "Unknown",
    };
    out.push_str("  -> ");
    write_end(out, one.id.0);
    let (weight, active, inactive) = (one.settings.weight, counters.active, counters.inactive);
    let _ = writeln!(out, "      {method:<7} {weight:<6} {active:<10} {inactive:<10}");
}
