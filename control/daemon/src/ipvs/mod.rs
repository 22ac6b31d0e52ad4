//! IPVS's own control protocol: `ipvsadm` and keepalived see this director as they see a kernel's IPVS.

mod board;
mod file;
mod operation;
mod told;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, anyhow};
use tokio::sync::{mpsc, oneshot, watch};
use ulvs_engine::counters::Totals;
use ulvs_engine::snapshot::CompileError;
use ulvs_ipvs::codec::Info;
use ulvs_ipvs::server::{Limits, Rights, Server};
use ulvs_ipvs::table::{Change, DestinationId, Owner, ServiceId, Table};
use ulvs_ipvs::{Counters, Datapath, DestinationCounters, Errno, Host, Kept, Refusal, Stats};
use ulvs_kernel::KernelState;

use crate::control::Request;
use crate::events::{self, Events};
use crate::state::Journal;
use crate::words::counted;

pub(crate) use board::{Board, PERIOD};
pub(crate) use file::{adopt, entries, follow, preview};
pub(crate) use operation::Operation;

/// The table of services and who may change it.
pub(crate) type Director = ulvs_ipvs::Director<Workers>;

/// Members of this group may change services, beside root.
pub(crate) const GROUP: &str = "ulvs";

/// The workers, as the table of services sees them.
pub(crate) struct Workers {
    control: mpsc::Sender<Request>,
    board: Arc<Board>,
    kernel: Option<watch::Receiver<Arc<KernelState>>>,
    connections: u32,
    events: Arc<Events>,
    /// Where changes outlive ulvsd, if they do.
    journal: OnceLock<Arc<Journal>>,
}

impl Workers {
    pub(crate) const fn new(
        control: mpsc::Sender<Request>,
        board: Arc<Board>,
        kernel: Option<watch::Receiver<Arc<KernelState>>>,
        connections: u32,
        events: Arc<Events>,
    ) -> Self {
        Self { control, board, kernel, connections, events, journal: OnceLock::new() }
    }

    /// Has changes from now on written into a journal before they are answered.
    pub(crate) fn keep_in(&self, journal: Arc<Journal>) {
        // There is one folder, which has one.
        let _ = self.journal.set(journal);
    }

    /// What all workers have counted up to now, real servers that are gone included.
    pub(crate) fn totals(&self) -> Totals {
        self.board.all_totals()
    }

    /// The last changes of state.
    pub(crate) const fn events(&self) -> &Arc<Events> {
        &self.events
    }

    fn has_address(&self, is_it: impl Fn(ipnet::IpNet) -> bool) -> bool {
        self.kernel.as_ref().is_some_and(|state| state.borrow().addresses.iter().any(|&(_, net)| is_it(net)))
    }
}

/// Where the protocol is served: beside the API.
pub(crate) fn socket(api: &Path) -> PathBuf {
    api.with_file_name("ipvs.sock")
}

/// Who may change services.
pub(crate) fn rights() -> Result<Rights> {
    Rights::of_group(GROUP).with_context(|| format!("the group {GROUP} can't be looked up"))
}

/// Begins to listen.
pub(crate) fn bind(socket: &Path, director: Arc<Director>, rights: Rights) -> Result<Server<Workers>> {
    let shown = socket.display();
    Server::bind(socket, director, rights, Limits::default()).map_err(|error| {
        anyhow!("ipvsadm and keepalived can't be served on {shown} ({error}): choose another `socket` in [api]")
    })
}

impl Counters for Workers {
    fn service(&self, id: &ServiceId) -> Stats {
        ulvs_ipvs::forward::key(id).map_or_else(|_| Stats::default(), |key| self.board.service(key))
    }

    fn destination(&self, service: &ServiceId, id: &DestinationId) -> DestinationCounters {
        let key = ulvs_ipvs::forward::key(service);
        key.map_or_else(|_| DestinationCounters::default(), |key| self.board.destination(key, id.0))
    }
}

impl Host for Workers {
    fn is_subnet_broadcast(&self, address: Ipv4Addr) -> bool {
        self.has_address(
            |net| matches!(net, ipnet::IpNet::V4(net) if net.prefix_len() < 31 && net.broadcast() == address),
        )
    }

    fn is_local(&self, address: Ipv6Addr) -> bool {
        self.has_address(|net| net.addr() == IpAddr::V6(address))
    }

    fn interface_mtu(&self, name: &str) -> Option<u32> {
        // The name is a client's: it must not lead elsewhere.
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return None;
        }
        fs::read_to_string(Path::new("/sys/class/net").join(name).join("mtu")).ok()?.trim().parse().ok()
    }
}

impl Datapath for Workers {
    type Prepared = Vec<Operation>;

    fn info(&self) -> Info {
        Info::new(self.connections)
    }

    fn prepare(&self, table: &Table, changes: &[Change]) -> Result<Vec<Operation>, Refusal> {
        operation::prepare(table, changes)
    }

    async fn install(&self, operations: Vec<Operation>) -> Result<(), Refusal> {
        if operations.is_empty() {
            return Ok(());
        }
        let stopping = || Refusal::because(Errno::Io, "ulvsd is stopping, so nothing was changed");
        let (reply, answer) = oneshot::channel();
        self.control.send(Request::Change(operations, reply)).await.map_err(|_| stopping())?;
        let done = answer.await.map_err(|_| stopping())?;
        done.map_err(|error| no_room(&error))
    }

    fn changed(&self, table: &Table, changes: &[Change], by: Owner) {
        let first = &changes[..changes.len().min(events::LINES)];
        let lines: Vec<_> = first.iter().filter_map(|change| told::log(table, change, by)).collect();
        let more = changes.len() - first.len();
        if more > 0 {
            tracing::info!(by = by.name(), changes = more, "and {} more at the same time", counted(more, "change"));
        }
        let all = lines.len() + more;
        self.events.changed(lines, all);
    }

    fn keep(&self, table: &Table, changes: &[Change], number: u64, by: Owner) -> Option<Kept> {
        self.journal.get()?.keep(table, changes, number, by)
    }
}

/// The compiler's refusal for a client.
pub(crate) fn no_room(error: &CompileError) -> Refusal {
    Refusal::because(Errno::NoMemory, error.to_string())
}
