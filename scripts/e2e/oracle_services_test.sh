#!/usr/bin/env bash
# Services, states, persistence, listings and errors are as the kernel's IPVS was recorded to have them (docs/oracle.md).
. "$(dirname "$0")/_init.sh"
"$TARGET/release/ulvs-xtask" oracle services/ states/ persistence/ listings/ errors/ fwmark/ one-packet/ sysctls/ fragments/ \
    icmp/ sctp/ ftp/ ipsec/ sip/
