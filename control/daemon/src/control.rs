//! The one task that changes what workers forward with: it owns the compiler and the publisher.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::thread::Thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use ulvs_config::{Director, PollMode};
use ulvs_engine::proto::Timeouts;
use ulvs_engine::publish::Publisher;
use ulvs_engine::snapshot::{CompileError, Compiler, PortId, ServiceStatus, Snapshot};
use ulvs_engine::{Rehearsal, Shared, Ticks, Unresolved};
use ulvs_kernel::{KernelState, Resolver, resolve::Wanted};
use ulvs_model::Sysctls;

use crate::devices::DirectorPort;
use crate::explain::{Question, Rehearsed};
use crate::ipvs::{Board, Operation};
use crate::network::Feed;
use crate::sysctls::Shown;
use crate::{adoption, ipvs, network};

/// How often requests of the workers are looked for.
const TICK: Duration = Duration::from_millis(5);
/// The same where workers sleep when they are idle: processor time is worth more there.
const TICK_ADAPTIVE: Duration = Duration::from_millis(10);
/// The same neighbour is not asked for more often than this.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// Neighbours remembered as asked for; a flood of addresses can't make it grow.
const ASKED: usize = 4096;
/// Neighbours asked for in one tick.
const ASKED_AT_ONCE: usize = 64;
/// Path MTUs taken in in one tick.
const LEARNED_AT_ONCE: usize = 16;
/// How often removed real servers and schedulers' addresses are looked through.
const TRASH: Duration = Duration::from_secs(60);

/// How often defences look whether room is scarce, as IPVS's do.
const DEFENCE: Duration = Duration::from_secs(1);

/// What can be asked of the control task.
#[derive(Debug)]
pub(crate) enum Request {
    /// All services with their counters.
    Services(oneshot::Sender<Vec<ServiceStatus>>),
    /// What would happen to a packet.
    Explain(Box<Question>, oneshot::Sender<Result<Box<Rehearsed>, String>>),
    /// The port that packets from an address come in by.
    PortTowards(IpAddr, oneshot::Sender<Option<PortId>>),
    /// Make changes, all or none; answered when all workers forward with them.
    Change(Vec<Operation>, oneshot::Sender<Result<(), CompileError>>),
    /// Follow the file's routes and neighbours; answered when all workers forward with them.
    Reload(Box<Director>, oneshot::Sender<()>),
}

/// The control side of the datapath.
pub(crate) struct Control {
    shared: Arc<Shared>,
    compiler: Compiler,
    publisher: Publisher<Snapshot>,
    ports: Arc<[DirectorPort]>,
    director: Director,
    board: Arc<Board>,
    network: Feed,
    kernel: Option<watch::Receiver<Arc<KernelState>>>,
    resolver: Option<Resolver>,
    wanted: watch::Sender<Wanted>,
    asked: HashMap<Unresolved, Instant>,
    /// The kernel's news wait until then: with many real servers they take time, and requests must not starve.
    network_quiet_until: Instant,
    started: Instant,
    /// IPVS's switches as they show themselves.
    sysctls: watch::Sender<Sysctls>,
    /// The workers' threads, which may sleep.
    workers: Vec<Thread>,
}

impl Control {
    /// Compiles the first snapshot, without services.
    pub(crate) fn new(
        shared: Arc<Shared>,
        ports: Arc<[DirectorPort]>,
        director: Director,
        kernel: Option<(watch::Receiver<Arc<KernelState>>, Resolver)>,
    ) -> Self {
        let mut compiler = Compiler::new(Arc::clone(&shared));
        compiler.set_timeouts(timeouts(&director));
        let (kernel, resolver) = kernel.unzip();
        let mut control = Self {
            publisher: Publisher::new(compiler.snapshot()),
            board: Arc::new(Board::new(Arc::clone(&shared))),
            wanted: watch::Sender::new(Wanted::default()),
            network: Feed::new(Arc::clone(&ports)),
            asked: HashMap::new(),
            network_quiet_until: Instant::now(),
            started: Instant::now(),
            sysctls: watch::Sender::new(compiler.shown_sysctls()),
            workers: Vec::new(),
            shared,
            compiler,
            ports,
            director,
            kernel,
            resolver,
        };
        control.compiler.set_marks(&network::marks(&control.ports, &control.director));
        control.compiler.set_ftp_ports(network::ftp_ports(&control.director));
        control.compiler.set_source_limits(network::source_limits(&control.director));
        control.refresh_network();
        control.tell_wanted();
        control
    }

    /// The threads to wake when there is something new for them.
    pub(crate) fn wakes(&mut self, workers: Vec<Thread>) {
        self.workers = workers;
    }

    /// The publisher, for workers to read from.
    pub(crate) const fn publisher(&self) -> &Publisher<Snapshot> {
        &self.publisher
    }

