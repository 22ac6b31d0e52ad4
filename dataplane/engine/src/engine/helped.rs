//! Control connections of FTP: what they say of data connections is heeded, and where it names a real server, it is made to
//! name the virtual address (ipvs-facts C.9).
//!
//! That changes how long the text is. The kernel has netfilter move the sequence numbers behind it; here they are moved by the
//! connection's own [`Shift`].

use ulvs_model::ForwardMethod;
use ulvs_wire::{Address, FlowKey, Packet, fragment, parse, tcp};

use crate::conn::{Control, Direction, Entry, Helper, Hit, Home, Shift};
use crate::forward::segment;
use crate::frame::Frame;
use crate::ftp::{Command, Passive, announced, last_command};
use crate::proto::State;
use crate::verdict::{DropReason, Verdict};

use super::outbound::reply_hop;
use super::state::Event;
use super::{Context, Own, Staged};

impl Own {
    /// A packet of a control connection.
    #[cold]
    #[inline(never)]
    pub(super) fn helped<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        home: Home,
        hit: Hit<'_>,
    ) -> Verdict {
        let mut packet = *packet;
        // What waits, or ends here, is not touched.
        if leads_on(cx, &packet, hit) {
            let is_whole = !is_fragment(frame, &packet);
            if is_whole && !segment::verifies(frame, &packet) {
                return Verdict::Drop(DropReason::BadTransportChecksum);
            }
            match hit.direction {
                Direction::In => self.heed_request(cx, frame, &packet, hit, is_whole),
                Direction::Out if self.heed_reply(cx, frame, &mut packet, hit, is_whole) => {}
                Direction::Out => return Verdict::Drop(DropReason::NoHeadroom),
            }
        }
        let way = self.forward(cx, frame, &Staged { packet, home }, hit);
        self.verdict_of(way)
    }

    fn heed_request<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &Packet,
        hit: Hit<'_>,
        is_whole: bool,
    ) {
        let entry = hit.entry;
        let opens = packet.signal & (tcp::SYN | tcp::ACK) == tcp::SYN;
        if opens && hit.control.state() != State::Established {
            // The client's port used again: another stream.
            entry.change_shift(|_| Some(Shift::default()));
        }
        segment::shift_request(frame, packet, entry.shift());
        let event = Event { protocol: parse::TCP, signal: packet.signal, direction: Direction::In };
        // As in the kernel: requests after their step of the state machine, replies before it.
        let state = event.step(hit.control, cx.tcp);
        let text = frame.bytes().get(segment::text(frame, packet)).unwrap_or_default();
        if !is_whole || state != State::Established || text.is_empty() {
            return;
        }
        match last_command(text, packet.key.family()) {
            Some(Command::Passive(passive)) => remember(entry, Some(passive)),
            Some(Command::Active(address, port)) => {
                remember(entry, None);
                self.announce_active(cx, packet.key.family(), hit, (address, port));
            }
            None => {}
        }
    }

    /// False if the frame has no room for what is to be written.
    fn heed_reply<F: Frame>(
        &mut self,
        cx: &Context<'_>,
        frame: &mut F,
        packet: &mut Packet,
        hit: Hit<'_>,
        is_whole: bool,
    ) -> bool {
        let entry = hit.entry;
        // It stays asked: the reply may have to be sent again.
        if is_whole
            && hit.control.state() == State::Established
            && let Some(asked) = asked(hit.control)
            && let text = segment::text(frame, packet)
            && let Some(found) = announced(frame.bytes().get(text.clone()).unwrap_or_default(), asked)
        {
            let (vip, _) = entry.vip();
            self.announce_passive(cx, packet.key.family(), hit, found.port);
            if !found.address.is_empty() {
                let range = text.start + found.address.start..text.start + found.address.end;
                let sequence = segment::sequence(frame, packet);
                let mut buffer = [0; 15];
                let by = written(vip, &mut buffer);
                let longer = i8::try_from(by.len()).unwrap_or(0) - i8::try_from(range.len()).unwrap_or(0);
                // A stream that was shifted by millions of bytes goes on as it is.
                if entry.shift().with_change(sequence, longer).is_some() {
                    if !segment::replace(frame, packet, range, by) {
                        return false;
                    }
                    entry.change_shift(|shift| shift.with_change(sequence, longer));
                }
            }
        }
        segment::shift_reply(frame, packet, entry.shift());
        true
    }
}

impl Context<'_> {
    /// What a helper has to do with a new connection: FTP's control connections in NAT are known by their port.
    #[inline(always)]
    pub(super) fn helper_of(&self, key: &FlowKey, method: ForwardMethod) -> Helper {
        let is_ftp = method == ForwardMethod::Nat
            && key.protocol() == parse::TCP
            && self.snapshot.ftp_ports.contains(key.destination_port());
        if is_ftp { Helper::Ftp } else { Helper::None }
    }
}

/// Whether the packet is going to leave.
fn leads_on(cx: &Context<'_>, packet: &Packet, hit: Hit<'_>) -> bool {
    let (id, generation) = hit.entry.destination_id();
    let destination = cx.snapshot.destinations.get(id);
    let has_way = match hit.direction {
        Direction::In => destination.is_resolved(),
        Direction::Out => reply_hop(cx, packet, hit).is_ok(),
    };
    destination.serves(generation) && has_way && packet.ttl > 1
}

/// Of a fragment the rest of the text is elsewhere.
fn is_fragment(frame: &impl Frame, packet: &Packet) -> bool {
    let described = fragment::describe(frame.bytes(), &mut packet.clone());
    described.is_some_and(|fragment| fragment.more || fragment.offset > 0)
}

fn remember(entry: &Entry, asked: Option<Passive>) {
    let pasv = asked == Some(Passive::Pasv);
    let epsv = asked == Some(Passive::Epsv);
    let _ = entry.swap_control(|control| {
        let changed = control.with_flag(Control::PASV, pasv).with_flag(Control::EPSV, epsv);
        (changed != control && control.is_live()).then_some(changed)
    });
}

fn asked(control: Control) -> Option<Passive> {
    if control.has(Control::PASV) {
        Some(Passive::Pasv)
    } else if control.has(Control::EPSV) {
        Some(Passive::Epsv)
    } else {
        None
    }
}

/// An IPv4 address as FTP writes it: `h1,h2,h3,h4`.
fn written(address: Address, buffer: &mut [u8; 15]) -> &[u8] {
    let mut len = 0;
    let mut put = |byte| {
        buffer[len] = byte;
        len += 1;
    };
    for (at, number) in address.to_v4().to_be_bytes().into_iter().enumerate() {
        if at > 0 {
            put(b',');
        }
        if number >= 100 {
            put(b'0' + number / 100);
        }
        if number >= 10 {
            put(b'0' + number / 10 % 10);
        }
        put(b'0' + number % 10);
    }
    &buffer[..len]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_with_commas() {
        let text = |bytes: [u8; 4]| {
            let mut buffer = [0; 15];
            String::from_utf8(written(Address::v4(u32::from_be_bytes(bytes)), &mut buffer).to_vec()).unwrap()
        };
        assert_eq!(text([10, 0, 1, 100]), "10,0,1,100");
        assert_eq!(text([255, 255, 255, 255]), "255,255,255,255");
        assert_eq!(text([0, 1, 99, 200]), "0,1,99,200");
    }
}
