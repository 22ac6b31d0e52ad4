//! Templates: entries that say which destination a client's connections get (ipvs-facts B.6).
//!
//! A template is in the index by its own key, which no packet has. A connection made by it holds it, and it lives as long as
//! it is held. So it is ended by the sweep alone: whoever finds it in the index may hold it during the same burst, for
//! either the sweep's mark came later, and then the sweep sees what it is held for when every worker has begun a new burst,
//! or the finder takes the mark off. A template that must not be found any more is expelled: it leaves the index at once, and the table
//! when its time has run out and nobody holds it.

use ulvs_wire::FlowKey;

use crate::sync::atomic::{Ordering, fence};
use crate::sync::spin;

use super::call_id::CallId;
use super::control::{Control, Life};
use crate::proto::State;
use crate::time::Ticks;

use super::entry::{ConnId, Entry, NewConnection};
use super::index::{Home, Inserted};
use super::local::Local;
use super::table::{Refused, Table};

/// How often a template is looked at again that another worker is putting into the index or taking out of it.
const LOOKS: usize = if cfg!(loom) { 3 } else { 1000 };

/// A template that was found in the present burst.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Template<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) id: ConnId,
}

/// Another worker is putting the template into the index or taking it out, and does not get on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Contended;

impl Table {
    /// The template with this key, of this call, which may be [held](Self::hold) until the burst ends.
    ///
    /// One on its way into the index is waited for: it may yet give way to another one, and must not be held then.
    pub(crate) fn template(&self, key: &FlowKey, call: Option<&CallId>) -> Result<Option<Template<'_>>, Contended> {
        let home = self.template_home(key, call);
        for _ in 0..LOOKS {
            let mut joining = false;
            let mut found = None;
            self.index.find(home, |id| {
                let entry = &self.entries[id as usize];
                let kept = self.is_template(id, key, call).and_then(|control| Self::keep(entry, control));
                match kept.map(Control::life) {
                    Some(Life::Live) => found = Some(Template { entry, id }),
                    Some(_) => joining = true,
                    None => {}
                }
                found.is_some()
            });
            if found.is_some() || !joining {
                return Ok(found);
            }
            spin();
        }
        Err(Contended)
    }

    /// Holds a template for a connection that is about to be made.
    pub(crate) fn hold(template: Template<'_>) {
        template.entry.control_one_more();
    }

    /// Holds a connection that was found in the present burst, for one that it announces; false if it is being
    /// [killed](Self::kill).
    pub(crate) fn hold_connection(entry: &Entry) -> bool {
        entry.control_one_more();
        fence(Ordering::SeqCst);
        let is_held = entry.control().is_live();
        if !is_held {
            entry.control_one_less();
        }
        is_held
    }

    /// A connection the template was held for has ended, or was not made; whether others are left.
    pub(crate) fn let_go(&self, template: ConnId) -> bool {
        self.entries[template as usize].control_one_less() > 0
    }

    /// Takes a template out of the index, unless another worker did; it ends when its time has run out.
    pub(crate) fn expel(&self, template: Template<'_>) {
        let Template { entry, id } = template;
        let expelled = |control: Control| control.with_flag(Control::EXPELLED, true);
        // While it is joining nobody else ends or changes it, so that the sweep does not give its number away before the slot is empty.
        let was = entry.swap_control(|control| {
            let may = control.is_live() && !control.has(Control::EXPELLED);
            may.then(|| expelled(control).with_life(Life::Joining))
        });
        if let Some(was) = was {
            self.index.remove(self.home_of(id), id);
            entry.control.store(expelled(was).with_life(Life::Live).0, Ordering::Release);
        }
    }

    /// Whether a number is of the template with this key; its control word.
    pub(super) fn is_template(&self, id: ConnId, key: &FlowKey, call: Option<&CallId>) -> Option<Control> {
        let control = self.entries[id as usize].matches_template(key, call.is_some())?;
        call.is_none_or(|call| self.calls.is(id, call)).then_some(control)
    }

    /// Makes a template, of a call if it is said, whose timer starts now.
    pub(crate) fn insert_template(
        &self,
        local: &mut Local,
        (new, call): (&NewConnection, Option<&CallId>),
        now: Ticks,
        timeout: u32,
    ) -> Result<ConnId, Refused> {
        let home = self.template_home(&new.key, call);
        self.insert_of(local, (home, new, call), State::None, now, timeout)
    }

    pub(super) fn put_template_into_index(
        &self,
        id: ConnId,
        home: Home,
        (key, call): (&FlowKey, Option<&CallId>),
    ) -> Result<(), Refused> {
        let same = |other: ConnId| self.is_template(other, key, call).is_some();
        match self.index.insert(home, id, 0, same) {
            Inserted::Yes => Ok(()),
            Inserted::Exists(_) => Err(Refused::Exists),
            Inserted::Full => Err(Refused::Full),
        }
    }
}
