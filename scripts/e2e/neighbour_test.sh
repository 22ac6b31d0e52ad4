#!/usr/bin/env bash
# The director forgets its neighbours under traffic, again and again: connections go on.
. "$(dirname "$0")/_init.sh"

begin
load --protocol http --requests 4000 --seconds 60 >"$RUN/rows" &
traffic=$!
flushes=0
while kill -0 $traffic 2>/dev/null; do
    director ip neigh flush dev ulvs1
    director ip neigh flush dev ulvs0
    flushes=$((flushes + 1))
    sleep 0.2
done
wait $traffic || fail "requests failed while neighbours were flushed"
cat "$RUN/rows"
say "flushed $flushes times"
[ $flushes -ge 5 ] || fail "the traffic was over after $flushes flushes: nothing was tested"
