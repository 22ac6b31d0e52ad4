#!/usr/bin/env bash
# Each connection that ends is told once, with where it went and why: as a line of JSON, and to nfdump's collector by IPFIX.
. "$(dirname "$0")/_init.sh"
for program in nfcapd nfdump; do
    command -v $program >/dev/null || { say "skipped: $program is not here (package nfdump)"; exit 0; }
done

lab down >/dev/null
lab up >/dev/null
flows=$RUN/flows.json collected=$RUN/collected
mkdir -p "$collected"
cat >>"$RUN/ulvs.toml" <<TOML

[flows]
json = "$flows"
ipfix = "127.0.0.1:4739"
TOML
# what is read only in its place: short timeouts
grep -q '^\[connections\]' "$RUN/ulvs.toml" || printf '\n[connections]\ntimeout_tcp_fin = 2\ntimeout_udp = 2\n' >>"$RUN/ulvs.toml"
setsid "$TARGET/release/ulvs-xtask" lab exec director nfcapd -b 127.0.0.1 -p 4739 -w "$collected" -t 60 </dev/null >"$RUN/nfcapd.log" 2>&1 &
collector=$!
start_ulvsd

# records FILTER: how many lines of JSON fit it
records() { jq -s "[.[] | select($1)] | length" "$flows"; }
counted() { [ "$(records "$2")" = "$1" ]; }
metric() { director curl --silent --max-time 5 http://127.0.0.1:9477/metrics | sed -n "s/^$1 //p"; }

# of DR the director sees no reply: after the client's FIN the connection has two seconds
for _ in 1 2 3; do client curl --silent --fail --max-time 3 http://10.77.0.102/ >/dev/null; done
client curl --silent --fail --max-time 3 'http://[fd00:77::102]/' >/dev/null
client dig +short +time=2 +tries=2 @10.77.0.101 who.lab TXT >/dev/null
client dig +short +time=2 +tries=2 @fd00:77::103 who.lab TXT >/dev/null
eventually 30 counted 3 '.reason == "closed" and .method == "dr" and .virtual == "10.77.0.102:80"'
eventually 30 counted 1 '.reason == "closed" and .virtual == "[fd00:77::102]:80"'
eventually 30 counted 1 '.reason == "idle" and .protocol == "udp" and .method == "nat" and .virtual == "10.77.0.101:53"'
eventually 30 counted 1 '.reason == "idle" and .protocol == "udp" and .method == "tun"'
now=$(date +%s%3N)
equal "records with times that can't be" "$(records ".began > .last_packet or .last_packet > .ended or .ended > $now or .began < $now - 60000")" 0
equal "records by somebody else" "$(records '(.client | test("^(10.77.1.10|.fd00:77:1::10.):")) | not')" 0

# a connection that is not closed, and whose real server goes
director ulvsctl set expire_nodest_conn 1 >/dev/null
client curl --silent --fail --max-time 3 http://10.77.0.101/ >/dev/null
# ulvs-run is how ipvsadm comes to ulvsd
for number in 1 2 3; do director ulvs-run ipvsadm -d -t 10.77.0.101:80 -r "10.77.2.1$number:8080"; done
eventually 10 counted 1 '.reason == "destination_removed" and .method == "nat" and .virtual == "10.77.0.101:80" and (.real_server | test("^10.77.2.1[123]:8080$"))'

# moved away, it is begun anew, and nothing is lost
total=$(jq -s length "$flows")
mv "$flows" "$flows.1"
begun() { [ -e "$flows" ]; }
eventually 5 begun
client dig +short +time=2 +tries=2 @10.77.0.102 who.lab TXT >/dev/null
eventually 30 counted 1 '.virtual == "10.77.0.102:53"'
equal "lines in the old file" "$(jq -s length "$flows.1")" "$total"
total=$((total + 1))
equal "records written" "$(metric 'ulvs_flow_records_total{to="json"}')" "$total"
equal "records sent" "$(metric 'ulvs_flow_records_total{to="ipfix"}')" "$total"
equal "records lost in the queue" "$(metric 'ulvs_worker_flow_records_lost_total{worker="0"}')" 0

# what the collector has understood
kill -TERM "$collector"
wait "$collector" || true
nfdump -q -6 -R "$collected" -o 'fmt:%sa %sp %da %dp %nda %nh' >"$RUN/nfdump" 2>"$RUN/nfdump.log" || fail "nfdump: $(cat "$RUN/nfdump.log")"
# client, virtual address, real server: of NAT the address after translation, else the next hop
told=$(awk '{ print $1, $2, $3, $4, $5 == "0.0.0.0" || $5 == "::" ? $6 : $5 }' "$RUN/nfdump" | sort)
ends() { jq -r '[.client, .virtual, .real_server] | map(capture("^\\[?(?<ip>[^]]*?)\\]?:(?<port>[0-9]+)$")) | "\(.[0].ip) \(.[0].port) \(.[1].ip) \(.[1].port) \(.[2].ip)"' "$@"; }
equal "what the collector has" "$told" "$(ends "$flows.1" "$flows" | sort)"
