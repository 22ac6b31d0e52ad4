//! What the control side does while the worker is watched.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ulvs_api::ConnectionQuery;
use ulvs_model::ForwardMethod;
use ulvs_wire::parse;

use super::WINDOW;
use crate::flows::{FIRST_PORT, FIRST_VIP, REAL_SERVER};
use crate::netlink::Netlink;
use crate::ulvsd::{Settings, Ulvsd};

/// Services that are loaded.
pub(super) const SERVICES: u32 = 10_000;
/// Changes of one real server in a second.
const EDITS_PER_SECOND: u32 = 1000;

/// What the control side does meanwhile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Operation {
    /// Nothing but telling its status.
    Idle,
    /// 10,000 services with 10 real servers each are loaded, and removed.
    Services,
    /// The weight of one real server among 10,000 services is changed 1,000 times a second.
    Edit,
    /// The whole connection table is listed, again and again.
    List,
    /// The metrics of 10,000 services are scraped, again and again.
    Scrape,
}

impl Operation {
    pub(crate) const ALL: [(&str, Self); 5] = [
        ("stall-idle", Self::Idle),
        ("stall-services", Self::Services),
        ("stall-edit", Self::Edit),
        ("stall-list", Self::List),
        ("stall-scrape", Self::Scrape),
    ];

    /// Whether the services are there from the start.
    pub(super) const fn needs_services(self) -> bool {
        matches!(self, Self::Edit | Self::Scrape)
    }

    /// What one of it is, for people.
    pub(super) const fn word(self) -> Option<&'static str> {
        match self {
            Self::Idle => None,
            Self::Services => Some("times all services loaded and removed"),
            Self::Edit => Some("changes"),
            Self::List => Some("listings"),
            Self::Scrape => Some("scrapes"),
        }
    }

    /// Does it again and again until the time is over; how often.
    pub(super) fn repeat(self, director: &Ulvsd, settings: &Settings<'_>, until: Instant) -> Result<u32> {
        let netlink = Netlink::connect(&director.netlink())?;
        let began = Instant::now();
        let mut count = 0;
        while Instant::now() < until {
            match self {
                Self::Idle => std::thread::sleep(WINDOW),
                Self::Services => {
                    director.reload(&Settings { more_services: SERVICES, ..*settings })?;
                    director.reload(settings)?;
                }
                Self::Edit => {
                    let weight = i32::try_from(count % 100).unwrap_or(0) + 1;
                    let service = SocketAddr::from((Ipv4Addr::from_bits(FIRST_VIP), FIRST_PORT));
                    let real_server = SocketAddr::from((Ipv4Addr::from_bits(REAL_SERVER + 1), FIRST_PORT));
                    let method = ForwardMethod::Dr.code().into();
                    netlink.set_weight((parse::UDP, service), (real_server, method), weight)?;
                    let due = began + Duration::from_secs(1) * (count + 1) / EDITS_PER_SECOND;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                }
                Self::List => list(director)?,
                Self::Scrape => scrape(director)?,
            }
            count += 1;
        }
        Ok(count)
    }
}

/// Walks the whole connection table.
fn list(director: &Ulvsd) -> Result<()> {
    let mut cursor = None;
    loop {
        let page = director.client.connections(&ConnectionQuery { cursor, ..ConnectionQuery::default() })?;
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

fn scrape(director: &Ulvsd) -> Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, director.metrics))?;
    stream.write_all(b"GET /metrics?scope=real HTTP/1.0\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    ensure!(page.contains("ulvs_real_server_weight"), "ulvsd gives no metrics");
    Ok(())
}