    /// The numbers that `ipvsadm` shows.
    pub(crate) fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// IPVS's switches as they show themselves, as they change.
    pub(crate) fn sysctls(&self) -> Shown {
        self.sysctls.subscribe()
    }

    /// What the kernel should keep resolved, as it changes.
    pub(crate) fn wanted(&self) -> watch::Receiver<Wanted> {
        self.wanted.subscribe()
    }

    /// Virtual addresses of the file that no port has.
    pub(crate) fn absent_addresses(&self) -> BTreeSet<IpAddr> {
        let present: HashSet<_> = self.network.addresses().collect();
        self.director
            .services()
            .iter()
            .filter_map(|service| service.key().vip())
            .filter(|vip| !present.contains(vip))
            .collect()
    }

    /// Serves requests and follows the kernel until nobody can ask any more. `now` tells the workers' time.
    pub(crate) async fn run(mut self, mut requests: mpsc::Receiver<Request>, now: impl Fn() -> Ticks) {
        let mut tick = tokio::time::interval(match self.director.workers().poll {
            PollMode::Busy => TICK,
            PollMode::Adaptive => TICK_ADAPTIVE,
        });
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut trash = tokio::time::interval(TRASH);
        let mut estimate = tokio::time::interval_at(tokio::time::Instant::now() + ipvs::PERIOD, ipvs::PERIOD);
        estimate.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut defence = tokio::time::interval(DEFENCE);
        defence.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.answer(request),
                    None => return,
                },
                () = changed(&mut self.kernel), if self.network_quiet_until <= Instant::now() => self.refresh_network(),
                _ = tick.tick() => {
                    self.publisher.reclaim();
                    self.follow_routes();
                    self.tell_wanted();
                    self.ask_for_neighbours().await;
                    self.learn_mtus();
                }
                _ = estimate.tick() => self.tick_board(),
                _ = defence.tick() => self.defend(),
                _ = trash.tick() => {
                    self.compiler.empty_trash(self.started.elapsed().as_secs());
                    self.compiler.forget_addresses(now());
                    if self.compiler.forget_mtus(self.started.elapsed().as_secs()) {
                        self.publish();
                    }
                }
            }
        }
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Services(reply) => drop(reply.send(self.compiler.services())),
            Request::Explain(question, reply) => drop(reply.send(self.rehearse(&question))),
            Request::PortTowards(address, reply) => drop(reply.send(self.compiler.port_towards(address))),
            Request::Reload(director, reply) => {
                self.reload(*director);
                self.answer_when_adopted((), reply);
            }
            Request::Change(operations, reply) => {
                let changed = self.install(&operations);
                self.answer_when_adopted(changed, reply);
            }
        }
    }

    fn rehearse(&self, question: &Question) -> Result<Box<Rehearsed>, String> {
        let rehearsal = Rehearsal::of(&self.compiler, question.arrival, &question.frame);
        let rehearsal = rehearsal.map_err(|error| format!("there is no memory to try the packet in: {error}"))?;
        let settings = rehearsal.service.and_then(|key| Some(self.compiler.service(key)?.settings));
        Ok(Box::new(Rehearsed { rehearsal, settings }))
    }

    /// In a task of its own: a worker that hangs holds up the change, and nothing else.
    fn answer_when_adopted<T: Send + 'static>(&self, answer: T, reply: oneshot::Sender<T>) {
        let (shared, cores) = (Arc::clone(&self.shared), self.director.workers().cores.clone());
        let generation = self.publisher.generation();
        tokio::spawn(async move {
            adoption::adopted(shared, cores, generation).await;
            // Who asked may be gone.
            let _ = reply.send(answer);
        });
    }

    /// Makes changes, all or none; workers forward with them from their next burst on.
    pub(crate) fn install(&mut self, operations: &[Operation]) -> Result<(), CompileError> {
        Operation::apply_all(operations, &mut self.compiler)?;
        self.show_sysctls();
        let mut shown = HashSet::new();
        for operation in operations {
            if operation.service().is_none_or(|key| operation.is_zero() || shown.insert(key)) {
                self.show(operation);
            }
        }
        self.publish();
        Ok(())
    }

    fn tick_board(&self) {
        let estimates = self.compiler.sysctls().run_estimation != 0;
        self.board.tick(&self.compiler.services(), self.compiler.destinations_used(), estimates);
    }

    /// Lets defences act while room in the connection table is scarce, and no longer.
    fn defend(&mut self) {
        if self.compiler.look_at_room() {
            self.publish();
        }
        self.show_sysctls();
    }

    fn show_sysctls(&self) {
        let shown = self.compiler.shown_sysctls();
        self.sysctls.send_if_modified(|now| std::mem::replace(now, shown) != shown);
    }

    /// Lets listings follow a change at once.
    fn show(&self, operation: &Operation) {
        match (operation, operation.service()) {
            (Operation::Zero(None), _) => {
                self.board.zero_all();
                self.compiler.services().iter().for_each(|status| self.board.zero(status));
            }
            (Operation::Zero(Some(key)), _) => {
                if let Some(status) = self.compiler.service(*key) {
                    self.board.zero(&status);
                }
            }
            (_, Some(key)) => self.board.update(key, self.compiler.service(key).as_ref()),
            (_, None) => {}
        }
    }

    fn reload(&mut self, director: Director) {
        let is_read_so = self.director.mark_rules() == director.mark_rules()
            && self.director.ftp() == director.ftp()
            && self.director.source_limits() == director.source_limits();
        self.director = director;
        let is_new = self.follow_network();
        if !is_new && is_read_so {
            return;
        }
        self.compiler.set_marks(&network::marks(&self.ports, &self.director));
        self.compiler.set_ftp_ports(network::ftp_ports(&self.director));
        self.compiler.set_source_limits(network::source_limits(&self.director));
        self.publish();
    }

    /// Has the compiler follow the file and the kernel; whether anything is new. Mostly that is a neighbour.
    fn follow_network(&mut self) -> bool {
        let kernel = self.kernel.as_ref().map_or_else(Arc::default, |state| Arc::clone(&state.borrow()));
        self.network.follow(&self.director, kernel, &mut self.compiler)
    }

    /// Follows the kernel. Most of what it tells (timers, states) changes nothing for workers.
    fn refresh_network(&mut self) {
        self.at_most_a_fifth(Self::follow_network);
    }

    /// Goes on with what is left of many routes.
    fn follow_routes(&mut self) {
        if self.network.is_behind() && self.network_quiet_until <= Instant::now() {
            self.at_most_a_fifth(|control| control.network.go_on(&mut control.compiler));
        }
    }

    /// Publishes what is done here, if that is anything, and leaves the network alone for a time: it may take a fifth of a core.
    fn at_most_a_fifth(&mut self, follow: impl FnOnce(&mut Self) -> bool) {
        let began = Instant::now();
        if follow(self) {
            self.publish();
        }
        let now = Instant::now();
        self.network_quiet_until = now + (now - began) * 4;
    }

    fn publish(&mut self) {
        let generation = self.publisher.publish(self.compiler.snapshot());
        tracing::debug!("snapshot {generation} published");
        self.workers.iter().for_each(Thread::unpark);
    }

    /// Tells what the kernel should keep resolved. Apart from publishing, because a change must not wait for it.
    fn tell_wanted(&mut self) {
        let is_stale = self.compiler.next_hops_changed();
        if self.kernel.is_some() && is_stale {
            let wanted = self.network.wanted(self.compiler.next_hops());
            self.wanted.send_if_modified(|now| {
                let changed = *now != wanted;
                *now = wanted;
                changed
            });
        }
    }

    /// Takes in what routers said of the ways to real servers.
    fn learn_mtus(&mut self) {
        let mut changed = false;
        for _ in 0..LEARNED_AT_ONCE {
            let Some(learned) = self.shared.next_learned() else { break };
            changed |= self.compiler.learn_mtu(learned, self.started.elapsed().as_secs());
        }
        if changed {
            self.publish();
        }
    }

    /// Asks the kernel for neighbours that packets wait for.
    async fn ask_for_neighbours(&mut self) {
        for _ in 0..ASKED_AT_ONCE {
            let Some(unresolved) = self.shared.next_unresolved() else { break };
            let now = Instant::now();
            if self.asked.len() >= ASKED {
                self.asked.retain(|_, at| now.duration_since(*at) < ASK_AGAIN);
            }
            let lately = self.asked.get(&unresolved).is_some_and(|at| now.duration_since(*at) < ASK_AGAIN);
            if lately || self.asked.len() >= ASKED {
                continue;
            }
            self.asked.insert(unresolved, now);
            let index = network::index_of(&self.ports, unresolved.port);
            if let (Some(index), Some(resolver)) = (index, &self.resolver)
                && let Err(error) = resolver.resolve(index, unresolved.address).await
            {
                tracing::debug!("{}: {error}", unresolved.address);
            }
        }
    }
}

/// Waits for the kernel to tell something new; for ever if nothing is learned from it.
async fn changed(kernel: &mut Option<watch::Receiver<Arc<KernelState>>>) {
    match kernel {
        Some(state) => {
            if state.changed().await.is_err() {
                tracing::error!("the kernel's routes and neighbours can't be followed any more: restart ulvsd");
                *kernel = None;
            }
        }
        None => std::future::pending().await,
    }
}

fn timeouts(director: &Director) -> Timeouts {
    let seconds = |duration: Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    let connections = director.connections();
    Timeouts::with(
        seconds(connections.timeout_tcp),
        seconds(connections.timeout_tcp_fin),
        seconds(connections.timeout_udp),
    )
}
