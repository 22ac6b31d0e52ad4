use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::{Mutex, watch};

use crate::codec::{Answer, Dump, ENTRIES_PER_DATAGRAM, Entry, Info, Query};
use crate::table::{Change, Command, Destination, DestinationSettings, Owner, Place, Service, Table};
use crate::{Counters, Errno, Host, Refusal};

/// What forwards, as far as the table's changes go.
///
/// [`prepare`](Self::prepare) decides whether a change can be forwarded, [`install`](Self::install) has it forwarded.
/// Between them no other change is planned.
pub trait Datapath: Counters + Host + Send + Sync + 'static {
    /// What `prepare` made of changes for `install`.
    type Prepared: Send;

    /// What `GET_INFO` tells.
    fn info(&self) -> Info;

    /// Looks whether changes can be forwarded rightly. `table` is the one before them;
    /// [`Table::preview`] tells what a service will be.
    ///
    /// # Errors
    /// Why they can't be; nothing is changed then.
    fn prepare(&self, table: &Table, changes: &[Change]) -> Result<Self::Prepared, Refusal>;

    /// Forwards with changes: returns once all workers do.
    ///
    /// # Errors
    /// Why they are not forwarded with; the table stays as it is then.
    fn install(&self, prepared: Self::Prepared) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Told of changes that are forwarded with, `table` being the one before them, and who made them.
    fn changed(&self, table: &Table, changes: &[Change], by: Owner) {
        let _ = (table, changes, by);
    }

    /// Keeps changes that are in `table` now, the last `number`s of all, for a next start. What it returns is waited for
    /// before they are answered; the next changes don't wait for it.
    fn keep(&self, table: &Table, changes: &[Change], number: u64, by: Owner) -> Option<Kept> {
        let _ = (table, changes, number, by);
        None
    }
}

/// Ends when changes are kept, or can't be.
pub type Kept = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a listing in pieces goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cursor {
    /// Behind this service.
    Service(Place),
    /// Behind the destination with this number.
    Destination(u64),
}

/// The table, shared by all clients: changes one after the other, readers at any time.
#[derive(Debug)]
pub struct Director<D> {
    datapath: D,
    /// Never held across an await: a change that waits for workers holds up no reader.
    table: RwLock<Table>,
    changing: Mutex<()>,
    committed: watch::Sender<u64>,
}

impl<D: Datapath> Director<D> {
    /// An empty table over this datapath.
    pub fn new(datapath: D) -> Self {
        Self { datapath, table: RwLock::default(), changing: Mutex::default(), committed: watch::Sender::new(0) }
    }

    /// Takes up entries before anything is forwarded: `install` makes the datapath's part at once. A command that is
    /// refused ends it.
    ///
    /// # Errors
    /// Why a command is refused; the ones before it are done.
    pub fn adopt(
        &self,
        commands: &[Command],
        owner: Owner,
        mut install: impl FnMut(D::Prepared) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let changes = planned(&table, commands, owner, &self.datapath)?;
        install(self.datapath.prepare(&table, &changes)?)?;
        table.commit(&changes);
        Ok(())
    }

    /// The datapath.
    pub const fn datapath(&self) -> &D {
        &self.datapath
    }

    /// Looks at the table as it is now.
    pub fn look<R>(&self, look: impl FnOnce(&Table) -> R) -> R {
        look(&self.read())
    }

    /// Makes one command's changes, and returns them once they are forwarded with.
    ///
    /// # Errors
    /// Why not, and nothing is changed.
    pub async fn change(self: &Arc<Self>, command: Command, owner: Owner) -> Result<Vec<Change>, Refusal> {
        let plan = move |table: &Table, host: &D| Ok((table.plan(&command, owner, host)?, ()));
        self.make(plan, owner).await.map(|(changes, ())| changes)
    }

