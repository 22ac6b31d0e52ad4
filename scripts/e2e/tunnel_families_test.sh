#!/usr/bin/env bash
# Tunnels that cross address families: IPv4 services over IPv6 and the other way round.
. "$(dirname "$0")/_init.sh"

begin --cross --method tun
rows=$(load --requests 1000 --seconds 30)
say "$rows"
equal "the number of rows" "$(wc -l <<<"$rows")" 4
equal "the rows without three real servers" "$(jq -c 'select(.report.shares | length != 3)' <<<"$rows")" ""
