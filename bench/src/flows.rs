//! Which packet comes next.

use ulvs_wire::{checksum, ethernet, ipv4, ipv6, parse};

/// Bytes of each frame, without the FCS; IPv6 with TCP needs 14 more.
pub(crate) const FRAME: usize = 60;

/// Hardware address of the port the frames are for.
pub(crate) const PORT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// Where a packet comes from or goes to, in terms of the scenario.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// From clients to the service.
    Requests,
    /// From real servers to clients.
    Replies,
}

/// The traffic of a scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    /// Distinct clients; a power of two.
    pub(crate) flows: u64,
    /// Ports of the virtual address that are used in turn.
    pub(crate) ports: u64,
    /// Virtual addresses that are used in turn.
    pub(crate) vips: u64,
    pub(crate) ipv6: bool,
    pub(crate) protocol: u8,
    pub(crate) tcp_flags: u8,
    pub(crate) way: Way,
}

/// Port of the first service.
pub(crate) const FIRST_PORT: u16 = 1024;
/// The first virtual address, IPv4.
pub(crate) const FIRST_VIP: u32 = 0x0ac8_0000;
/// The real servers' address, IPv4.
pub(crate) const REAL_SERVER: u32 = 0xac10_0000;
/// Port of the real servers in NAT.
pub(crate) const REAL_PORT: u16 = 8080;

/// Writes frames of a traffic, each from a template with addresses and ports of its own.
#[derive(Debug)]
pub(crate) struct Frames {
    traffic: Traffic,
    template: Vec<u8>,
    ip_sum: u64,
}

impl Frames {
    pub(crate) fn new(traffic: Traffic) -> Self {
        let l4 = if traffic.protocol == parse::TCP { 20 } else { 8 };
        let l3 = if traffic.ipv6 { ipv6::HEADER_LEN } else { ipv4::HEADER_LEN };
        let len = FRAME.max(ethernet::HEADER_LEN + l3 + l4);
        let mut template = vec![0; len];
        template[..6].copy_from_slice(&PORT_MAC);
        template[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
        let payload = len - ethernet::HEADER_LEN - l3;
        if traffic.ipv6 {
            template[12..14].copy_from_slice(&ethernet::TYPE_IPV6.to_be_bytes());
            template[14] = 0x60;
            template[18..20].copy_from_slice(&be(payload));
            template[20] = traffic.protocol;
            template[21] = 64;
            // fd00:1::x clients, fd00:2::x virtual addresses, fd00:3::x real servers.
            template[22] = 0xfd;
            template[38] = 0xfd;
        } else {
            template[12..14].copy_from_slice(&ethernet::TYPE_IPV4.to_be_bytes());
            template[14] = 0x45;
            template[16..18].copy_from_slice(&be(len - ethernet::HEADER_LEN));
            template[20..22].copy_from_slice(&ipv4::DONT_FRAGMENT.to_be_bytes());
            template[22] = 64;
            template[23] = traffic.protocol;
        }
        let at = ethernet::HEADER_LEN + l3;
        if traffic.protocol == parse::TCP {
            template[at + 12] = 5 << 4;
            template[at + 13] = traffic.tcp_flags;
        } else {
            template[at + 4..at + 6].copy_from_slice(&be(payload));
            // Not 0, which would ask the director for a checksum.
            template[at + 6] = 1;
        }
        let ip_sum = checksum::add(0, &template[14..34]);
        Self { traffic, template, ip_sum }
    }

    pub(crate) fn len(&self) -> usize {
        self.template.len()
    }

    /// Writes the packet of flow `flow`.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "flows are below 2^32, ports and addresses below 2^16")]
    pub(crate) fn write(&self, flow: u64, frame: &mut [u8]) {
        let traffic = &self.traffic;
        frame.copy_from_slice(&self.template);
        let client = 0x0b00_0000 | (flow as u32 & 0x00ff_ffff);
        let client_port = 1024 + (flow >> 20) as u16 * 16 + (flow & 7) as u16;
        let service_port = FIRST_PORT + (flow % traffic.ports) as u16;
        let vip = (flow % traffic.vips) as u32;
        let (far, far_port) = match traffic.way {
            Way::Requests => (FIRST_VIP + vip, service_port),
            Way::Replies => (REAL_SERVER + 1, REAL_PORT),
        };
        let (source, source_port, destination, destination_port) = match traffic.way {
            Way::Requests => (client, client_port, far, far_port),
            Way::Replies => (far, far_port, client, client_port),
        };
        let ports = if traffic.ipv6 {
            frame[34..38].copy_from_slice(&source.to_be_bytes());
            frame[50..54].copy_from_slice(&destination.to_be_bytes());
            54
        } else {
            frame[26..30].copy_from_slice(&source.to_be_bytes());
            frame[30..34].copy_from_slice(&destination.to_be_bytes());
            let sum = self.ip_sum + u64::from(source) + u64::from(destination);
            frame[24..26].copy_from_slice(&(!checksum::fold(sum)).to_be_bytes());
            34
        };
        frame[ports..ports + 2].copy_from_slice(&source_port.to_be_bytes());
        frame[ports + 2..ports + 4].copy_from_slice(&destination_port.to_be_bytes());
    }
}

fn be(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ulvs_wire::{Kind, Packet, parse};

    #[test]
    fn frames_are_what_a_director_forwards() {
        for (ipv6, protocol) in [(false, parse::TCP), (false, parse::UDP), (true, parse::TCP), (true, parse::UDP)] {
            for way in [Way::Requests, Way::Replies] {
                let traffic = Traffic { flows: 1024, ports: 10, vips: 10, ipv6, protocol, tcp_flags: 2, way };
                let frames = Frames::new(traffic);
                let mut frame = vec![0; frames.len()];
                frames.write(77, &mut frame);
                assert_eq!(parse(&frame, &mut Packet::default()), Kind::Flow, "{traffic:?}");
            }
        }
    }
}
