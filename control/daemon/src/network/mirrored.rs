//! The kernel's network, followed in a thread of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};
use tokio::sync::{oneshot, watch};
use ulvs_kernel::{KernelState, Mirror, MirrorError};

/// Mirrors these interfaces until nobody looks any more. To read a full routing table takes a second, which no request waits for.
pub(crate) async fn mirrored(interfaces: BTreeSet<u32>) -> Result<watch::Receiver<Arc<KernelState>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no event loop")?;
    let (tell, told) = oneshot::channel();
    let body = move || runtime.block_on(follow(interfaces, tell));
    thread::Builder::new().name("mirror".to_owned()).spawn(body).context("no thread for the kernel's network")?;
    Ok(told.await.context("the thread of the kernel's network has ended")??)
}

async fn follow(
    interfaces: BTreeSet<u32>,
    tell: oneshot::Sender<Result<watch::Receiver<Arc<KernelState>>, MirrorError>>,
) {
    let task = match Mirror::start(interfaces).await {
        Ok(Mirror { state, task }) => {
            let _ = tell.send(Ok(state));
            task
        }
        // Who asked may be gone.
        Err(error) => return drop(tell.send(Err(error))),
    };
    if let Ok(Err(error)) = task.await {
        tracing::error!("{error}");
    }
}
