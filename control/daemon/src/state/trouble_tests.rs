//! A journal that can't be written holds up no answer, and is gone on with once it can.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use ulvs_ipvs::table::{Change, Owner, Table, Timeouts};

use super::journal::HEAD;
use super::{Folder, JOURNAL, JOURNAL_BEFORE, Journal};

/// A folder of its own, gone with this.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ulvsd-journal-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn journal(&self) -> Journal {
        Journal::start(&Folder::open(&self.0).unwrap(), 0).unwrap()
    }

    /// The numbers of the changes in a journal.
    fn numbers(&self, name: &str) -> Vec<u64> {
        let text = fs::read_to_string(self.0.join(name)).unwrap_or_default();
        numbers(&text)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn numbers(text: &str) -> Vec<u64> {
    let Some(lines) = text.strip_prefix(HEAD) else { return Vec::new() };
    let number = |line| serde_json::from_str::<serde_json::Value>(line).unwrap()["number"].as_u64().unwrap();
    lines.lines().map(number).collect()
}

/// Whether the answer waited for the disk.
async fn keep(journal: &Journal, number: u64) -> bool {
    let changes = [Change::TimeoutsSet(Timeouts { tcp: 7, ..Timeouts::default() })];
    let mut table = Table::new();
    table.commit(&changes);
    match journal.keep(&table, &changes, number, Owner::Netlink) {
        Some(kept) => {
            kept.await;
            true
        }
        None => false,
    }
}

#[tokio::test]
async fn it_begins_anew_beside_each_file_and_what_a_file_has_goes() {
    let place = Place::new("turns");
    let journal = place.journal();
    assert!(keep(&journal, 1).await && keep(&journal, 2).await);
    journal.rotate().await;
    assert!(keep(&journal, 3).await);
    assert_eq!((place.numbers(JOURNAL_BEFORE), place.numbers(JOURNAL)), (vec![1, 2], vec![3]));
    // The file could not be written: what it should have had stays.
    journal.rotate().await;
    assert!(keep(&journal, 4).await);
    assert_eq!((place.numbers(JOURNAL_BEFORE), place.numbers(JOURNAL)), (vec![1, 2], vec![3, 4]));
    journal.folded(3);
    journal.rotate().await;
    assert_eq!((place.numbers(JOURNAL_BEFORE), place.numbers(JOURNAL)), (vec![3, 4], vec![]));
}

#[tokio::test]
async fn behind_a_change_that_could_not_be_written_is_none_until_a_file_has_it() {
    let place = Place::new("gap");
    fs::create_dir(place.0.join(JOURNAL)).unwrap();
    let journal = place.journal();
    assert!(keep(&journal, 1).await, "it is answered all the same");
    fs::remove_dir(place.0.join(JOURNAL)).unwrap();
    assert!(keep(&journal, 2).await);
    assert_eq!(place.numbers(JOURNAL), [0; 0], "change 1 is missing before it");
    journal.folded(1);
    assert!(keep(&journal, 3).await);
    assert_eq!(place.numbers(JOURNAL), [0; 0], "change 2 is");
    journal.folded(3);
    assert!(keep(&journal, 4).await);
    assert_eq!(place.numbers(JOURNAL), [4]);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_is_waited_for_once() {
    let place = Place::new("hangs");
    // Who opens it waits for a reader.
    mkfifo(&place.0.join(JOURNAL), Mode::S_IRWXU).unwrap();
    let journal = place.journal();
    let began = tokio::time::Instant::now();
    assert!(keep(&journal, 1).await);
    assert_eq!(began.elapsed().as_secs(), 1);
    assert!(!keep(&journal, 2).await && !keep(&journal, 3).await, "nobody waits for it any more");
    for number in 4..1000 {
        assert!(!keep(&journal, number).await);
    }
    let mut text = String::new();
    let mut reader = fs::File::open(place.0.join(JOURNAL)).unwrap();
    drop(journal);
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(numbers(&text), (1..1000).collect::<Vec<_>>(), "all of it is written once it answers");
}
