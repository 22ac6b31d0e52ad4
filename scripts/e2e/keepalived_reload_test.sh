#!/usr/bin/env bash
# keepalived reloads 100 times under load, each time with other weights and a real server more or less: no request to those
# that stay fails, and a connection that is there stays. Before that: 100 services of 10 real servers come up in less than 2 seconds.
. "$(dirname "$0")/_init.sh"

VIP=10.77.0.101
KEEPALIVED=
ipvsadm() { director ulvs-run ipvsadm "$@"; }
# a command in the lab that a background job becomes: its pid is the command's own
inside=("$TARGET/release/ulvs-xtask" lab exec)
run_keepalived() {
    "${inside[@]}" director ulvs-run keepalived --dont-fork --check --no-syslog --log-console --use-file "$RUN/keepalived.conf" \
        --pid "$RUN/keepalived.pid" --checkers_pid "$RUN/checkers.pid" </dev/null >"$RUN/keepalived.log" 2>&1 &
    KEEPALIVED=$!
}
stop_keepalived() {
    kill -TERM "$KEEPALIVED"
    wait "$KEEPALIVED" || fail "keepalived ended with an error: $(tail -n 3 "$RUN/keepalived.log")"
    KEEPALIVED=
}
finish() {
    local status=$?
    trap - EXIT
    # shellcheck disable=SC2046 # one word for each
    kill -TERM $(jobs -p) 2>/dev/null || true
    (exit $status) || end
    end
}
# service PORT SCHEDULER SECONDS-BETWEEN-CHECKS
service() { printf 'virtual_server %s %s {\n lb_algo %s\n delay_loop %s\n lb_kind NAT\n protocol TCP\n' $VIP "$@"; }
# real ADDRESS PORT WEIGHT
real() { printf ' real_server %s %s {\n weight %s\n TCP_CHECK {\n connect_timeout 3\n }\n }\n' "$1" "$2" "$3"; }
lines() { ipvsadm -Sn | grep -c -- "^-a .* -r 10\.77\.2\." || true; }

begin --method nat
trap finish EXIT
sed -i '/^\[\[service/,$d' "$RUN/ulvs.toml"
kill -HUP "$ULVSD"
eventually 5 grep -q ' followed: ' "$RUN/ulvsd.log"

# 1000 real servers. They are checked, too: their addresses are rs1's to rs3's, on ports that answer
for port in $(seq 20001 20100); do
    service "$port" wlc 30
    for number in 1 2 3 4 5 6 7 8 9 10; do real 10.77.2.1$((number % 3 + 1)) $((7000 + number)) 1; done
    echo '}'
done >"$RUN/keepalived.conf"
for number in 1 2 3; do
    lab exec rs$number nft 'add table ip ports; add chain ip ports in { type nat hook prerouting priority -100; }; add rule ip ports in tcp dport 7001-7010 redirect to :8080'
done
began=$(date +%s%N)
run_keepalived
all_there() { [ "$(ipvsadm -Sn | grep -c '^-a')" = 1000 ]; }
until all_there; do
    [ $((($(date +%s%N) - began) / 1000000)) -lt 20000 ] || fail "1000 real servers did not come up"
done
took=$((($(date +%s%N) - began) / 1000000))
say "100 services of 10 real servers came up in $took ms"
[ $took -lt 2000 ] || fail "that is more than 2000 ms"
stop_keepalived
equal "what keepalived leaves" "$(ipvsadm -Sn)" ""

# configured NUMBER: rs3 in and out, the weights of the others its marks. rs3 has weight 0: as with IPVS, connections to a real
# server that is taken out stall until it is back.
configured() {
    {
        service 80 wrr 1
        real 10.77.2.11 8080 $(($1 % 7 + 1))
        real 10.77.2.12 8080 $(($1 % 5 + 1))
        [ $(($1 % 2)) = 0 ] || real 10.77.2.13 8080 0
        echo '}'
    } >"$RUN/keepalived.conf.new"
    mv "$RUN/keepalived.conf.new" "$RUN/keepalived.conf"
}
is_configured() {
    local expected
    expected="-a -t $VIP:80 -r 10.77.2.11:8080 -m -w $(($1 % 7 + 1))"$'\n'"-a -t $VIP:80 -r 10.77.2.12:8080 -m -w $(($1 % 5 + 1))"
    [ $(($1 % 2)) = 0 ] || expected+=$'\n'"-a -t $VIP:80 -r 10.77.2.13:8080 -m -w 0"
    [ "$(ipvsadm -Sn | grep '^-a')" = "$expected" ]
}
configured 1
run_keepalived
eventually 10 is_configured 1
"${inside[@]}" client wrk --threads 1 --connections 16 --duration 600s --latency "http://$VIP/" >"$RUN/wrk" 2>&1 &
wrk=$!
# new connections all the time, of which none may fail
"${inside[@]}" client sh -c 'while :; do curl --silent --show-error --output /dev/null --max-time 5 http://'$VIP'/ || echo failed; done' >"$RUN/curl" 2>&1 &
curl=$!
# one connection from before the first reload to after the last
mkfifo "$RUN/request"
"${inside[@]}" client bash -c "exec 3<>/dev/tcp/$VIP/80; cat <&3 & exec cat >&3" <"$RUN/request" >"$RUN/response" 2>&1 &
exec 9>"$RUN/request"
# request COUNT: on it, and the answer
request() {
    printf 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' >&9
    eventually 5 sh -c "[ \$(grep -c '^rs[123]' '$RUN/response') = $1 ]"
}
request 1
for number in $(seq 2 101); do
    configured "$number"
    kill -HUP "$KEEPALIVED"
    eventually 10 is_configured "$number"
done
request 2
exec 9>&-
equal "real servers on one connection" "$(grep '^rs' "$RUN/response" | sort -u | wc -l)" 1
kill -0 $wrk 2>/dev/null || fail "the load was over before the last reload: nothing was tested: $(cat "$RUN/wrk")"
kill -INT $wrk
wait $wrk || true
kill $curl
cat "$RUN/wrk"
matches "what wrk says" "$(cat "$RUN/wrk")" '[0-9]+ requests in '
! grep -E 'Socket errors|Non-2xx' "$RUN/wrk" || fail "requests failed"
equal "connections that failed" "$(cat "$RUN/curl")" ""
stop_keepalived
