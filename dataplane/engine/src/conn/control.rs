//! The control word of a connection: everything that must change together.

use ulvs_model::ForwardMethod;

use crate::proto::State;

/// Where an entry is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Life {
    /// In no connection's use.
    Free = 0,
    /// A connection.
    Live = 1,
    /// A connection whose time ran out, until it is sure that no worker saw a packet of it meanwhile.
    Expiring = 2,
    /// A connection on its way into the index: packets may go by it, but only the worker that makes it changes it.
    Joining = 3,
    /// Taken out of the index; free once no worker can still hold its number.
    Dead = 4,
}

/// `incarnation:32 | flags:16 | state:8 | helped:1 | life:7`.
///
/// `helped` stands beside the life so that one comparison tells connections that are forwarded as they are from all others.
///
/// Flags are IPVS's own (ipvs-facts B.1): the forwarding method in the low three bits, `INACTIVE`, `NOOUTPUT`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Control(pub(super) u64);

impl Control {
    /// Not counted among the destination's active connections.
    pub(crate) const INACTIVE: u16 = 0x0100;
    /// No reply was seen yet, and with DR and TUN none is expected.
    pub(crate) const NO_OUTPUT: u16 = 0x0080;
    /// A template: no packet belongs to it.
    pub(crate) const TEMPLATE: u16 = 0x1000;
    /// A template that was taken out of the index, because its destination can't be used any more. IPVS has no flag for
    /// it: it changes the template's ports.
    pub(crate) const EXPELLED: u16 = 0x8000;
    /// The first reply is to assure the connection's template (ipvs-facts B.4). IPVS assures with every reply.
    pub(crate) const UNASSURED: u16 = 0x4000;
    /// Of FTP's data connections the client's port is not known before its first packet; 0 stands for it.
    pub(crate) const NO_CPORT: u16 = 0x0800;
    /// FTP: the client sent `PASV`, and the reply 227 will name address and port of a data connection. IPVS keeps it elsewhere.
    pub(crate) const PASV: u16 = 0x0008;
    /// FTP: the client sent `EPSV`, and the reply 229 will name the port of a data connection.
    pub(crate) const EPSV: u16 = 0x0010;
    const METHOD: u16 = 0x0007;
    const HELPED: u64 = 0x80;
    const LIFE: u64 = 0x7f;

    /// A connection in its first state, with these flags beside those that its method and state imply, on its way into the
    /// index.
    pub(crate) const fn new(incarnation: u32, method: ForwardMethod, state: State, flags: u16) -> Self {
        let no_output = if matches!(method, ForwardMethod::Nat) { 0 } else { Self::NO_OUTPUT };
        let inactive = if state.is_active() { 0 } else { Self::INACTIVE };
        let flags = method.code() as u16 | no_output | inactive | flags;
        Self((incarnation as u64) << 32 | (flags as u64) << 16 | (state.number() as u64) << 8 | Life::Joining as u64)
    }

    /// The same, of a connection whose text a helper reads.
    #[must_use]
    pub(super) const fn helped(self, helped: bool) -> Self {
        if helped { Self(self.0 | Self::HELPED) } else { self }
    }

    /// A helper reads its text: its packets are not only forwarded.
    #[inline]
    pub(crate) const fn is_helped(self) -> bool {
        self.0 & Self::HELPED != 0
    }

    /// Live, and nothing but forwarding is to be done with its packets: one comparison.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a field is cut out of the word")]
    pub(super) const fn is_plain(self) -> bool {
        self.0 as u8 == Life::Live as u8
    }

    #[inline]
    pub(crate) const fn life(self) -> Life {
        match self.0 & Self::LIFE {
            0 => Life::Free,
            1 => Life::Live,
            2 => Life::Expiring,
            3 => Life::Joining,
            _ => Life::Dead,
        }
    }

    /// Live or expiring: a connection that any worker may change or end.
    #[inline]
    pub(crate) const fn is_live(self) -> bool {
        matches!(self.life(), Life::Live | Life::Expiring)
    }

    /// A connection that packets can belong to.
    #[inline]
    pub(super) const fn has_packets(self) -> bool {
        matches!(self.life(), Life::Live | Life::Expiring | Life::Joining)
    }

    #[must_use]
    pub(crate) const fn with_life(self, life: Life) -> Self {
        Self(self.0 & !Self::LIFE | life as u64)
    }

    #[inline]
    pub(crate) const fn state(self) -> State {
        State::from_number(self.state_number())
    }

    /// The number of the state: what tables are indexed with, without asking which state it is.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "fields are cut out of the word")]
    pub(crate) const fn state_number(self) -> u8 {
        (self.0 >> 8) as u8
    }

    #[must_use]
    pub(crate) const fn with_state(self, state: State) -> Self {
        Self(self.0 & !0xff00 | (state.number() as u64) << 8)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "fields are cut out of the word")]
    pub(crate) const fn flags(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// All flags are these.
    #[must_use]
    pub(super) const fn with_flags(self, flags: u16) -> Self {
        Self(self.0 & !0xffff_0000 | (flags as u64) << 16)
    }

    #[must_use]
    pub(crate) const fn with_flag(self, flag: u16, on: bool) -> Self {
        let bit = (flag as u64) << 16;
        Self(if on { self.0 | bit } else { self.0 & !bit })
    }

    #[inline]
    pub(crate) const fn has(self, flag: u16) -> bool {
        self.flags() & flag != 0
    }

    #[inline]
    pub(crate) const fn method(self) -> ForwardMethod {
        match self.flags() & Self::METHOD {
            0 => ForwardMethod::Nat,
            2 => ForwardMethod::Tun,
            // Control words are made by `new` only, so this is 3.
            _ => ForwardMethod::Dr,
        }
    }

    pub(crate) const fn incarnation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}
