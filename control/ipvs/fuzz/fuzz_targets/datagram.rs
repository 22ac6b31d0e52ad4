//! Any bytes as a client's datagram: no panic, a change that was planned can be committed and is seen, and what is listed
//! are messages whose lengths fit.

#![no_main]

use std::net::{Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use ulvs_ipvs::codec::{Answer, Dump, Entry, LONGEST_REPLY, Messages, Query, Request};
use ulvs_ipvs::table::{Change, Owner, Service, Table};
use ulvs_ipvs::{Access, DestinationCounters, Host, Stats, forward};

struct Anywhere;

impl Host for Anywhere {
    fn is_subnet_broadcast(&self, address: Ipv4Addr) -> bool {
        address.octets()[3] == 255
    }

    fn is_local(&self, _: Ipv6Addr) -> bool {
        false
    }

    fn interface_mtu(&self, name: &str) -> Option<u32> {
        name.starts_with("eth").then_some(1500)
    }
}

fn entry(service: &Service) -> Entry {
    Entry::Service(*service.id(), *service.settings(), Stats::default())
}

fn entries(table: &Table, dump: Dump) -> Vec<Entry> {
    match dump {
        Dump::Services => table.services(None).map(|(_, service)| entry(service)).collect(),
        Dump::Destinations(id) => {
            let service = id.and_then(|id| table.service(&id));
            let destinations = service.into_iter().flat_map(Service::destinations);
            destinations.map(|one| Entry::Destination(*one, DestinationCounters::default())).collect()
        }
        Dump::Daemons => table.daemons().iter().cloned().map(Entry::Daemon).collect(),
    }
}

fuzz_target!(|datagram: &[u8]| {
    let mut table = Table::new();
    for message in Messages::new(datagram) {
        let mut out = Vec::new();
        match Request::parse(&message, Access::Full) {
            Ok(Request::Change(command)) => match table.plan(&command, Owner::Netlink, &Anywhere) {
                Ok(changes) => {
                    let expected: Vec<_> = changes
                        .iter()
                        .filter_map(Change::service)
                        .map(|id| (*id, table.preview(&changes, id)))
                        .collect();
                    table.commit(&changes);
                    for (id, preview) in expected {
                        let service = table.service(&id);
                        assert_eq!(service.map(Service::settings), preview.as_ref().map(Service::settings));
                        assert!(
                            service
                                .into_iter()
                                .flat_map(Service::destinations)
                                .eq(preview.iter().flat_map(Service::destinations))
                        );
                        let _ = service.map(forward::service);
                    }
                    out.extend(message.acknowledge().unwrap_or_default());
                }
                Err(errno) => out.extend(message.error(errno)),
            },
            Ok(Request::Dump(dump)) => {
                for entry in entries(&table, dump) {
                    entry.write_of_many(&mut out, &message.header);
                }
                out.extend(message.done());
            }
            Ok(Request::Query(Query::Service(id))) => {
                if let Some(service) = table.service(&id) {
                    Answer::Entry(entry(service)).write(&mut out, &message.header);
                    assert!(out.len() <= LONGEST_REPLY);
                }
            }
            Ok(Request::Query(_)) => Answer::Timeouts(table.timeouts()).write(&mut out, &message.header),
            Ok(Request::Resolve | Request::ResolveAll) => Answer::Family.write(&mut out, &message.header),
            Err(errno) => out.extend(message.error(errno)),
        }
        let lengths = Messages::new(&out).map(|answer| answer.header.length.next_multiple_of(4));
        assert_eq!(lengths.sum::<u32>() as usize, out.len());
    }
});
