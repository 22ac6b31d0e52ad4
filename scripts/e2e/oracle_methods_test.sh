#!/usr/bin/env bash
# NAT, DR and TUN do what the kernel's IPVS was recorded to do, packet by packet (docs/oracle.md).
. "$(dirname "$0")/_init.sh"
"$TARGET/release/ulvs-xtask" oracle nat/ dr/ tun/
