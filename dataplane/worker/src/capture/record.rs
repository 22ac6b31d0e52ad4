use ulvs_engine::Verdict;
use ulvs_engine::conn::Connection;
use ulvs_engine::snapshot::PortId;

/// What is recorded of a packet, beside its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The time stamp counter when its burst was received.
    pub cycles: u64,
    /// The port it came in by; `None`: the kernel sent it.
    pub ingress: Option<PortId>,
    /// The port it leaves by, or that the error about it leaves by.
    pub egress: Option<PortId>,
    /// What was decided; `None` of the kernel's.
    pub verdict: Option<Verdict>,
    /// It had waited, and as it came it was recorded before.
    pub again: bool,
    /// As it came.
    pub before: Part,
    /// As it leaves, or the error about it; empty if neither leaves.
    pub after: Part,
    /// The connection it belongs to, before it was decided; asked for by [`Wanted::connections`](super::Wanted::connections).
    pub connection_before: Option<Connection>,
    /// The connection it belongs to, afterwards.
    pub connection_after: Option<Connection>,
}

/// A frame, of which some bytes are kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Part {
    /// Bytes of the frame.
    pub len: u32,
    /// Bytes that are kept, the first ones.
    pub kept: u32,
}

impl Part {
    #[expect(clippy::cast_possible_truncation, reason = "no frame is as long as that")]
    pub(super) fn of(frame: &[u8], snaplen: usize) -> Self {
        Self { len: frame.len() as u32, kept: frame.len().min(snaplen) as u32 }
    }
}
