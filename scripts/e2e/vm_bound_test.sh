#!/usr/bin/env bash
# ulvsd on NICs bound to DPDK, in a guest: NAT, DR and TUN, ARP and ping by the twins, TCP to the director itself, links that go
# down, NICs that are taken away, a restart.
# usage: vm_bound_test.sh [virtio|e1000e] [uio_pci_generic|vfio-pci] [QUEUES]
export ULVS_LAB=${ULVS_LAB:-ulvs-vm}
. "$(dirname "$0")/_init.sh"
. "$ROOT/scripts/vm/lib.sh"
nic=${1:-virtio} driver=${2:-uio_pci_generic} queues=${3:-1}
skip_without_qemu

options=(--nic "$nic" --queues "$queues" --cpus "$queues")
[ "$driver" != vfio-pci ] || options+=(--iommu)
cores=0
[ "$queues" = 1 ] || cores=0,1
lab down >/dev/null
vm up "${options[@]}" >/dev/null
bind "$driver"
guest_file $cores "$queues"
guest_start

# the exception path: ARP, ping, and TCP with the director's own kernel
client ping -c 3 -i 0.2 -W 3 10.77.1.1 >/dev/null || fail "the director's address does not answer a ping"
client ping -c 2 -i 0.2 -W 3 fd00:77:1::1 >/dev/null || fail "the director's IPv6 address does not answer a ping"
head -c 100000 /dev/zero >"$RUN/vm/share/file"
guest "/vm/busybox httpd -p 10.77.1.1:8022 -h /share"
equal "the bytes of the guest's own server" \
    "$(client curl -sSf --max-time 20 -o /dev/null -w '%{size_download}' http://10.77.1.1:8022/file)" 100000

# every method, both families, HTTP and DNS
check_answers || fail "not every virtual address answers"
load --requests 40 >/dev/null

# RSS: with several queues every worker has packets
if [ "$queues" -gt 1 ]; then
    idle=$(ctl status --json | jq '[.workers[] | select(.packets_in == 0)] | length')
    equal "workers without packets" "$idle" 0
fi

# what the doctor says of this machine
ctl doctor /share/ulvs.toml >"$RUN/doctor" || { cat "$RUN/doctor"; fail "the doctor finds something to change"; }

# a link goes down and comes back
vm link 1 down
eventually 15 bash -c "'$TARGET/release/ulvs-xtask' vm run 'ULVS_SOCKET=$RUN/api.sock ulvsctl status' | grep -qE 'lan .*down'"
vm link 1 up
eventually 15 bash -c "'$TARGET/release/ulvs-xtask' vm run 'ULVS_SOCKET=$RUN/api.sock ulvsctl status' | grep -qE 'lan .*up'"
eventually 15 bash -c "'$TARGET/release/ulvs-xtask' lab exec client curl -sSf --max-time 3 http://10.77.0.101/"

# a NIC in use is not given away, and who asks is told who has it
said=$(guest "/ulvs/scripts/host/bind-nic unbind ${NICS[1]}" || true)
matches "the refusal" "$said" 'in use by ulvsd'
check_answers || fail "not every virtual address answers after the refusal"

# a NIC that is taken by force under traffic
taken="echo ${NICS[1]} >/sys/bus/pci/drivers/$driver/unbind"
client curl -s -o /dev/null --max-time 1 'http://10.77.0.102/1m?[1-40]' >/dev/null 2>&1 &
traffic=$!
if [ "$driver" = uio_pci_generic ]; then
    # it is gone at once: ulvsd says so, the other port goes on
    guest "$taken"
    eventually 60 grep -q "port lan: its NIC ${NICS[1]} was taken from ulvsd" "$RUN/vm/share/ulvsd.log"
    matches "the port that lost its NIC" "$(ctl status)" 'lan .*down'
    client ping -c 3 -i 0.2 -W 3 10.77.1.1 >/dev/null || fail "the other port does not go on when a NIC is taken"
    wait "$traffic" || true
else
    # vfio-pci lets it go once nobody has it open: whoever takes it waits, and both ports go on
    guest "setsid sh -c '$taken; echo gone >/share/taken' >/dev/null 2>&1 </dev/null &"
    wait "$traffic" || true
    check_answers || fail "not every virtual address answers while somebody waits for a NIC"
    [ ! -e "$RUN/vm/share/taken" ] || fail "a NIC was taken from ulvsd that had it open by vfio-pci"
fi

# a restart
guest_stop || fail "ulvsd does not end"
[ "$driver" = uio_pci_generic ] || eventually 60 [ -e "$RUN/vm/share/taken" ]
guest "/ulvs/scripts/host/bind-nic bind ${NICS[1]} --driver $driver" >/dev/null
guest_start
check_answers || fail "not every virtual address answers after a restart"

# the NIC goes back to the kernel once nobody has it
guest_stop || fail "ulvsd does not end"
guest "for nic in ${NICS[*]}; do /ulvs/scripts/host/bind-nic unbind \$nic || exit 1; done" >/dev/null
equal "the interfaces the kernel has again" "$(guest 'ls /sys/class/net | grep -vc lo')" 2