    /// Makes several commands' changes in one step, all or none.
    ///
    /// # Errors
    /// Why not, and nothing is changed.
    pub async fn change_all(self: &Arc<Self>, commands: Vec<Command>, owner: Owner) -> Result<Vec<Change>, Refusal> {
        let plan = move |table: &Table, host: &D| Ok((planned(table, &commands, owner, host)?, ()));
        self.make(plan, owner).await.map(|(changes, ())| changes)
    }

    /// Makes the changes that commands say for the table as it is when it is their turn, in one step, all or none;
    /// returns a line for each change ([`Table::describe`]).
    ///
    /// # Errors
    /// Why not, and nothing is changed.
    pub async fn change_by(
        self: &Arc<Self>,
        commands: impl FnOnce(&Table) -> Vec<Command> + Send + 'static,
        owner: Owner,
    ) -> Result<Vec<String>, Refusal> {
        let plan = move |table: &Table, host: &D| {
            let changes = planned(table, &commands(table), owner, host)?;
            let lines = table.describe(&changes);
            Ok((changes, lines))
        };
        self.make(plan, owner).await.map(|(_, lines)| lines)
    }

    /// What [`change_by`](Self::change_by) would do now.
    ///
    /// # Errors
    /// Why it could not be done.
    pub fn preview_by(
        &self,
        commands: impl FnOnce(&Table) -> Vec<Command>,
        owner: Owner,
    ) -> Result<Vec<String>, Refusal> {
        let table = self.read();
        let changes = planned(&table, &commands(&table), owner, &self.datapath)?;
        self.datapath.prepare(&table, &changes)?;
        Ok(table.describe(&changes))
    }

    /// Makes the changes that `plan` makes of the table as it is when it is its turn; returns what it tells of them. They have
    /// to be [planned](Table::plan) for this very table.
    ///
    /// # Errors
    /// What `plan` says, or why its changes are not forwarded with; nothing is changed then.
    pub async fn change_with<T: Send + 'static, E: From<Refusal> + Send + 'static>(
        self: &Arc<Self>,
        plan: impl FnOnce(&Table, &D) -> Result<(Vec<Change>, T), E> + Send + 'static,
        owner: Owner,
    ) -> Result<T, E> {
        self.make(plan, owner).await.map(|(_, told)| told)
    }

    /// What [`change_with`](Self::change_with) would do now.
    ///
    /// # Errors
    /// Why it could not be done.
    pub fn preview_with<T, E: From<Refusal>>(
        &self,
        plan: impl FnOnce(&Table, &D) -> Result<(Vec<Change>, T), E>,
    ) -> Result<T, E> {
        let table = self.read();
        let (changes, told) = plan(&table, &self.datapath)?;
        self.datapath.prepare(&table, &changes)?;
        Ok(told)
    }

    /// The change runs in a task of its own: it is finished even if who wanted it is gone.
    async fn make<T: Send + 'static, E: From<Refusal> + Send + 'static>(
        self: &Arc<Self>,
        plan: impl FnOnce(&Table, &D) -> Result<(Vec<Change>, T), E> + Send + 'static,
        by: Owner,
    ) -> Result<(Vec<Change>, T), E> {
        let director = Arc::clone(self);
        let work = async move {
            let one_at_a_time = director.changing.lock().await;
            let (changes, told, prepared) = {
                let table = director.read();
                let (changes, told) = plan(&table, &director.datapath)?;
                let prepared = director.datapath.prepare(&table, &changes)?;
                (changes, told, prepared)
            };
            director.datapath.install(prepared).await?;
            director.datapath.changed(&director.read(), &changes, by);
            let kept = director.commit(&changes, by);
            drop(one_at_a_time);
            if let Some(kept) = kept {
                kept.await;
            }
            Ok((changes, told))
        };
        let stopped = |_| Err(Refusal::because(Errno::Io, "the director is stopping, so nothing was changed").into());
        tokio::spawn(work).await.unwrap_or_else(stopped)
    }

