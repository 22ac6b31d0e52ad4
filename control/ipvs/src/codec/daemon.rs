use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::attribute::Attribute;
use super::frame::Header;
use super::writer::Writer;
use super::{FAMILY_ID, command, top};
use crate::Errno;
use crate::table::{DaemonSpec, SyncDaemon};

const STATE: u16 = 1;
const INTERFACE: u16 = 2;
const SYNC_ID: u16 = 3;
const MAX_LENGTH: u16 = 4;
const GROUP: u16 = 5;
const GROUP6: u16 = 6;
/// In the host's order, unlike other ports.
const PORT: u16 = 7;
const TTL: u16 = 8;

const LONGEST_INTERFACE: usize = 15;

/// What was sent of a daemon: role and the rest.
#[derive(Default)]
struct Parsed {
    state: Option<u32>,
    interface: Option<String>,
    sync_id: Option<u32>,
    max_length: u16,
    group: Option<IpAddr>,
    group6: Option<IpAddr>,
    port: u16,
    ttl: u8,
}

impl Parsed {
    fn parse(attribute: Option<Attribute<'_>>) -> Result<Self, Errno> {
        let mut parsed = Self::default();
        for attribute in attribute.ok_or(Errno::Invalid)?.nested()? {
            match attribute.kind {
                STATE => parsed.state = Some(attribute.u32()?),
                INTERFACE => parsed.interface = Some(attribute.text(LONGEST_INTERFACE)?),
                SYNC_ID => parsed.sync_id = Some(attribute.u32()?),
                MAX_LENGTH => parsed.max_length = attribute.u16()?,
                GROUP => parsed.group = Some(Ipv4Addr::from(attribute.number::<4>()?).into()),
                GROUP6 => parsed.group6 = Some(Ipv6Addr::from(attribute.number::<16>()?).into()),
                PORT => parsed.port = attribute.u16()?,
                TTL => parsed.ttl = attribute.u8()?,
                _ => {}
            }
        }
        Ok(parsed)
    }
}

/// A daemon to be started.
pub(super) fn parse(attribute: Option<Attribute<'_>>) -> Result<DaemonSpec, Errno> {
    let parsed = Parsed::parse(attribute)?;
    Ok(DaemonSpec {
        role: parsed.state.ok_or(Errno::Invalid)?,
        interface: parsed.interface.ok_or(Errno::Invalid)?,
        sync_id: parsed.sync_id.ok_or(Errno::Invalid)?,
        max_length: parsed.max_length,
        group: parsed.group.or(parsed.group6),
        port: parsed.port,
        ttl: parsed.ttl,
    })
}

/// The role of a daemon to be stopped; nothing else is looked at.
pub(super) fn parse_role(attribute: Option<Attribute<'_>>) -> Result<u32, Errno> {
    Parsed::parse(attribute)?.state.ok_or(Errno::Invalid)
}

/// The message that describes a daemon.
pub(super) fn write(out: &mut Vec<u8>, request: &Header, flags: u16, daemon: &SyncDaemon) {
    Writer::new(out, request, FAMILY_ID, flags)
        .generic(command::NEW_DAEMON, 1)
        .nest(top::DAEMON, |nest| {
            let nest = nest
                .u32(STATE, daemon.role.number())
                .text(INTERFACE, &daemon.interface)
                .u32(SYNC_ID, daemon.sync_id)
                .u16(MAX_LENGTH, daemon.max_length)
                .u16(PORT, daemon.port)
                .u8(TTL, daemon.ttl);
            match daemon.group {
                IpAddr::V4(group) => nest.put(GROUP, &group.octets()),
                IpAddr::V6(group) => nest.put(GROUP6, &group.octets()),
            }
        })
        .finish();
}
