use crate::Errno;

/// How long idle connections are kept, in seconds. In a request 0 keeps what is set (ipvs-facts D.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// Established TCP connections.
    pub tcp: u32,
    /// TCP connections after a FIN.
    pub tcp_fin: u32,
    /// UDP.
    pub udp: u32,
}

impl Timeouts {
    /// Nothing to be changed.
    pub const KEEP: Self = Self { tcp: 0, tcp_fin: 0, udp: 0 };

    /// The longest a kernel of 250 ticks a second can count.
    pub const LONGEST: u32 = i32::MAX.unsigned_abs() / 250;

    /// These, where `wanted` says 0, and `wanted` else.
    pub(super) fn changed_to(self, wanted: Self) -> Result<Self, Errno> {
        let one = |old: u32, new: u32| match new {
            0 => Ok(old),
            1..=Self::LONGEST => Ok(new),
            _ => Err(Errno::Invalid),
        };
        Ok(Self {
            tcp: one(self.tcp, wanted.tcp)?,
            tcp_fin: one(self.tcp_fin, wanted.tcp_fin)?,
            udp: one(self.udp, wanted.udp)?,
        })
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { tcp: 900, tcp_fin: 120, udp: 300 }
    }
}