    /// Puts changes into the table, and has them kept in the order that they are made in.
    fn commit(&self, changes: &[Change], by: Owner) -> Option<Kept> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.commit(changes);
        self.committed.send_modify(|count| *count += 1);
        let number = *self.committed.borrow();
        self.datapath.keep(&table, changes, number, by)
    }

    /// Counts the changes made, for who wants to know of each.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }

    /// A copy of the table, and how many changes made it.
    pub fn copy(&self) -> (Table, u64) {
        let table = self.read();
        (table.clone(), *self.committed.borrow())
    }

    /// Answers a query.
    ///
    /// # Errors
    /// ESRCH for an unknown service.
    pub fn query(&self, query: &Query) -> Result<Answer, Errno> {
        Ok(match query {
            Query::Service(id) => {
                let table = self.read();
                Answer::Entry(self.service_entry(table.service(id).ok_or(Errno::NoSuch)?))
            }
            Query::Timeouts => Answer::Timeouts(self.read().timeouts()),
            Query::Info => Answer::Info(self.datapath.info()),
        })
    }

    /// The next entries of a dump, as many as fit into a datagram, and where it goes on. None: it is at its end.
    pub fn list(&self, dump: &Dump, behind: Option<Cursor>) -> (Vec<Entry>, Option<Cursor>) {
        let table = self.read();
        let (entries, last): (Vec<Entry>, Option<Cursor>) = match (dump, behind) {
            (Dump::Services, Some(Cursor::Destination(_)))
            | (Dump::Destinations(_), Some(Cursor::Service(_)))
            | (Dump::Destinations(None), _)
            | (Dump::Daemons, Some(_)) => return (Vec::new(), None),
            (Dump::Services, None) => self.services(&table, None),
            (Dump::Services, Some(Cursor::Service(place))) => self.services(&table, Some(place)),
            (Dump::Destinations(Some(id)), behind) => {
                let number = behind.and_then(|cursor| match cursor {
                    Cursor::Destination(number) => Some(number),
                    Cursor::Service(_) => None,
                });
                table.service(id).map_or_else(Default::default, |service| self.destinations(service, number))
            }
            (Dump::Daemons, None) => (table.daemons().iter().cloned().map(Entry::Daemon).collect(), None),
        };
        let goes_on = last.filter(|_| entries.len() == ENTRIES_PER_DATAGRAM);
        (entries, goes_on)
    }

    fn services(&self, table: &Table, behind: Option<Place>) -> (Vec<Entry>, Option<Cursor>) {
        let some = table.services(behind).take(ENTRIES_PER_DATAGRAM);
        let mut last = None;
        let entries = some.map(|(place, service)| {
            last = Some(Cursor::Service(place));
            self.service_entry(service)
        });
        (entries.collect(), last)
    }

    fn destinations(&self, service: &Service, behind: Option<u64>) -> (Vec<Entry>, Option<Cursor>) {
        let some = service.destinations_behind(behind).filter_map(|(number, one)| Some((number, one, one.weight()?)));
        let mut last = None;
        let entries = some.take(ENTRIES_PER_DATAGRAM).map(|(number, destination, weight)| {
            last = Some(Cursor::Destination(number));
            let settings = DestinationSettings { weight, ..destination.settings };
            Entry::Destination(
                Destination { settings, ..*destination },
                self.datapath.destination(service.id(), &destination.id),
            )
        });
        (entries.collect(), last)
    }

    fn service_entry(&self, service: &Service) -> Entry {
        Entry::Service(*service.id(), *service.settings(), self.datapath.service(service.id()))
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What commands change one after the other, or which of them is refused.
fn planned(table: &Table, commands: &[Command], owner: Owner, host: &impl Host) -> Result<Vec<Change>, Refusal> {
    table.plan_all(commands, owner, host).map_err(|(index, errno)| {
        let command = commands.get(index).map_or_else(String::new, ToString::to_string);
        Refusal::because(errno, format!("IPVS's rules refuse {command} with {errno}"))
    })
}
