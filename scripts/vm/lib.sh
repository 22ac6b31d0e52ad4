# shellcheck shell=bash
# For end-to-end tests in the guest: it is the lab's director, with ulvsd on NICs that are bound to DPDK.

vm() { "$TARGET/release/ulvs-xtask" vm "$@"; }
# guest 'LINES OF SHELL': their words, their status. The limit is for a machine that does much else meanwhile.
guest() { vm run --limit "${LIMIT:-240}" -- "$@"; }
# the guest's ulvsctl
ctl() { guest "ULVS_SOCKET=$RUN/api.sock ulvsctl $*"; }

skip_without_qemu() {
    local program
    [ "$(uname -m)" = x86_64 ] || { say "skipped: the guest is a PC, this machine is not"; exit 0; }
    for program in qemu-system-x86_64 cpio depmod; do
        PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null && continue
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends qemu-system-x86 cpio kmod xz-utils \
            >/dev/null 2>&1 || { say "skipped: QEMU can't be installed (package qemu-system-x86)"; exit 0; }
    done
    "$ROOT/scripts/vm/image" "$TARGET/vm" || { say "skipped: the guest's image can't be built: see above"; exit 0; }
}

NICS=(0000:00:10.0 0000:00:11.0)

# bind DRIVER: both NICs, and huge pages
bind() {
    guest "mkdir -p $RUN; /ulvs/scripts/host/hugepages set 110 && for nic in ${NICS[*]}; do
        /ulvs/scripts/host/bind-nic bind \$nic --driver $1 || exit 1; done" >"$RUN/bind.log" 2>&1 \
        || { cat "$RUN/bind.log" >&2; die "the guest's NICs can't be bound to $1: its words are above"; }
}

# The lab's file for the guest's NICs: the same addresses and services.
guest_file() {
    local cores=$1 queues=$2
    sed -e "s/net_af_packet0,[^\"]*/${NICS[0]}/; s/net_af_packet1,[^\"]*/${NICS[1]}/; s/^queues = .*/queues = $queues/" \
        -e "s/^huge_pages = .*/huge_pages = true/; s/^memory = .*/memory = 128/; s/^cores = .*/cores = [$cores]/" \
        "$RUN/ulvs.toml" >"$RUN/vm/share/ulvs.toml"
}

# Comes back when ulvsd answers; its words are in $RUN/vm/share/ulvsd.log.
guest_start() {
    guest "setsid ulvsd --config /share/ulvs.toml >/share/ulvsd.log 2>&1 &
        pid=\$!; until ULVS_SOCKET=$RUN/api.sock ulvsctl status >/dev/null 2>&1; do
            kill -0 \$pid 2>/dev/null || exit 1; sleep 0.2; done" \
        || { tail -n 20 "$RUN/vm/share/ulvsd.log" >&2; die "ulvsd does not start in the guest: its words are above"; }
}

# Whether it ended by itself when asked to.
guest_stop() {
    guest "pid=\$(pidof ulvsd) || exit 1; kill -TERM \$pid; for i in \$(seq 100); do
        kill -0 \$pid 2>/dev/null || exit 0; sleep 0.1; done; kill -KILL \$pid; exit 1"
}
