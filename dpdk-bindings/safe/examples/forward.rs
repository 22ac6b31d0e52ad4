//! Takes packets from one port, touches each and sends it by the same port, for ten million packets; says what one cost.
//!
//! `cargo run --release -p dpdk --example forward -- net_null0,size=60,copy=1`

use std::{error::Error, time::Instant};

use dpdk::{Burst, Eal, Mempool, MempoolConfig, Port, PortConfig, clock};

const PACKETS: usize = 10_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let vdev = std::env::args().nth(1).unwrap_or_else(|| "net_null0,size=60".to_owned());
    let eal = Eal::builder().memory_mib(128).vdev(&vdev).init()?;
    let pool = Mempool::new(&eal, "packets", &MempoolConfig::default())?;
    let port = Port::find(&eal, &vdev)?.configure(&PortConfig::default(), &pool)?;
    let (mut rx, mut tx) = port.take_rx_queue(0).zip(port.take_tx_queue(0)).ok_or("no queues")?;

    let mut burst = Burst::<32>::new();
    let mut forwarded = 0;
    let (start, tsc) = (Instant::now(), clock::tsc());
    while forwarded < PACKETS {
        rx.poll(&mut burst);
        for packet in burst.as_mut_slice() {
            packet.data_mut()[0] ^= 1;
        }
        forwarded += tx.send(&mut burst);
        burst.clear();
    }
    let (cycles, elapsed) = (clock::tsc() - tsc, start.elapsed());

    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let (cycles, packets) = (cycles as f64, forwarded as f64);
    println!(
        "{forwarded} packets in {elapsed:?}: {:.1} ns, {:.1} cycles each, at {} Hz; {} of {} mbufs are free",
        elapsed.as_secs_f64() * 1e9 / packets,
        cycles / packets,
        clock::tsc_hz(&eal),
        pool.available(),
        pool.capacity()
    );
    Ok(())
}
