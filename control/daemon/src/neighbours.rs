//! Tells when the next hop towards a real server, or a gateway, is lost: when it does not answer ARP or neighbour discovery any
//! more, or never did.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use ulvs_kernel::KernelState;
use ulvs_kernel::resolve::Wanted;

use crate::devices::DirectorPort;
use crate::events::{Events, Kind, Severity};

/// How often it is looked.
const PERIOD: Duration = Duration::from_secs(1);
/// A neighbour may take so long to answer for the first time: the kernel asks three times, a second apart.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks until it is aborted.
pub(crate) async fn watch(
    ports: Arc<[DirectorPort]>,
    (kernel, wanted): (watch::Receiver<Arc<KernelState>>, watch::Receiver<Wanted>),
    events: Arc<Events>,
) {
    let mut watched = Watched::default();
    loop {
        let (wanted, state) = (Arc::clone(&wanted.borrow()), Arc::clone(&kernel.borrow()));
        let hops = wanted.iter().map(|&(index, address)| {
            let answers = state.neighbour(index, address).is_some_and(|one| one.usable_mac().is_some());
            ((index, address), answers)
        });
        for ((index, address), news) in watched.see(hops, Instant::now()) {
            let has_index = |port: &&DirectorPort| port.tap.as_ref().is_some_and(|tap| tap.index() == index);
            let port = ports.iter().find(has_index).map_or("?", |port| port.settings.name.as_str());
            tell(&events, port, address, news);
        }
        tokio::time::sleep(PERIOD).await;
    }
}

type Hop = (u32, IpAddr);

/// What was seen of a next hop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    Answers,
    /// Not yet, since then.
    Silent(Instant),
    /// That was told.
    Told,
}

/// What is new of a next hop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum News {
    /// It did answer, and does not any more.
    Lost,
    /// It never answered.
    Silent,
    /// It answers, after it was told that it does not.
    Answers,
}

/// All next hops that are kept resolved.
#[derive(Debug, Default)]
struct Watched(BTreeMap<Hop, Seen>);

impl Watched {
    /// Takes in which of them answer now; what is new.
    fn see(&mut self, hops: impl Iterator<Item = (Hop, bool)>, now: Instant) -> Vec<(Hop, News)> {
        let mut news = Vec::new();
        let mut before = std::mem::take(&mut self.0);
        for (hop, answers) in hops {
            let (seen, new) = match (before.remove(&hop), answers) {
                (Some(Seen::Told), true) => (Seen::Answers, Some(News::Answers)),
                (_, true) => (Seen::Answers, None),
                (Some(Seen::Answers), false) => (Seen::Told, Some(News::Lost)),
                (Some(Seen::Silent(since)), false) if now.duration_since(since) >= PATIENCE => {
                    (Seen::Told, Some(News::Silent))
                }
                (Some(seen), false) => (seen, None),
                (None, false) => (Seen::Silent(now), None),
            };
            self.0.insert(hop, seen);
            news.extend(new.map(|new| (hop, new)));
        }
        news
    }
}

fn tell(events: &Events, port: &str, neighbour: IpAddr, news: News) {
    let (severity, sentence) = match news {
        News::Lost => {
            let sentence =
                format!("port {port}: {neighbour} does not answer ARP or ND any more; packets that go by it wait");
            tracing::warn!(port, %neighbour, state = "lost", "{sentence}");
            (Severity::Warning, sentence)
        }
        News::Silent => {
            let sentence =
                format!("port {port}: {neighbour} has not answered ARP or ND yet; is it there, and on this link?");
            tracing::warn!(port, %neighbour, state = "silent", "{sentence}");
            (Severity::Warning, sentence)
        }
        News::Answers => {
            let sentence = format!("port {port}: {neighbour} answers");
            tracing::info!(port, %neighbour, state = "answers", "{sentence}");
            (Severity::Info, sentence)
        }
    };
    events.tell(Kind::Port, severity, sentence);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_told_once_when_it_is_lost_and_once_when_it_is_back() {
        let hop = |last| (7, IpAddr::from([10, 0, 0, last]));
        let (mut watched, began) = (Watched::default(), Instant::now());
        let mut see = |seconds, hops: &[(u8, bool)]| {
            let hops = hops.iter().map(|&(last, answers)| (hop(last), answers)).collect::<Vec<_>>();
            watched.see(hops.into_iter(), began + Duration::from_secs(seconds))
        };
        assert_eq!(see(0, &[(1, true), (2, false)]), []);
        assert_eq!(see(4, &[(1, true), (2, false)]), []);
        assert_eq!(see(5, &[(1, false), (2, false)]), [(hop(1), News::Lost), (hop(2), News::Silent)]);
        assert_eq!(see(6, &[(1, false), (2, false)]), []);
        assert_eq!(see(7, &[(1, true), (2, true)]), [(hop(1), News::Answers), (hop(2), News::Answers)]);
        // it is nobody's next hop any more, and then new
        assert_eq!(see(8, &[(2, true)]), []);
        assert_eq!(see(9, &[(1, false), (2, true)]), []);
    }
}
