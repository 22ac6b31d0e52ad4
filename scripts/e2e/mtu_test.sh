#!/usr/bin/env bash
# A packet too big for the tunnel comes back as ICMP with the right MTU, and megabytes pass both ways through each method.
. "$(dirname "$0")/_init.sh"

# path_mtu ADDRESS: what the client's kernel has learned
path_mtu() { client ip route get "$1" | sed -n 's/.* mtu \([0-9]*\).*/\1/p'; }
megabytes() {
    local number host
    for number in 101 102 103; do
        for host in 10.77.0.$number "[fd00:77::$number]"; do
            equal "bytes down from $host" \
                "$(client curl -sSf --max-time 10 -o /dev/null -w '%{size_download}' "http://$host/1m")" 1048576
            equal "bytes up to $host" \
                "$(client curl -sSf --max-time 10 --data-binary "@$RUN/rs1/1m" -H Expect: "http://$host/upload")" 1048576
        done
    done
}
begin
megabytes
equal "the path MTU of 4-in-4" "$(path_mtu 10.77.0.103)" 1480
equal "the path MTU of 6-in-6" "$(path_mtu fd00:77::103)" 1460
equal "the path MTU of NAT" "$(path_mtu 10.77.0.101)" ""
equal "the path MTU of DR" "$(path_mtu fd00:77::102)" ""
stop_ulvsd

begin --cross
megabytes
equal "the path MTU of 4-in-6" "$(path_mtu 10.77.0.103)" 1460
equal "the path MTU of 6-in-4" "$(path_mtu fd00:77::103)" 1480
