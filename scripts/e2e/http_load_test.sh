#!/usr/bin/env bash
# 100,000 HTTP requests with wrk through each method, half over each family: none fails, rr shares are equal within 1 %.
. "$(dirname "$0")/_init.sh"

begin
rows=$(load --protocol http --requests 50000 --concurrency 16 --seconds 90)
say "$rows"
equal "the number of rows" "$(wc -l <<<"$rows")" 6
uneven=$(jq -c 'select([.report.shares[]] | length != 3 or (max - min) * 100 > add)' <<<"$rows")
equal "the rows with shares more than 1 % apart" "$uneven" ""

# the director counted the same connections, evenly too
services=$(director ulvsctl services --json)
uneven=$(jq -c '.[] | select(.protocol == "tcp") | [.real_servers[].counters.connections]
    | select(length != 3 or add < 50000 or (max - min) * 100 > add)' <<<"$services")
equal "the services with connections more than 1 % apart" "$uneven" ""
