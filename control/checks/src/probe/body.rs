//! What a body has to be, looked at piece by piece: nothing of it is kept but what a search needs.

use md5::{Digest as _, Md5};
use memchr::memmem;
use ulvs_config::{Digest, HttpProbe};

use super::Failure;

pub(super) struct Expected<'a> {
    text: Option<Search<'a>>,
    sum: Option<(Md5, Digest)>,
}

struct Search<'a> {
    wanted: &'a str,
    /// The end of what came, in which it may begin.
    seen: Vec<u8>,
    is_found: bool,
}

impl<'a> Expected<'a> {
    pub(super) fn new(probe: &'a HttpProbe) -> Self {
        let text = probe.body.as_deref().map(|wanted| Search { wanted, seen: Vec::new(), is_found: wanted.is_empty() });
        Self { text, sum: probe.digest.map(|wanted| (Md5::new(), wanted)) }
    }

    /// Whether the rest of the body makes no difference.
    pub(super) fn is_settled(&self) -> bool {
        self.sum.is_none() && self.text.as_ref().is_none_or(|search| search.is_found)
    }

    pub(super) fn take(&mut self, piece: &[u8]) {
        if let Some(search) = self.text.as_mut().filter(|search| !search.is_found) {
            search.take(piece);
        }
        if let Some((sum, _)) = &mut self.sum {
            sum.update(piece);
        }
    }

    /// Once the body has ended, or nothing more of it is needed.
    pub(super) fn judge(self) -> Result<(), Failure> {
        if let Some(search) = self.text.filter(|search| !search.is_found) {
            return Err(Failure::new(format!("the body has no \"{}\" in it", search.wanted.escape_debug())));
        }
        if let Some((sum, wanted)) = self.sum {
            let found = Digest(sum.finalize().into());
            if found != wanted {
                return Err(Failure::new(format!("the body's MD5 sum is {found}")));
            }
        }
        Ok(())
    }
}

impl Search<'_> {
    fn take(&mut self, piece: &[u8]) {
        // What may be the beginning of it stays.
        let from = self.seen.len().saturating_sub(self.wanted.len());
        self.seen.drain(..from);
        self.seen.extend_from_slice(piece);
        self.is_found = memmem::find(&self.seen, self.wanted.as_bytes()).is_some();
    }
}
