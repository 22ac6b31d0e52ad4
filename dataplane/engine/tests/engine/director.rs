//! A director in a box: two ports, the network the vectors were recorded in, and virtual time.

use std::net::IpAddr;
use std::sync::Arc;

use ulvs_engine::conn::Connection;
use ulvs_engine::flows::{self, FlowReceiver};
use ulvs_engine::snapshot::{Compiler, MarkRule, Neighbour, Network, Port, PortId, Route, ServiceStatus, Snapshot};
use ulvs_engine::{
    Arrival, BURST, Capacity, DropReason, Engine, Frame, MemoryFrame, Rehearsal, Shared, TICKS_PER_SECOND, Ticks,
    Verdict,
};
use ulvs_wire::fragment::Cut;

use crate::ipvsadm::{self, Unsupported};

/// One of the director's two ports.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) const fn port(self) -> PortId {
        PortId(self as u16)
    }

    /// The director's hardware address there.
    pub(crate) const fn mac(self) -> [u8; 6] {
        [0x52, 0x54, 0, 0, 1 + self as u8, 1]
    }

    fn of(port: PortId) -> Self {
        if port == Self::Client.port() { Self::Client } else { Self::Server }
    }
}

/// A packet that left the director.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Sent {
    pub(crate) side: Side,
    /// The hardware address it was sent to.
    pub(crate) to: [u8; 6],
    /// The IP packet.
    pub(crate) l3: Vec<u8>,
}

pub(crate) struct Director {
    pub(crate) shared: Arc<Shared>,
    pub(crate) compiler: Compiler,
    pub(crate) now: Ticks,
    /// `None` after a change, until the next packet.
    snapshot: Option<Snapshot>,
    engines: Vec<Engine>,
    /// Fragments that came before the first of their packets, with the worker and side they came to.
    held: Vec<(usize, Side, MemoryFrame)>,
}

impl Director {
    /// No services, one worker.
    pub(crate) fn new() -> Self {
        Self::with(Capacity { connections: 4096, destinations: 64, workers: 1 })
    }

    pub(crate) fn with(capacity: Capacity) -> Self {
        Self::of(Shared::new(capacity, [11, 22, 33]).unwrap(), |engine| engine)
    }

    /// One worker, whose ended connections are recorded while the queue has room for them.
    pub(crate) fn recording(room: usize) -> (Self, FlowReceiver) {
        let capacity = Capacity { connections: 4096, destinations: 64, workers: 1 };
        let (sender, receiver) = flows::queue(room);
        let mut sender = Some(sender);
        let shared = Shared::new(capacity, [11, 22, 33]).unwrap().with_beginnings();
        (Self::of(shared, |engine| engine.with_flows(sender.take().unwrap())), receiver)
    }

    fn of(shared: Shared, mut made: impl FnMut(Engine) -> Engine) -> Self {
        let (capacity, shared) = (shared.capacity(), Arc::new(shared));
        let mut compiler = Compiler::new(Arc::clone(&shared));
        compiler.set_network(&network(1500));
        let destination = Some("10.0.3.0/24".parse().unwrap());
        compiler.set_marks(&[MarkRule { mark: 7, destination, ..MarkRule::default() }]);
        let engines = (0..capacity.workers).map(|worker| made(Engine::new(Arc::clone(&shared), worker))).collect();
        Self { snapshot: None, shared, compiler, now: Ticks::from_seconds(1000), engines, held: Vec::new() }
    }

    /// A director after these commands, and those of them that ask for what the engine does not have.
    pub(crate) fn set_up<S: AsRef<str>>(commands: &[S]) -> (Self, Vec<Unsupported>) {
        let mut director = Self::new();
        let refused = commands.iter().filter_map(|line| director.try_ipvsadm(line.as_ref()).err()).collect();
        (director, refused)
    }

    /// Runs a command that must be one the engine knows.
    pub(crate) fn ipvsadm(&mut self, command: &str) {
        self.try_ipvsadm(command).unwrap_or_else(|refused| panic!("{command}: {refused:?}"));
    }

