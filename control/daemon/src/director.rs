//! A director from start to stop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use dpdk::{Eal, Mempool, StartedPort};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use ulvs_config::{Director, Files};
use ulvs_engine::{Capacity, Shared};
use ulvs_kernel::{KernelState, Netlink, Resolver, address};
use ulvs_worker::capture::Captures;
use ulvs_worker::{Tsc, Wall};

use crate::api::Sockets;
use crate::capture::Lens;
use crate::checks::Checks;
use crate::clock::Wallclock;
use crate::configuration::{Configuration, Versions};
use crate::control::{Control, Request};
use crate::devices::{self, DirectorPort};
use crate::events::{Kind, Severity};
use crate::followed::Following;
use crate::proc_net::ProcNet;
use crate::signals::{Signals, Told};
use crate::state::{self, Folder, Journal, Keeper};
use crate::status::Sources;
use crate::threads::Threads;
use crate::vip::Vip;
use crate::words::counted;
use crate::{api, check, drain, ipvs, links, neighbours, network, placement, proc_net, sysctls, systemd, underlay};

/// Runs a director until SIGTERM or SIGINT.
pub(crate) fn run(file: &Path) -> Result<()> {
    let (files, director) = check::read(file).map_err(|report| match report.trim_end() {
        report if report.contains('\n') => anyhow!("the file has errors:\n{report}"),
        sentence => anyhow!("{sentence}"),
    })?;
    tracing::info!("ulvsd {} with {}", env!("CARGO_PKG_VERSION"), file.display());
    placement::check(&director.workers().cores)?;
    placement::keep_off(&director.workers().cores);
    let runtime = runtime()?;
    let (signals, sockets) = {
        let _inside = runtime.enter();
        (Signals::listen()?, api::bind(&director)?)
    };
    let folder = director.state().folder.as_deref().map(Folder::open).transpose()?.map(Arc::new);
    let datapath = Datapath::start(&director)?;
    let result = runtime.block_on(serve((files, &director, folder), &datapath, signals, sockets));
    // With it go the tasks, and whatever of the datapath they hold.
    drop(runtime);
    datapath.stop(result)
}

/// The event loop. Threads that it has for files stay: with one that ends its stack is given back, for which the kernel interrupts
/// the workers.
fn runtime() -> Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().thread_keep_alive(Duration::MAX).thread_name("files");
    builder.build().context("no event loop")
}

/// What outlives the event loop.
pub(crate) struct Datapath {
    pub(crate) eal: Eal,
    pub(crate) pool: Mempool,
    pub(crate) started: Arc<[StartedPort]>,
    pub(crate) ports: Arc<[DirectorPort]>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) captures: Arc<Captures>,
}

impl Datapath {
    fn start(director: &Director) -> Result<Self> {
        let shared = Arc::new(shared(director)?);
        let eal = devices::eal(director)?;
        let pool = devices::pool(&eal, director)?;
        let (started, ports) = devices::start(&eal, &pool, director)?;
        let captures = Arc::new(Captures::new(director.workers().cores.len()));
        Ok(Self { eal, pool, started: started.into(), ports: ports.into(), shared, captures })
    }

    /// Stops the ports and looks whether every packet is back.
    fn stop(self, result: Result<()>) -> Result<()> {
        drop(self.started);
        let (missing, capacity) = (self.pool.in_use(), self.pool.capacity());
        if missing > 0 {
            tracing::error!("stopped; {missing} of {capacity} packet buffers did not come back to the pool");
        } else if result.is_ok() {
            tracing::info!("stopped; all {capacity} packet buffers are back in the pool");
        }
        drop(self.pool);
        drop(self.ports);
        result?;
        if self.eal.cleanup().is_err() {
            tracing::debug!("DPDK is still in use at exit");
        }
        Ok(())
    }
}

fn shared(director: &Director) -> Result<Shared> {
    let capacity = Capacity {
        connections: director.connections().capacity,
        destinations: director.destinations().capacity,
        workers: director.workers().cores.len(),
    };
    let secret = || getrandom::u64().map_err(|error| anyhow!("the system gives no random numbers: {error}"));
    let seed = [secret()?, secret()?, secret()?];
    let shared = Shared::new(capacity, seed).with_context(|| {
        format!("no memory for {} connections: lower `capacity` in [connections]", capacity.connections)
    })?;
    Ok(if director.flows().are_on() { shared.with_beginnings() } else { shared })
}

