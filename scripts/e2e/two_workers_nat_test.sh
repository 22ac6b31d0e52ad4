#!/usr/bin/env bash
# 10,000 NAT connections with two workers: the kernel's hash puts about half of the replies on the other worker's queue
# than the requests; all of them succeed.
. "$(dirname "$0")/_init.sh"
[ "$(nproc)" -ge 2 ] || { say "skipped: two workers need two cores"; exit 0; }

begin --workers 2 --method nat
rows=$(load --requests 2500 --seconds 60)
say "$rows"
equal "the number of rows" "$(wc -l <<<"$rows")" 4
equal "the requests" "$(jq -s 'map(.report.requests) | add' <<<"$rows")" 10000

# each worker has a fair part of the packets
status=$(director ulvsctl status --json)
equal "the number of workers" "$(jq '.workers | length' <<<"$status")" 2
idle=$(jq -c '([.workers[].forwarded] | add) as $all | .workers[] | select(.forwarded * 10 < $all)' <<<"$status")
equal "the workers with less than a tenth of the packets" "$idle" ""
