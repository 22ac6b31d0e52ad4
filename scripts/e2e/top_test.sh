#!/usr/bin/env bash
# `ulvsctl top` on a terminal: its tables, a weight changed by keys, and a director that goes and comes back; and what --once prints.
. "$(dirname "$0")/_init.sh"
begin --method nat
# shellcheck disable=SC2016 # the client's variable
lab exec client sh -c 'for i in $(seq 300); do curl -s -o /dev/null --max-time 1 http://10.77.0.101/; sleep 0.05; done' &
traffic=$!
trap 'status=$?; kill $traffic $top 2>/dev/null || true; (exit $status); end' EXIT
top=''

equal "the services with --once" "$(director ulvsctl top --once --sort name | grep -c '^up ')" 4
director ulvsctl top --once --json >"$RUN/top.json"
equal "real servers with --json" "$(jq '[.services.services[].live[]] | length' "$RUN/top.json")" 12
jq -e '.services.services[0] | .name == "tcp 10.77.0.101:80" and .rates.packets_in > 0' "$RUN/top.json" >/dev/null \
    || fail "the busiest service is not the first: $(cat "$RUN/top.json")"
jq -e '.live.samples | length == 1 and .[0].rates.packets_in > 0' "$RUN/top.json" >/dev/null || fail "no rates: $(cat "$RUN/top.json")"
matches "top without a terminal" "$(director ulvsctl top 2>&1 </dev/null)" 'add --once'

# a terminal whose keys come by a pipe, and whose screen goes to a file
mkfifo "$RUN/keys"
export SHELL=/bin/bash ULVS_SOCKET=$RUN/api.sock TERM=xterm
script -qfec "stty rows 24 cols 80; exec '$TARGET/release/ulvsctl' top --search 10.77.0.101:80" "$RUN/screen" <"$RUN/keys" >/dev/null &
top=$!
exec 3>"$RUN/keys"
# on_screen TEXT: it was drawn since the last `forget`. Only what has changed is drawn, and the cursor moves over the rest
on_screen() { sed 's/\x1b\[[0-9;]*H/ /g; s/\x1b\[[0-9;?]*[a-zA-Z]//g' "$RUN/screen" | grep -aqe "$1"; }
forget() { : >"$RUN/screen"; }
eventually 10 on_screen '1-1 of 1,'
eventually 10 on_screen 'tcp 10.77.0.101:80'
printf '\r' >&3
eventually 10 on_screen '10.77.2.12:8080'
weight() { director ulvsctl services --json | jq '.[] | select(.address == "10.77.0.101:80" and .protocol == "tcp").real_servers[0].weight'; }
has() { [ "$(weight)" = "$1" ]; }
printf '+y' >&3
eventually 10 has 2
printf '+n' >&3
printf 'dy' >&3
eventually 10 has 0
director ulvsctl drain --list | grep -q '10.77.2.11:8080' || fail "d has not drained: $(director ulvsctl drain --list)"
forget
stop_ulvsd || fail "ulvsd did not end well"
eventually 15 on_screen OLD
forget
start_ulvsd
eventually 15 on_screen 'packets/s'
equal "the drain after the restart" "$(weight)" 0
printf q >&3
wait $top || fail "top ended with status $?"
top=''
