#!/usr/bin/env bash
# 100,000 HTTP requests with wrk through each method, half over each family: none fails, rr shares are equal within 1 %.
. "$(dirname "$0")/_init.sh"

begin
# In DR and TUN the director never sees the server's FIN. A client that takes a port again meets its old connection there,
# and so its old real server, as with IPVS: requests are then shared as ports come up, not in turn. Short rounds, with
# their connections ended between them, leave few ports to come up twice.
printf '\n[connections]\ntimeout_tcp_fin = 1\n' >>"$RUN/ulvs.toml"
kill -HUP "$ULVSD"
eventually 5 grep -q ' followed: ' "$RUN/ulvsd.log"
of_dr_and_tun='[.[] | .real_servers[] | select(.method != "nat") | .active_connections + .inactive_connections] | add'
few_connections() { [ "$(director ulvsctl services --json | jq "$of_dr_and_tun")" -lt 500 ]; }
rows=
for _ in 1 2 3 4 5; do
    rows+=$(load --protocol http --requests 10000 --concurrency 16 --seconds 60)$'\n'
    eventually 20 few_connections
done
rows=$(jq -cs 'group_by([.method, .family])[] | {method: .[0].method, family: .[0].family,
    requests: (map(.report.requests) | add), failures: (map(.report.failures) | add),
    shares: (map(.report.shares | to_entries[]) | group_by(.key) | map({key: .[0].key, value: (map(.value) | add)}) | from_entries)}' <<<"$rows")
say "$rows"
equal "the number of rows" "$(wc -l <<<"$rows")" 6
equal "the rows without 50,000 requests that succeeded" "$(jq -c 'select(.requests != 50000 or .failures != 0)' <<<"$rows")" ""
uneven=$(jq -c 'select([.shares[]] | length != 3 or (max - min) * 100 > add)' <<<"$rows")
equal "the rows with shares more than 1 % apart" "$uneven" ""

# The director's own counters are even too.
services=$(director ulvsctl services --json)
uneven=$(jq -c '.[] | select(.protocol == "tcp") | [.real_servers[].counters.connections]
    | select(length != 3 or add == 0 or (max - min) * 100 > add)' <<<"$services")
equal "the services with connections more than 1 % apart" "$uneven" ""
nat=$(jq '[.[] | select(.protocol == "tcp") | .real_servers[] | select(.method == "nat").counters.connections] | add' <<<"$services")
[ "$nat" -ge 100000 ] || fail "the director counted $nat NAT connections, must be 100000 or more"
