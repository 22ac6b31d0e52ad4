#!/usr/bin/env bash
# Own health checks: real servers that die are taken out and put back, a sorry server takes over, a drain finishes.
. "$(dirname "$0")/_init.sh"

begin --method nat
file=$RUN/ulvs.toml
service=10.77.0.101:8000
# write CHECK-LINES SERVICE-LINES: a service of rs1 and rs2 with these lines; rs3 is its sorry server
cp "$file" "$RUN/first.toml"
write() {
    {
        cat "$RUN/first.toml"
        printf '\n[check.web]\ntype = "http"\nbody = "rs"\ninterval = 200\ntimeout = 500\nrise = 2\nfall = 2\n%s\n' "$1"
        printf '\n[[service]]\naddress = "%s"\nprotocol = "tcp"\nscheduler = "wrr"\nchecks = ["web"]\n%s\n' "$service" "$2"
        printf 'sorry_server = { address = "10.77.2.13:8080", method = "nat" }\n'
        for number in 1 2; do
            printf '\n[[service.real_server]]\naddress = "10.77.2.1%s:8080"\nmethod = "nat"\nweight = 4\n' $number
        done
    } >"$file.new"
    mv "$file.new" "$file"
    kill -HUP "$ULVSD"
}
break_server() {
    lab exec "$1" nft 'add table inet dead; add chain inet dead in { type filter hook input priority 0; }; add rule inet dead in tcp dport 8080 reject with tcp reset'
}
mend_server() { lab exec "$1" nft delete table inet dead; }
# STATE WEIGHT CONFIGURED FORWARDED of a real server, as the API has it
real() {
    director ulvsctl services --json | jq -r --arg service "$service" --arg real "10.77.2.1$1:8080" '.[]
        | select(.address == $service) | .real_servers[] | select(.address == $real)
        | "\(.health) \(.weight) \(.configured_weight) \(.forwarded)"'
}
real_is() { [ "$(real "$1")" = "$2" ]; }
answers() { for _ in 1 2 3 4 5 6; do client curl --silent --max-time 3 "http://$service/" || return 1; done | grep -o 'rs[0-9]' | sort -u | tr '\n' ' '; }
answered_by() { [ "$(answers)" = "$1" ]; }

write '' ''
eventually 10 real_is 1 'up 4 4 true'
eventually 10 answered_by 'rs1 rs2 '

# one dies: it is taken out, and nobody meets it
break_server rs1
eventually 10 real_is 1 'down 0 4 false'
equal "the answers without rs1" "$(answers)" 'rs2 '
! director ulvs-run ipvsadm -Ln -t "$service" | grep -q 10.77.2.11 || fail "ipvsadm lists what is taken out"
# an edit meanwhile is kept for later, and a reload puts nothing back
sed -i '0,/^weight = 4/s//weight = 5/' "$file"
kill -HUP "$ULVSD"
eventually 10 real_is 1 'down 0 5 false'

# both die: the sorry server serves alone
break_server rs2
eventually 10 answered_by 'rs3 '
director ulvsctl services | grep -q 'no quorum' || fail "ulvsctl does not say that there is no quorum"

# they come back, and the sorry server goes
mend_server rs1
mend_server rs2
eventually 10 answered_by 'rs1 rs2 '
equal "rs1" "$(real 1)" 'up 5 5 true'
equal "lines that say that rs1 is down" "$(grep -c 'real server is down.*10.77.2.11:8080' "$RUN/ulvsd.log")" 1
equal "lines that say that rs1 is up" "$(grep -c 'real server is up.*10.77.2.11:8080' "$RUN/ulvsd.log")" 1

# inhibited instead of removed: connections go on, new ones go elsewhere
write '' 'inhibit_on_failure = true'
break_server rs1
eventually 10 real_is 1 'down 0 4 true'
director ulvs-run ipvsadm -Ln -t "$service" | grep -q '10.77.2.11:8080.*Masq *0 ' || fail "ipvsadm does not show weight 0"
mend_server rs1
eventually 10 real_is 1 'up 4 4 true'

# a drain: a check does not end it; it ends when the connection does
rest=$RUN/slow
"$TARGET/release/ulvs-xtask" lab exec client bash -c "exec 3<>/dev/tcp/${service/://}; exec sleep 100" &
slow=$!
has_connection() { director ulvsctl services --json | jq -e --arg service "$service" '.[] | select(.address == $service) | .real_servers | map(.active_connections) | add > 0'; }
eventually 10 has_connection
busy=$(director ulvsctl services --json | jq -r --arg service "$service" '.[] | select(.address == $service) | .real_servers[] | select(.active_connections > 0) | .address' | head -n 1)
if director ulvsctl drain "$service" "$busy" --wait --timeout 1s >"$rest" 2>&1; then fail "a drain ended with a connection left: $(cat "$rest")"; fi
grep -q 'is not empty after 1 s: 1 active connection, ' "$rest" || fail "the drain says: $(cat "$rest")"
number=${busy#10.77.2.1}
number=${number%%:*}
break_server "rs$number"
eventually 10 real_is "$number" 'down 0 4 true'
mend_server "rs$number"
eventually 10 real_is "$number" 'up 0 4 true'
# the director keeps a deadline by itself: the real server is taken out with the connection it still has
director ulvsctl drain "$service" "$busy" --remove --timeout 3s >"$rest"
director ulvsctl drain --list | grep -q "$busy *drained, out within [1-4]s *1 " || fail "the list is: $(director ulvsctl drain --list)"
eventually 10 real_is "$number" 'up 0 4 false'
grep -q "a drained real server is taken out: its time is over, with 1 active connection service=tcp $service real_server=$busy state=\"removed\"" "$RUN/ulvsd.log" || fail "the log does not say what was cut"
director ulvsctl undrain "$service" "$busy" >/dev/null
eventually 10 real_is "$number" 'up 4 4 true'
kill "$slow" 2>/dev/null || true
wait "$slow" 2>/dev/null || true
director ulvsctl drain "$service" "$busy" --wait --timeout 150s --remove >"$rest" || fail "the drain did not finish: $(cat "$rest")"
real_is "$number" 'up 0 4 false' || fail "after the drain it is $(real "$number")"
director ulvsctl undrain "$service" "$busy" >/dev/null
eventually 10 real_is "$number" 'up 4 4 true'

# metrics tell the same
director curl --silent 'http://127.0.0.1:9477/metrics?scope=real' >"$RUN/metrics"
grep -q '^ulvs_real_server_up{.*remote_address="10.77.2.11".*} 1$' "$RUN/metrics" || fail "no metric of rs1"
grep -q '^ulvs_check_failed_probes_total{check="web",type="http"} [1-9]' "$RUN/metrics" || fail "no metric of failed probes"
