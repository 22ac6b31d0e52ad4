//! The table as its workers use it, on one thread and on several.

mod capacity;
mod model;
mod pairs;
mod stress;
mod sweep;

use std::sync::LazyLock;

use ulvs_model::ForwardMethod;
use ulvs_wire::{Address, Family, FlowHasher, FlowKey};

use super::{ConnId, Helper, Hit, Local, NewConnection, Refused, Role, Table};
use crate::proto::State;
use crate::snapshot::{DestinationId, Destinations};
use crate::time::Ticks;

/// Ticks a connection of these tests lives without packets.
const TIMEOUT: u32 = 1000;

/// Nothing is known of any.
static NO_DESTINATIONS: LazyLock<Destinations> = LazyLock::new(Destinations::default);

pub(super) fn table(capacity: u32, workers: usize) -> (Table, Vec<Local>) {
    let table = Table::new(capacity, workers, FlowHasher::new([0x51_7cc1_b727, 0x2545_f491_4f6c, 0x9e37_79b9_7f4a]))
        .expect("memory");
    let locals = (0..workers).map(|worker| table.local(worker)).collect();
    (table, locals)
}

/// The `number`-th connection. Everything in it follows from its client, so that a torn one is told from a whole one.
fn connection(number: u32) -> NewConnection {
    let method = [ForwardMethod::Nat, ForwardMethod::Dr, ForwardMethod::Tun][number as usize % 3];
    with_method(number, method)
}

fn with_method(number: u32, method: ForwardMethod) -> NewConnection {
    let family = if number.is_multiple_of(5) { Family::V6 } else { Family::V4 };
    let address = |low: u32| match family {
        Family::V4 => Address::v4(low),
        Family::V6 => Address(u128::from(low) << 64 | u128::from(number)),
    };
    let protocol = if number.is_multiple_of(2) { 6 } else { 17 };
    let client = (address(0x0a00_0000 + (number >> 8)), (number & 0xff) as u16 + 1024);
    let key = FlowKey::new(protocol, family, client, (address(0xc000_0201), 80));
    let port = if method == ForwardMethod::Nat { 8080 + (number % 7) as u16 } else { 80 };
    NewConnection {
        key,
        method,
        destination: DestinationId(number % 10),
        generation: 0,
        address: address(0xac10_0000 + number % 10),
        family,
        port,
        role: Role::Single,
        helper: Helper::None,
        paired: false,
    }
}

/// What the client's peer sends: from the real server in NAT, from the virtual address else.
fn reply(new: &NewConnection) -> FlowKey {
    if new.method == ForwardMethod::Nat { new.key.to(new.address, new.port).reversed() } else { new.key.reversed() }
}

fn insert(table: &Table, local: &mut Local, new: &NewConnection, now: Ticks) -> Result<ConnId, Refused> {
    table.insert(local, (table.home(&new.key), new), State::SynRecv, now, TIMEOUT)
}

fn find<'a>(table: &'a Table, key: &FlowKey) -> Option<Hit<'a>> {
    let home = table.home(key);
    Table::likely::<true>(table.prefetch_entry(home), key, &NO_DESTINATIONS).or_else(|| table.search(home, key))
}

/// All workers pass, twice: what was retired before is free.
fn pass(table: &Table, locals: &mut [Local]) {
    for _ in 0..2 {
        for local in &mut *locals {
            local.quiesce(table);
        }
    }
}
