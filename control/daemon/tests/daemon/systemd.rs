//! What a service manager hears.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::rig::{Rig, ULVSD, Ulvsd};

/// The next datagram that is no sign of life.
fn heard(socket: &UnixDatagram) -> String {
    loop {
        let text = datagram(socket);
        if text != "WATCHDOG=1" {
            return text;
        }
    }
}

fn datagram(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 1024];
    let length = socket.recv(&mut bytes).expect("a datagram within the deadline");
    String::from_utf8(bytes[..length].to_vec()).unwrap().trim_end().to_owned()
}

#[test]
fn the_service_manager_hears_of_start_reload_and_stop_and_that_workers_run() {
    let Some(rig) = Rig::new() else { return };
    let manager = rig.path("notify");
    let socket = UnixDatagram::bind(&manager).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let file = rig.write(rig.file());
    let mut command = rig.command(&[ULVSD, "--config", file.to_str().unwrap()]);
    command.env("NOTIFY_SOCKET", &manager).env("WATCHDOG_USEC", "100000");
    let ulvsd = Ulvsd::spawn(command);
    let forwarding = "READY=1\nSTATUS=forwarding: 1 service, 1 worker on core 0";
    assert_eq!(heard(&socket), forwarding);
    while datagram(&socket) != "WATCHDOG=1" {}
    ulvsd.signal("HUP");
    assert!(heard(&socket).starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(heard(&socket), forwarding);
    ulvsd.signal("TERM");
    assert_eq!(heard(&socket), "STOPPING=1\nSTATUS=stopping");
    let (status, log) = ulvsd.end();
    assert!(status.success(), "{log}");
}
