//! When all workers forward with a snapshot.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use ulvs_engine::Shared;

/// How long it is looked for between everything else the thread does: workers that poll take microseconds, and a timer's
/// shortest time is a thousand of them. keepalived makes its changes one after the other, a thousand at its start.
const EAGER: Duration = Duration::from_micros(500);
/// How often it is looked for after that.
const LOOK: Duration = Duration::from_millis(1);
/// From then on a worker hangs, which is told, and looked at less often.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a worker that hangs is looked at.
const SELDOM: Duration = Duration::from_millis(10);

/// Comes back when all workers forward with the snapshot of this generation, however long that takes: who waits for a
/// change is never told that it is made while one worker still forwards without it. A kernel waits for its processors
/// in the same way. It tells every [`PATIENCE`] who is waited for.
pub(crate) async fn adopted(shared: Arc<Shared>, cores: Vec<usize>, generation: u64) {
    let (eager, began) = (std::time::Instant::now(), Instant::now());
    let mut told = began;
    let lags = || shared.workers().iter().position(|worker| worker.generation.get() < generation);
    while let Some(worker) = lags() {
        if told.elapsed() >= PATIENCE {
            told = Instant::now();
            let core = cores.get(worker).copied().unwrap_or_default();
            let seconds = began.elapsed().as_secs();
            tracing::error!(
                worker,
                core,
                generation,
                seconds,
                "worker {worker} on core {core} has not taken the change of {seconds} s ago, which is not answered until it \
                 has: does something else run on its core?",
            );
        }
        if eager.elapsed() < EAGER {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(if began.elapsed() < PATIENCE { LOOK } else { SELDOM }).await;
        }
    }
    if began.elapsed() >= PATIENCE {
        let seconds = began.elapsed().as_secs();
        tracing::warn!(generation, seconds, "all workers forward with the change of {seconds} s ago");
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};
    use ulvs_config::Director;
    use ulvs_engine::proto::Timeouts;
    use ulvs_engine::{Capacity, Ticks};

    use super::*;
    use crate::control::{Control, Request};
    use crate::ipvs::Operation;

    const FILE: &str = "[workers]\ncores = [0, 1]\n[[port]]\nname = \"wan\"\ndevice = \"net_null0\"\n";

    fn adopts(shared: &Shared, worker: usize, generation: u64) {
        shared.workers()[worker].generation.set(generation);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_answered_when_the_last_worker_forwards_with_it_and_holds_up_no_question() {
        let capacity = Capacity { connections: 1024, destinations: 16, workers: 2 };
        let shared = Arc::new(Shared::new(capacity, [1, 2, 3]).unwrap());
        let director = Director::parse(FILE).unwrap();
        let control = Control::new(Arc::clone(&shared), Arc::default(), director, None);
        let generation = control.publisher().generation();
        let (requests, receiver) = mpsc::channel(4);
        let control = tokio::spawn(control.run(receiver, Ticks::default));
        let (reply, mut answer) = oneshot::channel();
        let timeouts = Operation::SetTimeouts(Timeouts::with(1, 2, 3));
        requests.send(Request::Change(vec![timeouts], reply)).await.unwrap();

        adopts(&shared, 0, generation + 1);
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert!(answer.try_recv().is_err(), "answered, and a worker forwards without it");
            let (reply, services) = oneshot::channel();
            requests.send(Request::Services(reply)).await.unwrap();
            assert!(services.await.unwrap().is_empty());
        }
        adopts(&shared, 1, generation + 1);
        answer.await.unwrap().unwrap();
        control.abort();
    }

    #[tokio::test]
    async fn a_worker_that_sleeps_is_woken_by_a_change() {
        let capacity = Capacity { connections: 1024, destinations: 16, workers: 1 };
        let shared = Arc::new(Shared::new(capacity, [1, 2, 3]).unwrap());
        let director = Director::parse(&FILE.replace("[0, 1]", "[0]")).unwrap();
        let mut control = Control::new(Arc::clone(&shared), Arc::default(), director, None);
        let mut reader = control.publisher().reader();
        let worker = std::thread::spawn(move || {
            std::thread::park_timeout(Duration::from_secs(60));
            reader.refresh();
            shared.workers()[0].generation.set(reader.generation());
        });
        control.wakes(vec![worker.thread().clone()]);
        let (requests, receiver) = mpsc::channel(4);
        let control = tokio::spawn(control.run(receiver, Ticks::default));
        let (reply, answer) = oneshot::channel();
        let timeouts = Operation::SetTimeouts(Timeouts::with(1, 2, 3));
        requests.send(Request::Change(vec![timeouts], reply)).await.unwrap();
        tokio::time::timeout(Duration::from_secs(30), answer).await.expect("woken").unwrap().unwrap();
        control.abort();
    }
}
