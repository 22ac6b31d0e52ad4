//! A line of JSON for each record, at the end of a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use ulvs_engine::flows::FlowRecord;
use ulvs_model::Protocol;

use super::{Count, Moment};

/// Bytes written at once.
const PIECE: usize = 64 << 10;
/// How often it is looked whether the file is still where it was, or can be written again.
const LOOK: Duration = Duration::from_secs(1);

/// A record as it is written. Names are those of `ulvsctl conns --json`; times are milliseconds since 1970.
#[derive(Serialize)]
struct Line {
    began: u64,
    last_packet: u64,
    ended: u64,
    protocol: &'static str,
    client: SocketAddr,
    #[serde(rename = "virtual")]
    service: SocketAddr,
    real_server: SocketAddr,
    method: &'static str,
    state: &'static str,
    reason: &'static str,
}

impl Line {
    fn new(record: &FlowRecord, now: Moment) -> Self {
        let key = &record.key;
        let family = key.family();
        Self {
            began: now.at(record.began),
            last_packet: now.at(record.last_packet),
            ended: now.at(record.ended),
            protocol: Protocol::from_number(key.protocol()).map_or("ip", Protocol::name),
            client: SocketAddr::new(key.source().to_ip(family), key.source_port()),
            service: SocketAddr::new(key.destination().to_ip(family), key.destination_port()),
            real_server: SocketAddr::new(record.destination, record.destination_port),
            method: record.method.name(),
            state: record.state.name(),
            reason: record.reason.name(),
        }
    }
}

/// The file. When it is moved away, as by logrotate, a new one is begun.
#[derive(Debug)]
pub(super) struct JsonFile {
    path: PathBuf,
    file: Option<File>,
    looked: Instant,
    /// What could not be done was told.
    is_told: bool,
    /// The file's last line is not whole.
    is_torn: bool,
    lines: Vec<u8>,
    records: u64,
}

impl JsonFile {
    pub(super) fn open(path: PathBuf) -> Self {
        let mut file = Self {
            path,
            file: None,
            looked: Instant::now(),
            is_told: false,
            is_torn: false,
            lines: Vec::with_capacity(PIECE + 1024),
            records: 0,
        };
        file.reopen();
        file
    }

    /// Adds a line.
    pub(super) fn add(&mut self, record: &FlowRecord, now: Moment, count: &Count) {
        // into memory, which has room
        if serde_json::to_writer(&mut self.lines, &Line::new(record, now)).is_ok() {
            self.lines.push(b'\n');
            self.records += 1;
        }
        if self.lines.len() >= PIECE {
            self.flush(count);
        }
    }

    /// Writes what was added.
    pub(super) fn flush(&mut self, count: &Count) {
        if self.looked.elapsed() >= LOOK {
            self.look();
        }
        if self.records == 0 {
            return;
        }
        let written = self.write();
        count.count(std::mem::take(&mut self.records), written);
        self.lines.clear();
    }

    fn write(&mut self) -> bool {
        let Some(file) = &mut self.file else { return false };
        let torn: &[u8] = if self.is_torn { b"\n" } else { b"" };
        match file.write_all(torn).and_then(|()| file.write_all(&self.lines)) {
            Ok(()) => {
                self.is_torn = false;
                self.works();
                true
            }
            Err(error) => {
                self.is_torn = true;
                self.fails(&error);
                false
            }
        }
    }

    /// Whether the file is another one by now, or none.
    fn look(&mut self) {
        self.looked = Instant::now();
        let own = self.file.as_ref().and_then(|file| file.metadata().ok());
        let there = std::fs::metadata(&self.path).ok();
        let is_it = own.zip(there).is_some_and(|(own, there)| (own.dev(), own.ino()) == (there.dev(), there.ino()));
        if !is_it {
            self.reopen();
        }
    }

    fn reopen(&mut self) {
        // A pipe that nobody reads is no reason to wait.
        let options = OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(libc::O_NONBLOCK).clone();
        match options.open(&self.path) {
            Ok(file) => {
                self.file = Some(file);
                self.is_torn = false;
                self.works();
            }
            Err(error) => {
                self.file = None;
                self.fails(&error);
            }
        }
    }

    fn fails(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_told, true) {
            let file = self.path.display();
            tracing::error!(%file, "records of ended connections are lost: {file} can't be written: {error}");
        }
    }

    fn works(&mut self) {
        if std::mem::take(&mut self.is_told) {
            let file = self.path.display();
            tracing::info!(%file, "records of ended connections are written to {file} again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;
    use crate::flows::moment::Moment;
    use crate::flows::tests::{record, record_v6};

    const NOW: Moment = Moment { ticks: ulvs_engine::Ticks(128_000), milliseconds: 1_790_000_000_000 };

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("ulvs-flows-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_record_is_a_line() {
        let (path, count) = (folder("line").join("flows.json"), Count::default());
        let mut file = JsonFile::open(path.clone());
        file.add(&record(), NOW, &count);
        file.add(&record_v6(), NOW, &count);
        file.flush(&count);
        let text = fs::read_to_string(&path).unwrap();
        let [first, second] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        let expected = r#"{"began":1789999940000,"last_packet":1789999999000,"ended":1790000000000,"protocol":"tcp",
            "client":"198.51.100.7:40000","virtual":"192.0.2.100:80","real_server":"10.0.0.11:8080","method":"nat",
            "state":"TIME_WAIT","reason":"closed"}"#;
        assert_eq!(first, expected.lines().map(str::trim).collect::<String>());
        assert!(second.contains(r#""client":"[2001:db8::7]:40000""#), "{second}");
        assert_eq!((count.passed_on.load(Relaxed), count.failed.load(Relaxed)), (2, 0));
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_file_that_is_moved_away_is_begun_anew() {
        let (path, count) = (folder("moved").join("flows.json"), Count::default());
        let mut file = JsonFile::open(path.clone());
        file.add(&record(), NOW, &count);
        file.flush(&count);
        fs::rename(&path, path.with_extension("1")).unwrap();
        file.look();
        file.add(&record(), NOW, &count);
        file.flush(&count);
        for path in [path.clone(), path.with_extension("1")] {
            assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 1);
        }
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn what_can_not_be_written_is_counted_and_then_it_goes_on() {
        let folder = folder("broken");
        let (path, count) = (folder.join("not-yet/flows.json"), Count::default());
        let mut file = JsonFile::open(path.clone());
        file.add(&record(), NOW, &count);
        file.flush(&count);
        assert_eq!((count.passed_on.load(Relaxed), count.failed.load(Relaxed)), (0, 1));
        fs::create_dir(folder.join("not-yet")).unwrap();
        file.look();
        file.add(&record(), NOW, &count);
        file.flush(&count);
        assert_eq!((count.passed_on.load(Relaxed), count.failed.load(Relaxed)), (1, 1));
        // a device that is always full
        let mut full = JsonFile::open("/dev/full".into());
        full.add(&record(), NOW, &count);
        full.flush(&count);
        assert_eq!(count.failed.load(Relaxed), 2);
        fs::remove_dir_all(folder).unwrap();
    }
}
