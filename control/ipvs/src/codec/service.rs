use std::net::SocketAddr;

use super::attribute::{Attribute, Attributes};
use super::frame::Header;
use super::writer::Writer;
use super::{FAMILY_ID, command, top};
use crate::table::{Family, ServiceId, ServiceSettings, ServiceSpec};
use crate::{Errno, Stats};

const FAMILY: u16 = 1;
const PROTOCOL: u16 = 2;
const ADDRESS: u16 = 3;
const PORT: u16 = 4;
const MARK: u16 = 5;
const SCHEDULER: u16 = 6;
const FLAGS: u16 = 7;
const TIMEOUT: u16 = 8;
const NETMASK: u16 = 9;
const STATS: u16 = 10;
const ENGINE: u16 = 11;
const STATS64: u16 = 12;

const LONGEST_SCHEDULER: usize = 15;
const LONGEST_ENGINE: usize = 16;
const TCP: u16 = 6;

/// The attributes of a service in a request, each as it was sent last.
#[derive(Default)]
struct Parsed {
    family: Option<u16>,
    protocol: Option<u16>,
    address: Option<[u8; 16]>,
    port: Option<u16>,
    mark: Option<u32>,
    scheduler: Option<String>,
    flags: Option<[u8; 8]>,
    timeout: Option<u32>,
    netmask: Option<u32>,
    engine: Option<String>,
}

impl Parsed {
    fn parse(attributes: Attributes<'_>) -> Result<Self, Errno> {
        let mut parsed = Self::default();
        for attribute in attributes {
            match attribute.kind {
                FAMILY => parsed.family = Some(attribute.u16()?),
                PROTOCOL => parsed.protocol = Some(attribute.u16()?),
                ADDRESS => parsed.address = Some(attribute.structure()?),
                PORT => parsed.port = Some(attribute.port()?),
                MARK => parsed.mark = Some(attribute.u32()?),
                SCHEDULER => parsed.scheduler = Some(attribute.text(LONGEST_SCHEDULER)?),
                FLAGS => parsed.flags = Some(attribute.structure()?),
                TIMEOUT => parsed.timeout = Some(attribute.u32()?),
                NETMASK => parsed.netmask = Some(attribute.u32()?),
                ENGINE => parsed.engine = Some(attribute.text(LONGEST_ENGINE)?),
                _ => {}
            }
        }
        Ok(parsed)
    }

    fn id(&self) -> Result<ServiceId, Errno> {
        let place = self.protocol.zip(self.address).zip(self.port);
        let (Some(family), true) = (self.family, self.mark.is_some() || place.is_some()) else {
            return Err(Errno::Invalid);
        };
        let family = Family::from_number(family)?;
        let at = |protocol, address, port| ServiceId::Address {
            protocol,
            address: SocketAddr::new(family.address(address), port),
        };
        Ok(match (self.mark, place) {
            // a mark of 0 is none, and beside a mark nothing else is read: only zeros are left to tell services apart
            (Some(0), _) | (None, None) => at(TCP, [0; 16], 0),
            (Some(mark), _) => ServiceId::Mark { family, mark },
            (None, Some(((protocol, address), port))) => at(protocol, address, port),
        })
    }
}

/// What identifies the service an attribute is about.
pub(super) fn parse_id(attribute: Option<Attribute<'_>>) -> Result<ServiceId, Errno> {
    Parsed::parse(attribute.ok_or(Errno::Invalid)?.nested()?)?.id()
}

/// A whole service.
pub(super) fn parse(attribute: Option<Attribute<'_>>) -> Result<ServiceSpec, Errno> {
    let parsed = Parsed::parse(attribute.ok_or(Errno::Invalid)?.nested()?)?;
    let id = parsed.id()?;
    let [f0, f1, f2, f3, m0, m1, m2, m3] = parsed.flags.ok_or(Errno::Invalid)?;
    Ok(ServiceSpec {
        id,
        scheduler: parsed.scheduler.ok_or(Errno::Invalid)?,
        flags: u32::from_ne_bytes([f0, f1, f2, f3]),
        mask: u32::from_ne_bytes([m0, m1, m2, m3]),
        timeout: parsed.timeout.ok_or(Errno::Invalid)?,
        netmask: parsed.netmask.ok_or(Errno::Invalid)?,
        engine: parsed.engine.unwrap_or_default(),
    })
}

/// What identifies a service.
pub(super) fn write_id<'a>(nest: Writer<'a>, id: &ServiceId) -> Writer<'a> {
    let nest = nest.u16(FAMILY, id.family().number());
    match id {
        ServiceId::Mark { mark, .. } => nest.u32(MARK, *mark),
        ServiceId::Address { protocol, address } => {
            nest.u16(PROTOCOL, *protocol).address(ADDRESS, address.ip()).port(PORT, address.port())
        }
    }
}

/// The message that describes a service.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Header,
    flags: u16,
    id: &ServiceId,
    settings: &ServiceSettings,
    stats: &Stats,
) {
    let mut shown = [0xff; 8];
    shown[..4].copy_from_slice(&settings.flags.shown().to_ne_bytes());
    Writer::new(out, request, FAMILY_ID, flags)
        .generic(command::NEW_SERVICE, 1)
        .nest(top::SERVICE, |nest| {
            let nest = write_id(nest, id).text(SCHEDULER, settings.scheduler.name());
            let nest = match settings.engine {
                Some(engine) => nest.text(ENGINE, engine.name()),
                None => nest,
            };
            nest.put(FLAGS, &shown)
                .u32(TIMEOUT, settings.timeout)
                .u32(NETMASK, settings.netmask)
                .stats(STATS, STATS64, stats)
        })
        .finish();
}
