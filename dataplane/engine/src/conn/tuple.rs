use ulvs_wire::{Ends, Family};

use super::entry::{NewConnection, Role};

/// Ports, protocol and families in one word, so that one load compares them: the [`Ends`] of a request, with the real
/// server's port in the field that is empty there.
#[derive(Clone, Copy)]
pub(super) struct Tuple(pub(super) u64);

impl Tuple {
    const DESTINATION_V6: u64 = 2;
    /// Neither in the ends of a packet nor left out of a comparison with them: no packet belongs to a template, though its
    /// port may be 0.
    const TEMPLATE: u64 = 4;
    /// Beside it in templates of a call.
    const CALL: u64 = 8;
    /// Its IPv6 addresses are those that all connections of its destination have.
    const PAIRED: u64 = 16;
    /// What is not in the ends of a request.
    const OWN: u64 = 0xffff_0000 | Self::DESTINATION_V6 | Self::PAIRED;

    pub(super) const fn new(new: &NewConnection) -> Self {
        let destination_family = if matches!(new.family, Family::V6) { Self::DESTINATION_V6 } else { 0 };
        let template = match new.role {
            Role::Template => Self::TEMPLATE,
            Role::Call => Self::TEMPLATE | Self::CALL,
            Role::Single | Role::Controlled(_) => 0,
        };
        let paired = if new.paired { Self::PAIRED } else { 0 };
        Self(new.key.ends().0 | (new.port.swap_bytes() as u64) << 16 | destination_family | template | paired)
    }

    /// Ports, protocol and family of requests.
    pub(super) const fn request(self) -> Ends {
        Ends(self.0 & !Self::OWN)
    }

    /// Those of replies, which come from the real server's port in NAT and else from the virtual one.
    pub(super) const fn reply(self, nat: bool) -> Ends {
        let from = if nat { self.0 >> 16 & 0xffff } else { self.0 >> 48 };
        Ends((self.0 >> 32 & 0xffff) << 48 | from << 32 | self.0 & 0xffff & !Self::OWN)
    }

    /// Whether it is a template's, and the key has these ends.
    pub(super) const fn is_template(self, key: Ends, of_call: bool) -> bool {
        self.0 & !Self::OWN == key.0 | Self::TEMPLATE | if of_call { Self::CALL } else { 0 }
    }

    pub(super) const fn is_paired(self) -> bool {
        self.0 & Self::PAIRED != 0
    }

    pub(super) const fn is_of_call(self) -> bool {
        self.0 & Self::CALL != 0
    }

    #[expect(clippy::cast_possible_truncation, reason = "a field is cut out of the word")]
    pub(super) const fn destination_port(self) -> u16 {
        ((self.0 >> 16) as u16).swap_bytes()
    }

    pub(super) const fn family(self) -> Family {
        self.request().family()
    }

    pub(super) const fn destination_family(self) -> Family {
        if self.0 & Self::DESTINATION_V6 != 0 { Family::V6 } else { Family::V4 }
    }
}
