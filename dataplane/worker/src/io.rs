//! The seam between the poll loop and what moves packets.

use ulvs_engine::Frame;
use ulvs_engine::snapshot::PortId;

/// Packets that travel together, up to [`BURST`](ulvs_engine::BURST).
pub trait Burst: Default {
    /// One packet, owned.
    type Packet: Frame + Send + 'static;

    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The packets, to be rewritten.
    fn packets(&mut self) -> &mut [Self::Packet];

    /// Adds one; gives it back if the burst is full.
    ///
    /// # Errors
    /// The packet.
    fn push(&mut self, packet: Self::Packet) -> Result<(), Self::Packet>;

    /// Takes all packets out, first to last.
    fn drain(&mut self) -> impl Iterator<Item = Self::Packet>;

    /// Frees all packets at once.
    fn clear(&mut self);
}

/// The ports of one worker: its queue on each.
pub trait PacketIo {
    /// Packets of these ports.
    type Burst: Burst;

    /// Takes what has arrived into the burst's free room. Never waits.
    fn receive(&mut self, port: PortId, burst: &mut Self::Burst);

    /// Sends the burst; what the port refuses stays in it. Never waits.
    fn send(&mut self, port: PortId, burst: &mut Self::Burst);

    /// A new packet of these bytes, one part after the other; `None` if there is no buffer for it.
    fn assemble(&mut self, parts: [&[u8]; 3]) -> Option<PacketOf<Self>>;
}

/// A packet of this I/O.
pub type PacketOf<I> = <<I as PacketIo>::Burst as Burst>::Packet;
