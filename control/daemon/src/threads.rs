//! The workers and the thread of the exception path.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use anyhow::{Context, Result};
use ulvs_config::{Director, PollMode as Polling};
use ulvs_engine::conn::Ahead;
use ulvs_engine::{Engine, Shared};
use ulvs_worker::ports::{DpdkIo, MbufFrame};
use ulvs_worker::{Exception, Patience, PollMode, Tsc, Worker};

use crate::control::Control;
use crate::director::Datapath;
use crate::vip::Vip;
use crate::{clock, exception, flows};

/// How often it is looked whether the connection table grows: it has memory for the double of that at the highest rates.
const LOOK: Duration = Duration::from_millis(5);

/// Threads that run until this value is dropped.
pub(crate) struct Threads {
    stop: Arc<AtomicBool>,
    running: Vec<JoinHandle<()>>,
    workers: Vec<Thread>,
    queues: Arc<Exception<MbufFrame>>,
    flows: Arc<flows::Counts>,
}

impl Threads {
    /// Starts all of them, or none.
    pub(crate) fn start(
        datapath: &Datapath,
        director: &Director,
        (control, vip): (&Control, &Arc<Vip>),
        clock: Tsc,
    ) -> Result<Self> {
        let has_tap: Vec<_> = datapath.ports.iter().map(|port| port.tap.is_some()).collect();
        let queues = Arc::new(Exception::new(&has_tap));
        let stop = Arc::new(AtomicBool::new(false));
        // What has started is stopped by dropping this if another thread doesn't start.
        let queues_of_it = Arc::clone(&queues);
        let mut threads = Self {
            stop: Arc::clone(&stop),
            running: Vec::new(),
            workers: Vec::new(),
            queues: queues_of_it,
            flows: Arc::default(),
        };
        let mode = match director.workers().poll {
            Polling::Busy => PollMode::Busy,
            Polling::Adaptive => PollMode::Adaptive,
        };
        let neighbours = director.neighbours();
        let patience = Patience { packets: neighbours.queue, ticks: clock::ticks_of(neighbours.wait) };
        threads.running.push(memory_ahead(Arc::clone(&datapath.shared), Arc::clone(&stop))?);
        let cores = &director.workers().cores;
        let counts = Arc::clone(&threads.flows);
        let (mut senders, exporter) = flows::start(director.flows(), cores.len(), clock, counts, Arc::clone(&stop))?;
        threads.running.extend(exporter);
        for (number, &core) in cores.iter().enumerate() {
            let io = DpdkIo::new(&datapath.started, u16::try_from(number)?, datapath.pool.clone())?;
            let engine = Engine::new(Arc::clone(&datapath.shared), number).with_flows(senders.next());
            let (place, ports) = ((number, cores.len()), datapath.ports.len());
            let reader = control.publisher().reader();
            let worker = Worker::new(io, engine, reader, place, ports, Arc::clone(&queues), patience)
                .with_captures(Arc::clone(&datapath.captures), number);
            let place = (number, core);
            let started = ulvs_worker::start(worker, place, &datapath.eal, clock, mode, Arc::clone(&stop))?;
            threads.workers.push(started.thread().clone());
            threads.running.push(started);
        }
        let (pool, ports) = (datapath.pool.clone(), Arc::clone(&datapath.ports));
        threads.running.push(exception::start(&datapath.eal, pool, ports, (queues, Arc::clone(vip)), mode, stop)?);
        Ok(threads)
    }

    /// The workers' threads.
    pub(crate) fn workers(&self) -> Vec<Thread> {
        self.workers.clone()
    }

    /// What became of records of ended connections.
    pub(crate) const fn flows(&self) -> &Arc<flows::Counts> {
        &self.flows
    }

    /// The queues between workers and kernel.
    pub(crate) fn exception(&self) -> &Arc<Exception<MbufFrame>> {
        &self.queues
    }
}

/// Keeps memory of the connection table ready before workers need it; the first of it when this comes back.
fn memory_ahead(shared: Arc<Shared>, stop: Arc<AtomicBool>) -> Result<JoinHandle<()>> {
    shared.datagrams.prepare();
    let mut ahead = Ahead::default();
    ahead.keep(&shared.table);
    let run = move || {
        while !stop.load(Ordering::Relaxed) {
            if !ahead.keep(&shared.table) {
                thread::park_timeout(LOOK);
            }
        }
    };
    thread::Builder::new().name("memory".to_owned()).spawn(run).context("no thread for the table's memory")
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.running.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread had panicked");
            }
        }
    }
}
