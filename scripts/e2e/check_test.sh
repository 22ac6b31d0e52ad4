#!/usr/bin/env bash
# `ulvsd --check` reports every mistake of a file at once, each with its line and column.
. "$(dirname "$0")/_init.sh"

directory=$(mktemp -d)
file=$directory/ulvs.toml
cat >"$file" <<'TOML'
[workers]
cores = [0, 0]
poll = "sometimes"

[[port]]
name = "wan"
device = "net_af_packet0,iface=wan"
colour = "blue"
addresses = ["10.77.1.1/33"]

[[service]]
address = "10.77.0.101"
protocol = "icmp"

[[service.real_server]]
address = "10.77.2.11:8080"
method = "magic"
weight = -1
TOML
status=0
said=$("$TARGET/release/ulvsd" --check "$file" 2>&1) || status=$?
say "$said"
[ $status != 0 ] || fail "a file with mistakes was accepted"
for line in 2 3 8 9 12 13 17 18; do
    matches "the report on line $line" "$said" "ulvs\.toml:$line:[0-9]+"
done

# the lab's own file has none
lab down >/dev/null
lab up >/dev/null
"$TARGET/release/ulvsd" --check "$RUN/ulvs.toml" || fail "the lab's own file is not accepted"
rm -r "$directory"