async fn serve(
    (files, director, folder): (Files, &Director, Option<Arc<Folder>>),
    datapath: &Datapath,
    mut signals: Signals,
    sockets: Sockets,
) -> Result<()> {
    let kernel = follow_kernel(&datapath.ports).await?;
    let parts = (Arc::clone(&datapath.shared), Arc::clone(&datapath.ports));
    let mut control = Control::new(parts.0, parts.1, director.clone(), kernel.clone());
    let (requests, receiver) = mpsc::channel(64);
    let versions = folder.as_ref().map(|folder| Versions::in_folder(folder.path()));
    let (services, keeper) = adopt(director, folder, &mut control, (&requests, kernel.as_ref()))?;
    if let Some((_, resolver)) = &kernel {
        resolver.keep(control.wanted());
    }
    let absent: Vec<_> = control.absent_addresses().iter().map(ToString::to_string).collect();
    let (clock, wanted) = (Tsc::new(&datapath.eal), control.wanted());
    let board = control.board();
    let vip = Arc::new(Vip::new(kernel.clone()));
    vip.prepare(director).await?;
    let threads = Threads::start(datapath, director, (&control, &vip), clock)?;
    control.wakes(threads.workers());
    let parts = (&datapath.shared, &datapath.ports, &datapath.started);
    let beside = (Arc::clone(threads.exception()), Arc::clone(threads.flows()));
    let (checks, steward) = Checks::start(director, Arc::clone(&services), Arc::clone(&vip))?;
    let sysctls = control.sysctls();
    let told = (Arc::clone(&services), checks.board(), sysctls.clone());
    let following = Following::begin(director, &files);
    let page = (Arc::clone(&board), following.told());
    let sources = Arc::new(Sources::new(parts, beside, director, clock, requests.clone(), told, page));
    let rights = ipvs::rights()?;
    let netlink = ipvs::bind(&ipvs::socket(&director.api().socket), Arc::clone(&services), rights)?;
    let configuration = Arc::new(Configuration {
        file: files.sources().first().map(|source| source.path.clone()).unwrap_or_default(),
        started: director.clone(),
        control: requests,
        services: Arc::clone(&services),
        checks,
        vip,
        versions,
        following,
        followed: Mutex::new(director.clone()),
    });
    configuration.begin(files).await;
    let told = (Arc::clone(&sources), Arc::clone(&configuration), Arc::new(lens(datapath)));
    let api = api::serve(sockets.api, rights, told);
    let mut tasks = vec![tokio::spawn(control.run(receiver, move || clock.now())), tokio::spawn(api)];
    tasks.extend([tokio::spawn(netlink.run()), tokio::spawn(steward.run())]);
    tasks.push(tokio::spawn(drain::run(Arc::clone(&services))));
    tasks.push(tokio::spawn(links::watch(Arc::clone(&datapath.ports), Arc::clone(&datapath.started))));
    tasks.push(tokio::spawn(systemd::watch(Arc::clone(&datapath.shared))));
    let followed = kernel.map(|(state, _)| (state, wanted));
    let events = Arc::clone(services.datapath().events());
    tasks.extend(followed.map(|told| tokio::spawn(neighbours::watch(Arc::clone(&datapath.ports), told, events))));
    let (proc_net, readers) = proc_files(director, datapath, (Arc::clone(&services), board, clock));
    tasks.extend(readers);
    let (sysctl_files, keeper_of_files) = sysctls::Files::serve(&director.api().socket, Arc::clone(&services), sysctls);
    tasks.extend(keeper_of_files);
    tasks.extend(keeper.clone().map(|keeper| tokio::spawn(keeper.run(Arc::clone(&services)))));
    tasks.extend(sockets.pages.serve(&sources));
    // the file's, and what was kept of those of ipvsadm, keepalived and the API
    systemd::begun(&datapath.shared).await;
    let count = || services.look(|table| table.services(None).count());
    announce(director, &services, &absent);
    systemd::ready(&forwarding(director, count()));
    while signals.next().await == Told::Reload {
        systemd::reloading();
        tokio::select! {
            () = configuration.reload() => systemd::ready(&forwarding(director, count())),
            // It waits for workers, perhaps for one that hangs.
            () = signals.stop() => break,
        }
    }
    tracing::info!("stopping");
    systemd::stopping();
    // Nobody is answered any more, then nothing is forwarded.
    for task in tasks.into_iter().rev() {
        end(task).await;
    }
    drop(proc_net);
    drop(sysctl_files);
    if let Some(keeper) = keeper {
        keeper.finish(&configuration.services);
    }
    drop(sockets.file);
    drop(threads);
    Ok(())
}

