#!/usr/bin/env bash
# SCTP with a real implementation of it (usrsctp: kernels may have none): associations through NAT to another port, DR and TUN, with
# data both ways, IPv4 and IPv6; their states; and what a client hears when nobody serves.
. "$(dirname "$0")/_init.sh"
programs=/usr/lib/usrsctp
[ -x $programs/echo_server ] || { say "skipped: no SCTP programs are here (package libusrsctp-examples)"; exit 0; }

begin
ipvsadm() { director ulvs-run ipvsadm "$@"; }
for number in 1 2 3; do
    # its port is 7; addresses of lo it does not take for its own
    for vip in 10.77.0.102 10.77.0.103; do lab exec rs$number ip address add $vip/32 dev eth0; done
    lab exec rs$number $programs/echo_server </dev/null >"$RUN/sctp$number.log" 2>&1 &
done
# service VIP REAL-SERVER METHOD: port 7007 by NAT, else the server's
service() {
    local number
    ipvsadm -A --sctp-service "$1" -s rr
    for number in 1 2 3; do ipvsadm -a --sctp-service "$1" -r "${2/N/$number}:7" "$3"; done
}
service 10.77.0.101:7007 10.77.2.1N -m
service 10.77.0.102:7 10.77.2.1N -g
service 10.77.0.103:7 10.77.2.1N -i
service '[fd00:77::101]:7007' '[fd00:77:2::1N]' -m

# echo ADDRESS PORT: what comes back of a line and of 5,000 bytes
long=$(head -c 3750 /dev/urandom | base64 --wrap=0)
# shellcheck disable=SC2094 # what comes back is looked at while it comes
echoed() {
    local words="$RUN/words"
    : >"$words"
    # stays until both have come back, or 5 seconds
    {
        printf 'hello\n%s\n' "$long"
        for _ in $(seq 100); do
            [ "$(wc -c <"$words")" -lt $((${#long} + 7)) ] || break
            sleep 0.05
        done
    } | client timeout 10 $programs/client "$1" "$2" >"$words" 2>"$RUN/said" || true
    grep -q '^hello$' "$words" && grep -qF "$long" "$words"
}
# by each of the three real servers
echoes() {
    local round
    for round in 1 2 3; do
        echoed "$1" "$2" || fail "no echo of $1 in round $round: $(head -c 300 "$RUN/words" "$RUN/said")"
    done
}
# it writes whole packets, whose source the routing of real servers does not see
routes() {
    local number
    for number in 1 2 3; do
        lab exec rs$number ip route "$1" 10.77.1.0/24 via 10.77.2.1
        lab exec rs$number ip -6 route "$1" fd00:77:1::/64 via fd00:77:2::1
    done
}
routes add
echoes 10.77.0.101 7007
echoes fd00:77::101 7007
routes del
echoes 10.77.0.102 7
echoes 10.77.0.103 7
# each real server had one of three, and they ended in the states of ends
director ulvsctl services --json >"$RUN/services"
equal "connections of each real server" "$(jq -c '[.[] | select(.protocol == "sctp") | .real_servers[].counters.connections] | unique' "$RUN/services")" '[1]'
matches "the states of SCTP" "$(ipvsadm -Lnc | grep SCTP)" 'SCTP .* (CLOSED|SHUT_|ESTABLISHED)'
