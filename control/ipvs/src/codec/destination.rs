use super::attribute::Attribute;
use super::frame::Header;
use super::writer::Writer;
use super::{FAMILY_ID, command, top};
use crate::table::{Destination, DestinationSpec, Tunnel, TunnelKind};
use crate::{DestinationCounters, Errno};

const ADDRESS: u16 = 1;
const PORT: u16 = 2;
const METHOD: u16 = 3;
const WEIGHT: u16 = 4;
const UPPER: u16 = 5;
const LOWER: u16 = 6;
const ACTIVE: u16 = 7;
const INACTIVE: u16 = 8;
const PERSISTENT: u16 = 9;
const STATS: u16 = 10;
const FAMILY: u16 = 11;
const STATS64: u16 = 12;
const TUNNEL_KIND: u16 = 13;
const TUNNEL_PORT: u16 = 14;
const TUNNEL_FLAGS: u16 = 15;

/// Bits of the forwarding method that count.
const METHOD_MASK: u8 = 7;

/// A destination; without `full` only what identifies it is needed, and the rest is zero.
pub(super) fn parse(attribute: Option<Attribute<'_>>, full: bool) -> Result<DestinationSpec, Errno> {
    let (mut address, mut port, mut family) = (None, None, 0);
    let (mut method, mut weight, mut upper, mut lower) = (None, None, None, None);
    let mut tunnel = Tunnel::default();
    for attribute in attribute.ok_or(Errno::Invalid)?.nested()? {
        match attribute.kind {
            ADDRESS => address = Some(attribute.structure()?),
            PORT => port = Some(attribute.port()?),
            METHOD => method = Some(attribute.u32()?),
            WEIGHT => weight = Some(i32::from_ne_bytes(attribute.number()?)),
            UPPER => upper = Some(attribute.u32()?),
            LOWER => lower = Some(attribute.u32()?),
            FAMILY => family = attribute.u16()?,
            TUNNEL_KIND => tunnel.kind = TunnelKind(attribute.u8()?),
            TUNNEL_PORT => tunnel.port = attribute.port()?,
            TUNNEL_FLAGS => tunnel.flags = attribute.u16()?,
            _ => {}
        }
    }
    let (Some(address), Some(port)) = (address, port) else { return Err(Errno::Invalid) };
    if full && (method.is_none() || weight.is_none() || upper.is_none() || lower.is_none()) {
        return Err(Errno::Invalid);
    }
    let [low, ..] = method.unwrap_or_default().to_le_bytes();
    Ok(DestinationSpec {
        family,
        address,
        port,
        method: low & METHOD_MASK,
        weight: weight.unwrap_or_default(),
        upper: upper.unwrap_or_default(),
        lower: lower.unwrap_or_default(),
        tunnel,
    })
}

/// The message that describes a destination. It doesn't say of which service.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Header,
    flags: u16,
    destination: &Destination,
    counters: &DestinationCounters,
) {
    let (id, settings) = (destination.id, destination.settings);
    Writer::new(out, request, FAMILY_ID, flags)
        .generic(command::NEW_DEST, 1)
        .nest(top::DESTINATION, |nest| {
            nest.address(ADDRESS, id.0.ip())
                .port(PORT, id.0.port())
                .u32(METHOD, settings.method.into())
                .put(WEIGHT, &settings.weight.to_ne_bytes())
                .u8(TUNNEL_KIND, settings.tunnel.kind.0)
                .port(TUNNEL_PORT, settings.tunnel.port)
                .u16(TUNNEL_FLAGS, settings.tunnel.flags)
                .u32(UPPER, settings.upper)
                .u32(LOWER, settings.lower)
                .u32(ACTIVE, counters.active)
                .u32(INACTIVE, counters.inactive)
                .u32(PERSISTENT, counters.persistent)
                .u16(FAMILY, id.family().number())
                .stats(STATS, STATS64, &counters.stats)
        })
        .finish();
}