/// The files of `/proc/net`, and the tasks that serve them.
fn proc_files(
    director: &Director,
    datapath: &Datapath,
    (services, board, clock): (Arc<ipvs::Director>, Arc<ipvs::Board>, Tsc),
) -> (ProcNet, Vec<JoinHandle<()>>) {
    let (shared, cores) = (Arc::clone(&datapath.shared), director.workers().cores.clone());
    ProcNet::serve(&director.api().socket, proc_net::Sources { services, board, shared, clock, cores })
}

/// Whose packets may be looked on at.
fn lens(datapath: &Datapath) -> Lens {
    let (captures, ports) = (Arc::clone(&datapath.captures), Arc::clone(&datapath.ports));
    Lens { captures, ports, clock: Wallclock::new(&datapath.eal) }
}

/// Says that everything is under way, and what is not as it looks.
fn announce(director: &Director, services: &ipvs::Director, absent: &[String]) {
    underlay::warn(director);
    if !absent.is_empty() {
        tracing::info!(
            "on no port yet: {}; the kernel answers ARP, ND and ping for a virtual address once it is in `addresses` of a \
             port, or keepalived or `ip addr add` puts it on a TAP",
            shown(absent)
        );
    }
    let sentence = forwarding(director, services.look(|table| table.services(None).count()));
    tracing::info!("{sentence}");
    services.datapath().events().tell(Kind::Director, Severity::Info, format!("ulvsd was started; {sentence}"));
}

/// What is under way, in a sentence.
fn forwarding(director: &Director, services: usize) -> String {
    let cores = &director.workers().cores;
    format!(
        "forwarding: {}, {} on core{} {}",
        counted(services, "service"),
        counted(cores.len(), "worker"),
        if cores.len() == 1 { "" } else { "s" },
        cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )
}

/// The table with the services to begin with, and the workers' part of them in `control`; and who keeps what is set.
fn adopt(
    director: &Director,
    folder: Option<Arc<Folder>>,
    control: &mut Control,
    (requests, kernel): (&mpsc::Sender<Request>, Option<&Kernel>),
) -> Result<(Arc<ipvs::Director>, Option<Keeper>)> {
    let followed = kernel.map(|(state, _)| state.clone());
    let capacity = director.connections().capacity;
    let workers = ipvs::Workers::new(requests.clone(), control.board(), followed, capacity, Arc::default());
    let services = Arc::new(ipvs::Director::new(workers));
    let mut install = |operations: Vec<_>| control.install(&operations).map_err(|error| ipvs::no_room(&error));
    ipvs::adopt(&services, director, &mut install)?;
    let keep = |folder: Arc<Folder>| {
        let last = state::restore(&folder, &services, install)?;
        let journal = Arc::new(Journal::start(&folder, last)?);
        services.datapath().keep_in(Arc::clone(&journal));
        Ok(Keeper::new(folder, journal))
    };
    let keeper = folder.and_then(|folder| match keep(folder) {
        Ok(keeper) => Some(keeper),
        Err::<_, anyhow::Error>(error) => {
            tracing::error!("{error}; until ulvsd is started again, nothing that is set outlives it");
            None
        }
    });
    Ok((services, keeper))
}

async fn end(task: JoinHandle<()>) {
    task.abort();
    let _ = task.await;
}

/// The first of many, so that a line of the log stays one.
fn shown(many: &[String]) -> String {
    const MOST: usize = 20;
    match many.len().saturating_sub(MOST) {
        0 => many.join(", "),
        more => format!("{} and {more} more", many[..MOST].join(", ")),
    }
}

type Kernel = (watch::Receiver<Arc<KernelState>>, Resolver);

/// Gives the TAP twins their addresses and begins to mirror them; `None` without any TAP.
async fn follow_kernel(ports: &[DirectorPort]) -> Result<Option<Kernel>> {
    let taps: Vec<_> = ports.iter().filter_map(|port| Some((port, port.tap.as_ref()?))).collect();
    if taps.is_empty() {
        return Ok(None);
    }
    let netlink = Netlink::open()?;
    for (port, tap) in &taps {
        for &net in &port.settings.addresses {
            address::assign(&netlink, tap.index(), net).await.with_context(|| format!("TAP {}", tap.name()))?;
        }
    }
    // After the addresses: the first snapshot has their routes already.
    let state = network::mirrored(taps.iter().map(|(_, tap)| tap.index()).collect()).await?;
    let resolver = Resolver::new(netlink, state.clone());
    Ok(Some((state, resolver)))
}
