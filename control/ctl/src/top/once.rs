//! `--once`: what top shows, printed.

use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use ulvs_api::{Client, LiveService, LiveServicesQuery};

use super::feed::{Wish, look};
use super::words::{bits, rate};
use super::{Options, Sort};
use crate::table::Align::{Left, Right};
use crate::table::Table;
use crate::units::count;

/// Services are looked at once a second at most; rates are of the time between two looks.
const BETWEEN: Duration = Duration::from_millis(1050);

pub(super) fn print(client: &Client, options: &Options, json: bool, out: &mut impl Write) -> Result<()> {
    let services = LiveServicesQuery {
        search: options.search.clone(),
        sort: Some(options.sort.word().to_owned()),
        descending: options.sort != Sort::Name,
        count: Some(options.limit),
        real_servers: json,
        ..LiveServicesQuery::default()
    };
    let wish = Wish { services, connections: false };
    look(client, &wish)?;
    sleep(BETWEEN);
    let mut seen = look(client, &wish)?;
    let keep = seen.live.samples.len().saturating_sub(1);
    seen.live.samples.drain(..keep);
    if json {
        return Ok(writeln!(out, "{}", json!({ "live": seen.live, "services": seen.services }))?);
    }
    write!(out, "{}", render(&seen.services.services))?;
    let (shown, found) = (seen.services.services.len(), seen.services.found);
    if shown < found {
        writeln!(out, "and {} more: --limit N, 200 at most, or --search TEXT", found - shown)?;
    }
    Ok(())
}

fn render(services: &[LiveService]) -> String {
    let mut table = Table::new([
        ("STATE", Left),
        ("SERVICE", Left),
        ("SCHEDULER", Left),
        ("REAL SERVERS", Right),
        ("ACTIVE", Right),
        ("NEW/S", Right),
        ("PACKETS/S", Right),
        ("BIT/S", Right),
    ]);
    for one in services {
        table.row([
            one.state.to_string(),
            one.name.clone(),
            one.status.scheduler.to_string(),
            format!("{} of {}", one.usable, one.size),
            count(one.active_connections),
            rate(one.rates.map(|rates| rates.connections)),
            rate(one.rates.map(|rates| rates.packets())),
            bits(one.rates.map(|rates| rates.bytes())),
        ]);
    }
    table.to_string()
}
