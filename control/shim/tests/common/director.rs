//! An ulvsd that says yes to everything and has nothing.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};

pub(crate) const FAMILY: u16 = 0x23;
const CONTROL: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const GET_INFO: u8 = 15;
const DUMP: u16 = 0x300;
const ACK: u16 = 4;

/// A server in threads of this process, until it is dropped.
pub(crate) struct Director {
    listener: UnixListener,
    shared: Arc<Shared>,
    path: std::path::PathBuf,
}

#[derive(Default)]
struct Shared {
    commands: Mutex<Vec<u8>>,
    clients: Mutex<Vec<UnixStream>>,
    /// Closes a connection on which this command comes, without an answer.
    dies_at: Option<u8>,
    /// How often it still does that.
    deaths: AtomicUsize,
}

impl Director {
    pub(crate) fn new(path: &Path) -> Self {
        Self::with(path, Shared::default())
    }

    pub(crate) fn that_dies_at(path: &Path, command: u8) -> Self {
        Self::that_dies_times_at(path, usize::MAX, command)
    }

    pub(crate) fn that_dies_times_at(path: &Path, times: usize, command: u8) -> Self {
        Self::with(path, Shared { dies_at: Some(command), deaths: AtomicUsize::new(times), ..Shared::default() })
    }

    fn with(path: &Path, shared: Shared) -> Self {
        let fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
        let _ = std::fs::remove_file(path);
        bind(std::os::fd::AsRawFd::as_raw_fd(&fd), &UnixAddr::new(path).expect("a short path")).expect("bound");
        listen(&fd, Backlog::new(128).expect("a backlog")).expect("listening");
        let listener = UnixListener::from(fd);
        let director = Self { listener, shared: Arc::new(shared), path: path.into() };
        let (listener, shared) = (director.listener.try_clone().expect("a clone"), Arc::clone(&director.shared));
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let shared = Arc::clone(&shared);
                shared.clients.lock().expect("a lock").push(client.try_clone().expect("a clone"));
                std::thread::spawn(move || serve(client, &shared));
            }
        });
        director
    }

    /// The commands that came, those of the family of families left out.
    pub(crate) fn commands(&self) -> Vec<u8> {
        self.shared.commands.lock().expect("a lock").clone()
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = nix::sys::socket::shutdown(
            std::os::fd::AsRawFd::as_raw_fd(&self.listener),
            nix::sys::socket::Shutdown::Both,
        );
        for client in self.shared.clients.lock().expect("a lock").iter() {
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

fn serve(mut client: UnixStream, shared: &Shared) {
    let mut buffer = [0; 4096];
    loop {
        let request = match client.read(&mut buffer) {
            Ok(length) if length >= 20 => &buffer[..length],
            _ => break,
        };
        let (kind, flags, command) = (number(&request[4..]), number(&request[6..]), request[16]);
        if kind != CONTROL {
            shared.commands.lock().expect("a lock").push(command);
            let dies = || shared.deaths.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
            if shared.dies_at == Some(command) && dies() {
                let _ = client.shutdown(Shutdown::Both);
                break;
            }
        }
        for answer in answers(request, kind, flags, command) {
            if client.write(&answer).is_err() {
                break;
            }
        }
    }
}

fn answers(request: &[u8], kind: u16, flags: u16, command: u8) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    if kind == CONTROL && command == GET_FAMILY {
        if !request.windows(5).any(|bytes| bytes == b"IPVS\0") {
            return vec![message(request, 2, 0, &[&(-2_i32).to_ne_bytes()[..], request].concat())];
        }
        let id = attribute(1, &FAMILY.to_ne_bytes());
        answers.push(message(request, CONTROL, 0, &[&[1, 2, 0, 0][..], &attribute(2, b"IPVS\0"), &id].concat()));
    } else if flags & DUMP == DUMP {
        return vec![message(request, 3, 2, &[0; 4])];
    } else if command == GET_INFO {
        let version = attribute(1, &0x01_02_01_u32.to_ne_bytes());
        let size = attribute(2, &4096_u32.to_ne_bytes());
        answers.push(message(request, FAMILY, 0, &[&[14, 1, 0, 0][..], &version, &size].concat()));
    }
    if flags & ACK != 0 {
        answers.push(message(request, 2, 0x100, &[&[0; 4], &request[..16]].concat()));
    }
    answers
}

fn number(bytes: &[u8]) -> u16 {
    u16::from_ne_bytes([bytes[0], bytes[1]])
}

pub(crate) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len() + 4).expect("short");
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// An answer: sequence number and port id are the request's.
fn message(request: &[u8], kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 16).expect("short");
    [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &request[8..16], body].concat()
}

/// A request for a family by its name.
pub(crate) fn family_request(name: &str, port_id: u32) -> Vec<u8> {
    let mut name = name.as_bytes().to_vec();
    name.push(0);
    let body = [&[GET_FAMILY, 1, 0, 0][..], &attribute(2, &name)].concat();
    let mut request = message(&[0; 16], CONTROL, 5, &body);
    request[8..12].copy_from_slice(&7_u32.to_ne_bytes());
    request[12..16].copy_from_slice(&port_id.to_ne_bytes());
    request
}
