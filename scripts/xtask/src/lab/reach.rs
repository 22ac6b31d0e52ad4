//! `lab reach`: a port of this machine's loopback that leads to the same port of a host of the lab, for browsers.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use nix::sched::{CloneFlags, setns};

use super::the_lab;

/// Connections at a time.
const MOST: usize = 64;
/// How long nothing may come either way.
const IDLE: Duration = Duration::from_secs(120);

/// How often it is looked whether the lab is still there.
const LOOK: Duration = Duration::from_secs(2);

#[derive(Args)]
pub(crate) struct Arguments {
    /// client, director, switch, rs1, rs2 ...
    host: String,
    /// The port of its 127.0.0.1.
    port: u16,
}

/// Until it is killed, or the lab is gone.
pub(super) fn run(name: &str, arguments: &Arguments) -> Result<ExitCode> {
    let state = the_lab(name)?;
    let names = state.plan.host_names();
    if !names.contains(&arguments.host) {
        bail!("the lab has no host {}, it has {}", arguments.host, names.join(", "));
    }
    let path = format!("/run/netns/{}", state.plan.namespace(&arguments.host));
    let namespace = Arc::new(File::open(&path).with_context(|| format!("cannot open {path}"))?);
    let near = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    // Another lab's, or a director's of this machine, may have the port.
    let listener = TcpListener::bind(near).or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    say!("{}", listener.local_addr()?);
    io::stdout().flush()?;
    thread::spawn(move || {
        while Path::new(&path).exists() {
            thread::sleep(LOOK);
        }
        std::process::exit(0)
    });
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let (stream, _) = listener.accept()?;
        if open.fetch_add(1, Ordering::Relaxed) >= MOST {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (namespace, open, port) = (Arc::clone(&namespace), Arc::clone(&open), arguments.port);
        thread::spawn(move || {
            // Either side may go away at any time, which is the end of it.
            let _gone = carry(&stream, &namespace, port);
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Carries bytes both ways until both ends are closed.
fn carry(near: &TcpStream, namespace: &File, port: u16) -> Result<()> {
    // Of this thread alone.
    setns(namespace, CloneFlags::CLONE_NEWNET)?;
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    for stream in [near, &far] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(IDLE))?;
        stream.set_write_timeout(Some(IDLE))?;
    }
    let (back, front) = (far.try_clone()?, near.try_clone()?);
    let answers = thread::spawn(move || copy(&back, &front));
    copy(near, &far);
    let _ = answers.join();
    Ok(())
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let mut piece = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Read);
    let _ = to.shutdown(Shutdown::Write);
}