    pub(crate) fn try_ipvsadm(&mut self, command: &str) -> Result<(), Unsupported> {
        self.snapshot = None;
        ipvsadm::run(&mut self.compiler, command)
    }

    /// Sets the MTU of the server side.
    pub(crate) fn set_server_mtu(&mut self, mtu: u16) {
        self.set_network(&network(mtu));
    }

    pub(crate) fn set_network(&mut self, network: &Network) {
        self.compiler.set_network(network);
        self.snapshot = None;
    }

    /// Lets the workers see what was changed at the compiler.
    pub(crate) fn renew(&mut self) {
        self.snapshot = None;
    }

    /// A frame with this IP packet, as it comes in on `side`.
    pub(crate) fn frame(side: Side, l3: &[u8]) -> MemoryFrame {
        let ether_type: [u8; 2] = if l3.first().is_some_and(|b| b >> 4 == 6) { [0x86, 0xdd] } else { [8, 0] };
        let mut bytes = [&side.mac()[..], &[2, 0, 0, 0, 9, 9], &ether_type].concat();
        bytes.extend_from_slice(l3);
        MemoryFrame::new(&bytes)
    }

    /// Plays one IP packet through the first worker.
    pub(crate) fn play(&mut self, side: Side, l3: &[u8]) -> (Verdict, Option<Sent>) {
        self.play_on(0, side, l3)
    }

    /// Plays one IP packet through this worker.
    pub(crate) fn play_on(&mut self, worker: usize, side: Side, l3: &[u8]) -> (Verdict, Option<Sent>) {
        let mut frames = [Self::frame(side, l3)];
        let rehearsed = self.rehearse(worker, side, frames[0].bytes());
        let [verdict] = self.burst(worker, side, &mut frames)[..] else { panic!("one frame, one verdict") };
        agrees(&rehearsed, verdict, &frames[0]);
        (verdict, sent(verdict, &frames[0]))
    }

    /// What would happen to a frame.
    pub(crate) fn rehearse(&self, worker: usize, side: Side, frame: &[u8]) -> Rehearsal {
        let arrival = Arrival { worker, ingress: side.port(), now: self.now };
        Rehearsal::of(&self.compiler, arrival, frame).unwrap()
    }

    /// Plays one IP packet through this worker as a poll loop would: what is to be cut is cut, and fragments that came
    /// before their first are played again when it has come. The packet's verdict, and all that left.
    pub(crate) fn play_whole(&mut self, worker: usize, side: Side, l3: &[u8]) -> (Verdict, Vec<Sent>) {
        let begun = self.shared.datagrams.begun();
        let frame = Self::frame(side, l3);
        let (verdict, mut sent) = self.play_frame(worker, side, frame);
        if self.shared.datagrams.begun() != begun {
            for (worker, side, frame) in std::mem::take(&mut self.held) {
                sent.extend(self.play_frame(worker, side, frame).1);
            }
        }
        (verdict, sent)
    }

    fn play_frame(&mut self, worker: usize, side: Side, frame: MemoryFrame) -> (Verdict, Vec<Sent>) {
        let mut frames = [frame.clone()];
        let [verdict] = self.burst(worker, side, &mut frames)[..] else { panic!("one frame, one verdict") };
        let sent = match verdict {
            Verdict::Fragment(port) => {
                let [pieces] = self.engines[worker].cuts() else { panic!("one frame, one cut") };
                let bytes = frames[0].bytes();
                let cut = Cut::of(bytes, pieces.mtu, pieces.id).unwrap();
                let piece = |number| {
                    let mut piece = cut.parts(bytes, number).concat();
                    cut.finish(number, &mut piece);
                    sent(Verdict::Forward(port), &MemoryFrame::new(&piece)).unwrap()
                };
                (0..cut.count()).map(piece).collect()
            }
            Verdict::Hold => {
                self.held.push((worker, side, frame));
                Vec::new()
            }
            _ => sent(verdict, &frames[0]).into_iter().collect(),
        };
        (verdict, sent)
    }

