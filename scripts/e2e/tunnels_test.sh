#!/usr/bin/env bash
# GUE and GRE, with and without checksums, over IPv4 and IPv6 and across: real servers unpack them, and what is on the wire is what
# was said. Set by ulvsctl and kept over a restart, by the file with diff, apply and rollback, and seen by ipvsadm; what ipvsadm saves comes back by an import.
. "$(dirname "$0")/_init.sh"
command -v tcpdump >/dev/null || { say "skipped: packets are looked at with tcpdump (package tcpdump)"; exit 0; }

v4=10.77.0.103 v6=fd00:77::103
ipvsadm() { director ulvs-run ipvsadm "$@"; }
# each real server of the TCP services with its service
real_servers() {
    director ulvsctl services --json | jq -r '.[] | select(.protocol == "tcp") | .address as $vip | .real_servers[] | "tcp:\($vip) \(.address)"'
}
# wrap OPTION...: all of them, by the API
wrap() {
    local service server
    while read -r service server; do
        director ulvsctl real edit "$service" "$server" "$@" </dev/null >>"$RUN/changes" || fail "the tunnel $* is refused"
    done < <(real_servers)
}
path_mtu() { client ip route get "$1" | sed -n 's/.* mtu \([0-9]*\).*/\1/p'; }
# serves WHAT MTU4 MTU6: both virtual addresses, by all real servers, a little down and much up; and what the client learned
serves() {
    local host
    client ip route flush cache
    client ip -6 route flush cache
    for host in $v4 "[$v6]"; do
        equal "who answers at $host by $1" \
            "$(for _ in 1 2 3; do client curl -sS --max-time 5 "http://$host/" 2>&1; done | sort | tr '\n' ' ')" "rs1 rs2 rs3 "
        equal "bytes up to $host by $1" \
            "$(client curl -sSf --max-time 20 --data-binary "@$RUN/rs1/1m" -H Expect: "http://$host/upload" 2>&1)" 1048576
    done
    equal "the path MTU of IPv4 in $1" "$(path_mtu $v4)" "$2"
    equal "the path MTU of IPv6 in $1" "$(path_mtu $v6)" "$3"
}
# over WHAT MTU4 MTU6 FILTER REGEX: serves, and each packet that rs1 gets so has a line like this
over() {
    local tcpdump
    lab exec rs1 timeout 30 tcpdump -nvv -i eth0 -s 0 -c 12 "$4" </dev/null >"$RUN/wire" 2>"$RUN/tcpdump" &
    tcpdump=$!
    eventually 5 grep -q listening "$RUN/tcpdump"
    serves "$1" "$2" "$3"
    wait $tcpdump || fail "rs1 gets no packets of $1: $(cat "$RUN/wire")"
    equal "the packets of $1 that are like '$5'" "$(grep -Ec -- "$5" "$RUN/wire")" 12
}
# tcpdump calls none wrong over IPv6
none='\[no cksum\]|bad udp cksum 0x0000 '
gue='udp dst port 6080' gre='ip proto 47 or ip6 proto 47'

begin --method tun
wrap --tun-type gue --tun-port 6080
over "GUE" 1468 1448 "$gue" "$none"
matches "ulvsctl's services" "$(director ulvsctl services)" 'tun gue 6080  '
matches "ipvsadm's tunnels" "$(ipvsadm -Ln --tun-info)" '10\.77\.2\.11:80 +Tunnel +gue:6080:-c '
wrap --tun-checksum csum
over "GUE with a checksum" 1468 1448 "$gue" '\[udp sum ok\]'
wrap --tun-checksum remcsum
over "GUE with a remote checksum" 1468 1448 "$gue" '\[udp sum ok\]'
wrap --tun-type gre
over "GRE" 1476 1456 "$gre" 'GREv0, Flags \[none\]'
wrap --tun-checksum csum
over "GRE with a checksum" 1472 1452 "$gre" 'GREv0, Flags \[checksum present\]'

# a restart keeps them. The file: what others edited stays till it says something new, and a rollback takes that back
stop_ulvsd
start_ulvsd
matches "whose they are" "$(director ulvsctl services | grep -- '-> *10\.77\.2\.11:80 ')" 'tun gre csum .*file\*'
sed -i 's/^method = "tun"$/&\ntun_type = "gue"\ntun_port = 6080\ntun_checksum = "csum"/' "$RUN/ulvs.toml"
director ulvsctl diff >"$RUN/changes"
grep -qxF "~ tcp $v4:80 real server 10.77.2.11:80 tun weight 1 gre csum -> tun weight 1 gue 6080 csum" "$RUN/changes" \
    || fail "the difference is $(cat "$RUN/changes")"
director ulvsctl apply >/dev/null
over "the file's GUE" 1468 1448 "$gue" '\[udp sum ok\]'
director ulvsctl rollback >/dev/null
serves "IPIP after a rollback" 1480 1460
director ulvsctl apply >"$RUN/changes"
matches "what the file says after a rollback" "$(cat "$RUN/changes")" '^no changes'

# what is wrong is told, and nothing is done
sed 's/^method = "tun"$/&\ntun_type = "gue"/' "$RUN/ulvs.toml" >"$RUN/wrong.toml"
if director ulvsctl check "$RUN/wrong.toml" >"$RUN/told" 2>&1; then fail "GUE without a port is taken"; fi
grep -q 'needs the UDP port of its far end: say .tun_port.' "$RUN/told" || fail "told is $(cat "$RUN/told")"
if director ulvsctl real edit tcp:$v4:80 10.77.2.11 --tun-type gre --tun-checksum remcsum 2>"$RUN/told"; then fail "GRE has no remcsum"; fi
grep -q 'tun-checksum: a tunnel of type gre has no remcsum' "$RUN/told" || fail "told is $(cat "$RUN/told")"

# ipvsadm's rules and back
ipvsadm -A -t $v4:81 -s rr
ipvsadm -a -t $v4:81 -r 10.77.2.11 -i --tun-type gue --tun-port 6080 --tun-remcsum
ipvsadm -a -t $v4:81 -r 10.77.2.12 -i --tun-type gre --tun-csum
ipvsadm -a -t $v4:81 -r 10.77.2.13 -i --tun-type gre
ipvsadm -Sn | grep ":81 " >"$RUN/rules"
ipvsadm -D -t $v4:81
director ulvsctl import ipvsadm "$RUN/rules" --apply --config "$RUN/ulvs.toml" >/dev/null 2>"$RUN/told" || fail "no import: $(cat "$RUN/told")"
equal "the lines that are told" "$(wc -l <"$RUN/told")" 1
equal "the rules that ipvsadm saves" "$(ipvsadm -Sn | grep ':81 ')" "$(cat "$RUN/rules")"
stop_ulvsd

begin --cross --method tun
wrap --tun-type gue --tun-port 6080
over "GUE across" 1448 1468 "$gue" "$none"
wrap --tun-type gre --tun-checksum csum
over "GRE across" 1452 1472 "$gre" 'GREv0, Flags \[checksum present\]'
