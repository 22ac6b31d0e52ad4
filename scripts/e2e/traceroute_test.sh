#!/usr/bin/env bash
# traceroute and mtr through the virtual addresses of all methods: the director is a hop, which answers as the address that was
# asked for, and behind it is the real server.
. "$(dirname "$0")/_init.sh"
for program in traceroute mtr; do
    command -v $program >/dev/null || { say "skipped: $program is not here (packages traceroute, mtr-tiny)"; exit 0; }
done

begin
check_answers || fail "a virtual address does not answer"
# hops HOST OPTION...: the addresses that answered, one a line
hops() {
    local host=$1
    shift
    client traceroute -n -q 1 -w 2 -m 4 "$@" "$host" | sed 1d | awk '{ print $2 }'
}
# a director that is a hop and answers as the virtual address; the connection that is made is the real server's at the second
for number in 1 2 3; do
    for vip in 10.77.0.10$number fd00:77::10$number; do
        equal "the hops of SYNs to $vip" "$(hops "$vip" -T -p 80 | paste -sd' ')" "$vip $vip"
    done
    equal "the hops of UDP to 10.77.0.10$number" "$(hops 10.77.0.10$number -U -p 53 | head -n 1)" "10.77.0.10$number"
    # echo requests are the kernel's on the director: one hop
    equal "the hops of mtr to 10.77.0.10$number" "$(client mtr -n -r -c 2 -i 0.2 -m 4 --json 10.77.0.10$number |
        jq -c '[.report.hubs[].host]')" "[\"10.77.0.10$number\"]"
    equal "what mtr by TCP lost to 10.77.0.10$number" "$(client mtr -n -r -c 2 -i 0.2 -m 4 -T -P 80 --json 10.77.0.10$number |
        jq -c '[.report.hubs[] | .host, (."Loss%" | floor)]')" "[\"10.77.0.10$number\",0]"
done
# every such answer was counted as what it is
matches "drops by TTL" "$(director ulvsctl status --json | jq -c .drops)" 'ttl_exceeded'