    /// A frame with this IP packet as the kernel sends it, to a router with this hardware address, and what leaves.
    pub(crate) fn send_by_kernel(&mut self, side: Side, l3: &[u8]) -> Vec<u8> {
        let mut bytes = Self::frame(side, l3).bytes().to_vec();
        bytes[..6].copy_from_slice(&ROUTER);
        bytes[6..12].copy_from_slice(&side.mac());
        let addresses = bytes[..12].to_vec();
        let mut frame = MemoryFrame::new(&bytes);
        let snapshot = self.snapshot.get_or_insert_with(|| self.compiler.snapshot());
        self.engines[0].translate_reply(snapshot, self.now, side.port(), &mut frame);
        assert_eq!(frame.bytes()[..12], addresses, "the kernel has routed it");
        frame.bytes()[14..].to_vec()
    }

    /// What the kernel gets of an IP packet.
    pub(crate) fn punted(&mut self, side: Side, l3: &[u8]) -> (Verdict, Vec<u8>) {
        let mut frames = [Self::frame(side, l3)];
        let before = frames[0].bytes()[..14].to_vec();
        let [verdict] = self.burst(0, side, &mut frames)[..] else { panic!("one frame, one verdict") };
        assert_eq!(frames[0].bytes()[..14], before, "it is not routed");
        (verdict, frames[0].bytes()[14..].to_vec())
    }

    /// Lets one tick pass.
    pub(crate) fn tick(&mut self) {
        self.now = Ticks(self.now.0.wrapping_add(1));
    }

    /// Plays a burst.
    pub(crate) fn burst(&mut self, worker: usize, side: Side, frames: &mut [MemoryFrame]) -> Vec<Verdict> {
        assert!(frames.len() <= BURST);
        let mut verdicts = vec![Verdict::Drop(DropReason::NoTap); frames.len()];
        let engine = &mut self.engines[worker];
        let snapshot = self.snapshot.get_or_insert_with(|| self.compiler.snapshot());
        engine.housekeeping(snapshot, self.now);
        engine.process(snapshot, self.now, side.port(), frames, &mut verdicts);
        while let Some(learned) = self.shared.next_learned() {
            self.compiler.learn_mtu(learned, (self.now.0 / TICKS_PER_SECOND).into());
            self.snapshot = None;
        }
        verdicts
    }

    /// Lets time pass, with the workers idle.
    pub(crate) fn wait(&mut self, seconds: u32) {
        const STEP: u32 = 8;
        for _ in 0..seconds * TICKS_PER_SECOND / STEP {
            self.now = Ticks(self.now.0.wrapping_add(STEP));
            let snapshot = self.snapshot.get_or_insert_with(|| self.compiler.snapshot());
            for engine in &mut self.engines {
                engine.housekeeping(snapshot, self.now);
            }
        }
    }

    /// All connections.
    pub(crate) fn connections(&self) -> Vec<Connection> {
        let (mut all, mut from) = (Vec::new(), Some(0));
        while let Some(id) = from {
            from = self.shared.table.list(id, 1000, self.now, &mut |connection| all.push(connection));
        }
        all
    }

    /// The connections of this client port, as IPVS lists them: state, seconds left rounded down within the next second,
    /// destination.
    pub(crate) fn listed(&self, client_port: u16) -> Vec<(&'static str, u32, IpAddr, u16)> {
        let connections = self.connections().into_iter().filter(|c| c.key.source_port() == client_port);
        connections
            .map(|c| (c.state_name(), (c.expires_in - 1) / TICKS_PER_SECOND, c.destination, c.destination_port))
            .collect()
    }

    /// The service `protocol address`.
    pub(crate) fn service(&self, name: &str) -> ServiceStatus {
        let services = self.compiler.services();
        services.into_iter().find(|s| s.key.to_string() == name).unwrap_or_else(|| panic!("no service {name}"))
    }
}

