//! What a packet is to the engine, for who looks on: nothing is changed by it, and no packet's connection lives longer.

use ulvs_wire::{FlowKey, Kind, Packet, parse_any};

use crate::conn::Connection;
use crate::time::Ticks;

use super::Engine;

impl Engine {
    /// Addresses, ports and protocol of a frame with TCP or UDP; `None` of others.
    pub fn flow_of(&self, frame: &[u8]) -> Option<FlowKey> {
        let mut packet = Packet::default();
        (parse_any(frame, &mut packet) == Kind::Flow).then_some(packet.key)
    }

    /// The connection that packets with this key belong to now.
    pub fn connection(&self, key: &FlowKey, now: Ticks) -> Option<Connection> {
        let table = &self.shared.table;
        table.describe(table.number_of(table.peek(key, now)?.entry)?, now)
    }
}
