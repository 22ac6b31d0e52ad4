//! A director from start to stop.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use dpdk::{Eal, Mempool, StartedPort};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use ulvs_config::{Director, PollMode as Polling};
use ulvs_engine::{Capacity, Engine, Shared};
use ulvs_kernel::{Mirror, Netlink, Resolver, address};
use ulvs_worker::ports::{DpdkIo, MbufFrame};
use ulvs_worker::{Exception, Patience, PollMode, Tsc, Worker};

use crate::control::{Control, Request};
use crate::devices::{self, DirectorPort};
use crate::status::Sources;
use crate::{api, check, clock, exception, metrics, placement, reload};

/// Runs a director until SIGTERM or SIGINT.
pub(crate) fn run(file: &Path) -> Result<()> {
    let director = check::read(file).map_err(|report| anyhow!("the file has errors:\n{}", report.trim_end()))?;
    tracing::info!("ulvsd {} with {}", env!("CARGO_PKG_VERSION"), file.display());
    placement::keep_off(&director.workers().cores);
    let shared = Arc::new(shared(&director)?);
    let eal = devices::eal(&director)?;
    let pool = devices::pool(&eal, &director)?;
    let (started, ports) = devices::start(&eal, &pool, &director)?;
    let datapath = Datapath { eal, pool, started: started.into(), ports: ports.into(), shared };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no event loop")?;
    let result = runtime.block_on(serve(file, director, &datapath));
    drop(runtime);
    datapath.stop(result)
}

/// What outlives the event loop.
struct Datapath {
    eal: Eal,
    pool: Mempool,
    started: Arc<[StartedPort]>,
    ports: Arc<[DirectorPort]>,
    shared: Arc<Shared>,
}

impl Datapath {
    /// Stops the ports and looks whether every packet is back.
    fn stop(self, result: Result<()>) -> Result<()> {
        drop(self.started);
        let (missing, capacity) = (self.pool.in_use(), self.pool.capacity());
        if missing == 0 {
            tracing::info!("stopped; all {capacity} packet buffers are back in the pool");
        } else {
            tracing::error!("stopped; {missing} of {capacity} packet buffers did not come back to the pool");
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
    Shared::new(capacity, seed).with_context(|| {
        format!("no memory for {} connections: lower `capacity` in [connections]", capacity.connections)
    })
}

async fn serve(file: &Path, mut director: Director, datapath: &Datapath) -> Result<()> {
    let kernel = follow_kernel(&datapath.ports).await?;
    let control = Control::new(Arc::clone(&datapath.shared), Arc::clone(&datapath.ports), director.clone(), kernel.clone())?;
    if let Some((_, resolver)) = &kernel {
        resolver.keep(control.wanted());
    }
    let sockets = api::bind(&director).await?;
    let clock = Tsc::new(&datapath.eal);
    let threads = Threads::start(datapath, &director, &control, clock)?;
    let (requests, receiver) = mpsc::channel(64);
    let parts = (&datapath.shared, &datapath.ports, &datapath.started);
    let sources = Arc::new(Sources::new(parts, &director, clock, requests.clone()));
    let task = tokio::spawn(control.run(receiver));
    let served = tokio::spawn(api::serve(sockets.api, Arc::clone(&sources)));
    let scraped = sockets.metrics.map(|listener| tokio::spawn(metrics::serve(listener, sources)));
    tracing::info!(
        "forwarding: {} services, {} workers on cores {:?}",
        director.services().len(),
        director.workers().cores.len(),
        director.workers().cores
    );
    let result = until_told(file, &mut director, &requests).await;
    served.abort();
    if let Some(scraped) = &scraped {
        scraped.abort();
    }
    let _ = served.await;
    if let Some(scraped) = scraped {
        let _ = scraped.await;
    }
    task.abort();
    let _ = task.await;
    let _ = std::fs::remove_file(&director.api().socket);
    threads.stop();
    result
}

/// Reloads on SIGHUP; returns on SIGTERM and SIGINT.
async fn until_told(file: &Path, director: &mut Director, requests: &mpsc::Sender<Request>) -> Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("signals can't be received")?;
    let mut terminate = signal(SignalKind::terminate()).context("signals can't be received")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals can't be received")?;
    loop {
        tokio::select! {
            _ = hangup.recv() => reload::reload(file, director, requests).await,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    tracing::info!("stopping");
    Ok(())
}

type Kernel = (tokio::sync::watch::Receiver<Arc<ulvs_kernel::KernelState>>, Resolver);

/// Gives the TAP twins their addresses and begins to mirror them; `None` without any TAP.
async fn follow_kernel(ports: &[DirectorPort]) -> Result<Option<Kernel>> {
    let taps: Vec<_> = ports.iter().filter_map(|port| Some((port, port.tap.as_ref()?))).collect();
    if taps.is_empty() {
        return Ok(None);
    }
    let netlink = Netlink::open()?;
    let mirror = Mirror::start(taps.iter().map(|(_, tap)| tap.index()).collect()).await?;
    for (port, tap) in taps {
        for &net in &port.settings.addresses {
            address::assign(&netlink, tap.index(), net).await.with_context(|| format!("TAP {}", tap.name()))?;
        }
    }
    let resolver = Resolver::new(netlink, mirror.state.clone());
    Ok(Some((mirror.state, resolver)))
}

/// The workers and the thread of the exception path.
struct Threads {
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
    exception: JoinHandle<()>,
    queues: Arc<Exception<MbufFrame>>,
}

impl Threads {
    fn start(datapath: &Datapath, director: &Director, control: &Control, clock: Tsc) -> Result<Self> {
        let has_tap: Vec<_> = datapath.ports.iter().map(|port| port.tap.is_some()).collect();
        let queues = Arc::new(Exception::new(&has_tap));
        let stop = Arc::new(AtomicBool::new(false));
        let mode = match director.workers().poll {
            Polling::Busy => PollMode::Busy,
            Polling::Adaptive => PollMode::Adaptive,
        };
        let neighbours = director.neighbours();
        let patience = Patience { packets: neighbours.queue, ticks: clock::ticks_of(neighbours.wait) };
        let cores = &director.workers().cores;
        let mut workers = Vec::new();
        for (number, &core) in cores.iter().enumerate() {
            let io = DpdkIo::new(&datapath.started, u16::try_from(number)?)?;
            let engine = Engine::new(Arc::clone(&datapath.shared), number);
            let place = (number, cores.len());
            let ports = datapath.ports.len();
            let reader = control.publisher().reader();
            let worker = Worker::new(io, engine, reader, place, ports, Arc::clone(&queues), patience);
            let eal = &datapath.eal;
            let handle = ulvs_worker::start(worker, (number, core), eal, clock, mode, Arc::clone(&stop));
            match handle {
                Ok(handle) => workers.push(handle),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    workers.into_iter().for_each(|worker| drop(worker.join()));
                    return Err(error.into());
                }
            }
        }
        let exception = exception::start(
            &datapath.eal,
            datapath.pool.clone(),
            Arc::clone(&datapath.ports),
            Arc::clone(&queues),
            Arc::clone(&stop),
        )?;
        Ok(Self { stop, workers, exception, queues })
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.workers.into_iter().chain([self.exception]) {
            if thread.join().is_err() {
                tracing::error!("a thread had panicked");
            }
        }
        drop(self.queues);
    }
}
