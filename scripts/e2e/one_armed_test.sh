#!/usr/bin/env bash
# A director with one port, among the real servers: the same file but for the port, the same twelve services.
. "$(dirname "$0")/_init.sh"

begin --arms 1
check_answers || fail "not every service answers"
rows=$(load --requests 500 --seconds 30)
say "$rows"
equal "the number of rows" "$(wc -l <<<"$rows")" 12
client ping -q -c 2 -i 0.2 -W 2 10.77.0.101 >/dev/null || fail "the virtual address does not answer ping"
