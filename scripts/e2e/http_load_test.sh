#!/usr/bin/env bash
# 100,000 HTTP requests with wrk through each method, half over each family: none fails, rr shares are equal within 1 %.
. "$(dirname "$0")/_init.sh"

begin
rows=$(load --protocol http --requests 50000 --concurrency 16 --seconds 90)
say "$rows"
equal "the number of rows" "$(wc -l <<<"$rows")" 6
uneven=$(jq -c 'select([.report.shares[]] | length != 3 or (max - min) * 100 > add)' <<<"$rows")
equal "the rows with shares more than 1 % apart" "$uneven" ""

# The director's own counters are even too. In DR and TUN they count fewer connections than there were requests: wrk takes
# a port again while the director, which never sees the server's FIN, still has the connection, as IPVS would.
services=$(director ulvsctl services --json)
uneven=$(jq -c '.[] | select(.protocol == "tcp") | [.real_servers[].counters.connections]
    | select(length != 3 or add == 0 or (max - min) * 100 > add)' <<<"$services")
equal "the services with connections more than 1 % apart" "$uneven" ""
nat=$(jq '[.[] | select(.protocol == "tcp") | .real_servers[] | select(.method == "nat").counters.connections] | add' <<<"$services")
[ "$nat" -ge 100000 ] || fail "the director counted $nat NAT connections, must be 100000 or more"
