#!/usr/bin/env bash
# Connections are searched and counted while they come and go.
. "$(dirname "$0")/_init.sh"

begin --method nat
conns() { director ulvsctl conns "$@"; }
# refused SENTENCE ARGUMENT...: ulvsctl says it
refused() {
    local sentence=$1
    shift
    if conns "$@" >"$RUN/out" 2>&1; then fail "ulvsctl conns $* is not refused"; fi
    grep -qF -- "$sentence" "$RUN/out" || fail "ulvsctl conns $* says: $(cat "$RUN/out")"
}
for _ in 1 2 3 4 5 6; do client curl --silent --fail --max-time 3 http://10.77.0.101/ >/dev/null; done
client curl --silent --fail --max-time 3 'http://[fd00:77::101]/' >/dev/null

equal "connections of the client" "$(conns --client 10.77.1.0/24 --count)" 6
equal "those over IPv6" "$(conns --client fd00:77::/32 --count)" 1
equal "those of nobody" "$(conns --client 192.0.2.1 --count)" 0
equal "rows of one real server" "$(conns --real 10.77.2.11 --limit 0 | grep -c '10\.77\.2\.11:')" 2
equal "rows of the service" "$(conns --service 10.77.0.101:80 --proto tcp | grep -c '^TCP ')" 6
equal "rows, two at most" "$(conns --service 10.77.0.101 --limit 2 | grep -c '^TCP ')" 2
matches "who has most" "$(conns --top client --client 10.77.1.0/24)" $'CONNECTIONS +SHARE +CLIENT\n +6 +100\.0 % +10\.77\.1\.10\nof 6 in all'
equal "real servers with equal shares" "$(conns --service 10.77.0.101:80 --top real --json | jq -c '[.groups[].connections]')" '[2,2,2]'
equal "the JSON of a row" "$(conns --service '[fd00:77::101]:80' --json | jq -r '.connections[0].virtual')" '[fd00:77::101]:80'
refused 'give a prefix, as 192.0.2.0/24' --client nobody
refused 'choose among NONE, ESTABLISHED' --state OPEN
refused 'give an address, with or without a port' --service web