/// What happened to a packet is what was foretold. Errors may be limited, and one of so many packets dropped on purpose: for both a
/// worker counts what came before, which no rehearsal knows. A fragment may be of a packet that came before.
fn agrees(rehearsed: &Rehearsal, verdict: Verdict, frame: &MemoryFrame) {
    let is_rejected = |verdict| matches!(verdict, Verdict::Reject(..));
    if is_rejected(rehearsed.verdict) != is_rejected(verdict)
        || verdict == Verdict::Drop(DropReason::DropPacket)
        || rehearsed.verdict == Verdict::Hold
    {
        return;
    }
    assert_eq!(rehearsed.verdict, verdict, "{rehearsed:?}");
    assert_eq!(without_id(rehearsed.frame.bytes()), without_id(frame.bytes()));
}

/// An IPv4 header's identification is a worker's own, and its checksum with it.
fn without_id(frame: &[u8]) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    if bytes[12..14] == [8, 0] && bytes.len() >= 34 {
        bytes[18..20].fill(0);
        bytes[24..26].fill(0);
    }
    bytes
}

/// What became of a frame, if it left.
pub(crate) fn sent(verdict: Verdict, frame: &MemoryFrame) -> Option<Sent> {
    let (Verdict::Forward(port) | Verdict::Reject(port, _)) = verdict else {
        return None;
    };
    let (header, l3) = frame.bytes().split_at(14);
    let side = Side::of(port);
    assert_eq!(header[6..12], side.mac(), "frames come from the port's own address");
    assert_eq!(header[12..14], if l3[0] >> 4 == 6 { [0x86, 0xdd] } else { [8, 0] });
    Some(Sent { side, to: header[..6].try_into().unwrap(), l3: l3.to_vec() })
}

/// The network the vectors were recorded in.
pub(crate) fn network(server_mtu: u16) -> Network {
    let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
    let route = |prefix: &str, side: Side, via: Option<&str>| Route {
        prefix: prefix.parse().unwrap(),
        port: Some(side.port()),
        via: via.map(ip),
        source: None,
        mtu: None,
    };
    let neighbour = |side: Side, address: &str, mac| Neighbour { port: side.port(), address: ip(address), mac };
    let mut neighbours =
        vec![neighbour(Side::Client, "10.0.1.254", ROUTER), neighbour(Side::Client, "2001:db8:1::fe", ROUTER)];
    for n in 11..=21u8 {
        neighbours.push(neighbour(Side::Server, &format!("10.0.2.{n}"), [2, 0, 0, 0, 2, n]));
        neighbours.push(neighbour(Side::Server, &format!("2001:db8:2::{n}"), [2, 0, 0, 0, 2, n]));
    }
    let own = |side: Side, net: &str| (side.port(), net.parse().unwrap());
    Network {
        ports: vec![Port { mac: Side::Client.mac(), mtu: 1500 }, Port { mac: Side::Server.mac(), mtu: server_mtu }],
        routes: vec![
            route("10.0.1.0/24", Side::Client, None),
            route("10.0.2.0/24", Side::Server, None),
            route("0.0.0.0/0", Side::Client, Some("10.0.1.254")),
            route("2001:db8:1::/64", Side::Client, None),
            route("2001:db8:2::/64", Side::Server, None),
            route("::/0", Side::Client, Some("2001:db8:1::fe")),
        ],
        neighbours,
        addresses: vec![
            own(Side::Client, "10.0.1.1/24"),
            own(Side::Client, "10.0.1.100/32"),
            own(Side::Server, "10.0.2.1/24"),
            own(Side::Client, "2001:db8:1::1/64"),
            own(Side::Client, "2001:db8:1::100/128"),
            own(Side::Server, "2001:db8:2::1/64"),
        ],
    }
}

/// The router towards the clients.
pub(crate) const ROUTER: [u8; 6] = [2, 0, 0, 0, 1, 0xfe];
