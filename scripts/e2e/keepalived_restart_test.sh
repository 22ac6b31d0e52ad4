#!/usr/bin/env bash
# ulvsd is killed and started again under a keepalived that goes on: every entry is back once, and what keepalived found out
# meanwhile, or was told by a reload, is so after it.
. "$(dirname "$0")/_init.sh"

VIP=10.77.0.101
ipvsadm() { director ulvs-run ipvsadm "$@"; }
finish() {
    local status=$?
    trap - EXIT
    [ $status = 0 ] || grep -av "Changing weight\|Shutting down\|Activating\|Gained\|Adding" "$RUN/keepalived.log" | tail -n 30
    kill -TERM "$KEEPALIVED" 2>/dev/null && wait "$KEEPALIVED"
    (exit $status) || end
    end
}
# configure WEIGHT: 20 services of three real servers, the third with this weight
configure() {
    local port number weight
    for port in $(seq 8001 8020); do
        printf 'virtual_server %s %s {\n delay_loop 1\n protocol TCP\n lb_algo wrr\n lb_kind NAT\n' $VIP "$port"
        for number in 1 2 3; do
            [ $number = 3 ] && weight=$1 || weight=1
            printf ' real_server 10.77.2.1%s 8080 {\n weight %s\n TCP_CHECK {\n connect_timeout 1\n retry 0\n }\n }\n' $number "$weight"
        done
        echo '}'
    done >"$RUN/keepalived.conf"
}
# has COUNT WEIGHT: the real servers, and those of them with the weight of the third
has() { [ "$(ipvsadm -Sn | awk -v weight="$2" '/^-a/ { all++ } $5 ~ /\.13:/ && $8 == weight { third++ } END { print all, third }')" = "$1 20" ]; }
# services, and which of them are there more than once
listed() { ipvsadm -Sn | grep -c '^-A'; ipvsadm -Sn | sort | uniq -d; }

begin --method nat
sed -i '/^\[\[service/,$d' "$RUN/ulvs.toml"
kill -HUP "$ULVSD"
eventually 5 grep -q ' followed: ' "$RUN/ulvsd.log"
configure 5
"$TARGET/release/ulvs-xtask" lab exec director ulvs-run keepalived --dont-fork --check --no-syslog --log-console \
    --use-file "$RUN/keepalived.conf" --pid "$RUN/keepalived.pid" --checkers_pid "$RUN/checkers.pid" </dev/null >"$RUN/keepalived.log" 2>&1 &
KEEPALIVED=$!
trap finish EXIT
eventually 10 has 60 5
before=$(ipvsadm -Sn | sort)

kill -KILL "$ULVSD"
wait "$ULVSD" 2>/dev/null || true
start_ulvsd
eventually 10 has 60 5
equal "the entries after a restart" "$(ipvsadm -Sn | sort)" "$before"

# a real server dies, and keepalived is told another weight, while there is no ulvsd
kill -KILL "$ULVSD"
wait "$ULVSD" 2>/dev/null || true
lab exec rs1 nft 'add table inet dead; add chain inet dead in { type filter hook input priority 0; }; add rule inet dead in tcp dport 8080 reject with tcp reset'
configure 9
kill -HUP "$KEEPALIVED"
start_ulvsd
eventually 20 has 40 9
lab exec rs1 nft delete table inet dead
eventually 20 has 60 9
equal "services, and entries that are there twice" "$(listed)" 20

# reloads without a pause, and ulvsd is killed in the middle of their changes: the one under way is refused, and keepalived goes on
(
    for number in $(seq 60); do
        configure $((number % 5 + 1))
        kill -HUP "$KEEPALIVED"
        sleep 0.05
    done
) &
storm=$!
for _ in 1 2 3; do
    sleep 0.7
    kill -KILL "$ULVSD"
    wait "$ULVSD" 2>/dev/null || true
    start_ulvsd
done
wait $storm
configure 8
kill -HUP "$KEEPALIVED"
eventually 20 has 60 8
equal "services, and entries that are there twice, after the storm" "$(listed)" 20
kill -0 "$KEEPALIVED" || fail "keepalived has ended"
matches "the answer" "$(client curl --silent --max-time 3 http://$VIP:8001/)" '^rs[123]$'
