use super::attribute::Attributes;
use super::command;
use super::frame::{Header, flag};
use super::writer::Writer;
use crate::{Access, Errno};

/// The number IPVS is resolved to: any from 0x13 on would do, this is the one the recorded kernel had.
pub const FAMILY_ID: u16 = 0x26;

/// The family that resolves families.
pub(super) const CONTROLLER: u16 = 0x10;

pub(super) const FAMILY_NAME: &str = "IPVS";
const LONGEST_NAME: usize = 15;

const NEW_FAMILY: u8 = 1;
pub(super) const GET_FAMILY: u8 = 3;

/// How a command may be sent.
mod operation {
    pub(super) const ADMIN: u32 = 1;
    pub(super) const DO: u32 = 2;
    pub(super) const DUMP: u32 = 4;
    pub(super) const POLICY: u32 = 8;
}

/// How the family's command may be sent, or None if there is no such command.
const fn operation(number: u8) -> Option<u32> {
    let ways = match number {
        command::GET_SERVICE => operation::DO | operation::DUMP,
        command::GET_DEST | command::GET_DAEMON => operation::DUMP,
        command::NEW_SERVICE..=command::GET_CONFIG | command::GET_INFO..=command::FLUSH => operation::DO,
        _ => return None,
    };
    Some(ways | operation::ADMIN | operation::POLICY)
}

/// Whether the command exists.
pub(super) const fn is_command(number: u8) -> bool {
    operation(number).is_some()
}

/// What a client must be allowed to send the command.
pub(super) const fn needs(number: u8) -> Access {
    match number {
        command::GET_SERVICE | command::GET_DEST | command::GET_DAEMON | command::GET_CONFIG | command::GET_INFO => {
            Access::Read
        }
        _ => Access::Full,
    }
}

/// Whether the command can be sent as a dump, or as a single request.
pub(super) const fn can(number: u8, dump: bool) -> bool {
    let way = if dump { operation::DUMP } else { operation::DO };
    match operation(number) {
        Some(ways) => ways & way != 0,
        None => false,
    }
}

/// Whether the attributes of a `GET_FAMILY` name IPVS.
pub(super) fn names_ipvs(attributes: Attributes<'_>) -> Result<(), Errno> {
    let (mut id, mut name) = (None, None);
    for attribute in attributes {
        match attribute.kind {
            1 => id = Some(attribute.u16()?),
            2 => name = Some(attribute.text(LONGEST_NAME)?),
            _ => {}
        }
    }
    let found = match (id, name) {
        (None, None) => return Err(Errno::Invalid),
        (_, Some(name)) => name == FAMILY_NAME,
        (Some(id), None) => id == FAMILY_ID,
    };
    if found { Ok(()) } else { Err(Errno::NoEntry) }
}

/// The family described, as the kernel does it.
pub(super) fn write(out: &mut Vec<u8>, request: &Header) {
    let flags = if request.is_dump() { flag::MULTI } else { 0 };
    Writer::new(out, request, CONTROLLER, flags)
        .generic(NEW_FAMILY, 2)
        .text(2, FAMILY_NAME)
        .u16(1, FAMILY_ID)
        .u32(3, 1)
        .u32(4, 0)
        .u32(5, 6)
        .nest(6, |list| {
            let known = (0..=u8::MAX).filter_map(|number| Some((number, operation(number)?)));
            (1..).zip(known).fold(list, |list, (index, (number, ways))| {
                list.nest(index, |one| one.u32(1, number.into()).u32(2, ways))
            })
        })
        .finish();
}
