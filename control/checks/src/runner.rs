use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;

use crate::probe::{Connectors, Question, TlsError};
use crate::watch::{Event, Id, Room, Watched, watch};

/// Programs that run at a time.
const PROGRAMS: usize = 32;
/// Sockets that are open at a time, if the system lets us.
const SOCKETS: u64 = 16_384;
/// Files that are left to everything else.
const OTHERS: u64 = 512;
/// Changes that wait to be taken. More of them make checks wait, nothing else.
const EVENTS: usize = 1024;

/// The thread that asks. TLS handshakes take it time, and starting a program blocks it: nothing else has to wait for
/// that. It ends when this is dropped, and with it whatever is asked.
#[derive(Debug)]
pub struct Runner {
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
    count: usize,
    connectors: Connectors,
}

#[derive(Debug)]
enum Command {
    Start(Id, Arc<Watched>, Box<Question>, usize),
    Stop(Id),
}

impl Runner {
    /// Starts the thread, with nothing to ask. Changes come out of the receiver.
    ///
    /// # Errors
    /// If there can't be another thread.
    pub fn start() -> io::Result<(Self, mpsc::Receiver<Event>)> {
        let (commands, receiver) = mpsc::unbounded_channel();
        let (events, changes) = mpsc::channel(EVENTS);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("checks".to_owned());
        let thread = thread.spawn(move || runtime.block_on(serve(receiver, events)))?;
        Ok((
            Self { commands: Some(commands), thread: Some(thread), count: 0, connectors: Connectors::default() },
            changes,
        ))
    }

    /// Begins to check a real server.
    ///
    /// # Errors
    /// If the check can't be asked on this machine.
    pub fn watch(&mut self, id: Id, watched: Arc<Watched>) -> Result<(), TlsError> {
        let question = Question::new(&watched.check, &mut self.connectors)?;
        self.count += 1;
        self.tell(Command::Start(id, watched, Box::new(question), self.count));
        Ok(())
    }

    /// Ends a check of a real server. A change that is under way may still come.
    pub fn forget(&mut self, id: Id) {
        self.count = self.count.saturating_sub(1);
        self.tell(Command::Stop(id));
    }

    fn tell(&self, command: Command) {
        if let Some(commands) = &self.commands {
            let _is_stopping = commands.send(command);
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the health checks had panicked");
        }
    }
}

async fn serve(mut commands: mpsc::UnboundedReceiver<Command>, events: mpsc::Sender<Event>) {
    let room = Arc::new(Room { sockets: Semaphore::new(sockets()), programs: Semaphore::new(PROGRAMS) });
    let mut running: HashMap<Id, AbortHandle> = HashMap::new();
    while let Some(command) = commands.recv().await {
        match command {
            Command::Start(id, watched, question, count) => {
                let task = watch((id, watched), *question, Arc::clone(&room), events.clone(), count);
                if let Some(before) = running.insert(id, tokio::spawn(task).abort_handle()) {
                    before.abort();
                }
            }
            Command::Stop(id) => {
                if let Some(task) = running.remove(&id) {
                    task.abort();
                }
            }
        }
    }
}

/// As many as this process may open: thousands of real servers that do not answer are as many open sockets.
fn sockets() -> usize {
    let wanted = SOCKETS + OTHERS;
    let limit = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((now, most)) if now < wanted && now < most => {
            let raised = wanted.min(most);
            if setrlimit(Resource::RLIMIT_NOFILE, raised, most).is_ok() { raised } else { now }
        }
        Ok((now, _)) => now,
        Err(_) => OTHERS * 2,
    };
    usize::try_from(limit.saturating_sub(OTHERS).clamp(64, SOCKETS)).unwrap_or(64)
}
