#!/usr/bin/env bash
# Every scheduler chooses in the sequence in which the kernel's was recorded to choose (docs/oracle.md).
. "$(dirname "$0")/_init.sh"
"$TARGET/release/ulvs-xtask" oracle schedulers/
