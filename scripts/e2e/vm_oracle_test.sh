#!/usr/bin/env bash
# Some of the oracle's scenarios on NICs bound to DPDK, in a guest (docs/oracle.md); `cargo xtask vm all oracle` plays them all.
export ULVS_LAB=${ULVS_LAB:-ulvs-vm}
. "$(dirname "$0")/_init.sh"
. "$ROOT/scripts/vm/lib.sh"
skip_without_qemu
"$TARGET/release/ulvs-xtask" oracle --in-guest nat/v4-tcp-life nat/v6-udp nat/v4-icmp-from-server dr/v4-tcp-life dr/v6-small-mtu \
    dr/v6-fragments tun/v4-mtu tun/v6-udp tun/gue schedulers/wlc-edits schedulers/sh-members states/close-reuse \
    persistence/expiry fwmark/sh sctp/sloppy ftp/passive listings/timeouts errors/timeouts
