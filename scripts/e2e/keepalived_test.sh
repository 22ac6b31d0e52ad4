#!/usr/bin/env bash
# The distribution's keepalived drives ulvsd: it makes the service, takes out a real server that dies, puts it back.
. "$(dirname "$0")/_init.sh"

begin --method nat
ipvsadm() { director ulvs-run ipvsadm "$@"; }
real() { printf 'real_server 10.77.2.1%s 8080 {\n weight 1\n TCP_CHECK {\n connect_timeout 1\n retry 1\n delay_before_retry 1\n }\n}\n' "$1"; }
{
    printf 'global_defs {\n checker_log_all_failures true\n}\nvirtual_server 10.77.0.101 8000 {\n delay_loop 1\n lb_algo wrr\n'
    printf ' lb_kind NAT\n protocol TCP\n'
    for number in 1 2 3; do real $number; done
    echo '}'
} >"$RUN/keepalived.conf"
start_keepalived

has_servers() { [ "$(ipvsadm -Ln -t 10.77.0.101:8000 | grep -c -- '-> 10')" = "$1" ]; }
answers() { lab exec client curl --silent --max-time 3 http://10.77.0.101:8000/; }
eventually 20 has_servers 3
matches "the answer" "$(answers)" '^rs[123]$'

# rs1 refuses connections: keepalived sees it through the director's own TAP
lab exec rs1 nft 'add table inet dead; add chain inet dead in { type filter hook input priority 0; }; add rule inet dead in tcp dport 8080 reject with tcp reset'
eventually 20 has_servers 2
for _ in 1 2 3 4; do matches "the answer without rs1" "$(answers)" '^rs[23]$'; done
lab exec rs1 nft delete table inet dead
eventually 20 has_servers 3

# it cleans up behind itself
end_keepalived || fail "keepalived ended with an error: $(tail -n 3 "$RUN/keepalived.log")"
! ipvsadm -Ln -t 10.77.0.101:8000 >/dev/null 2>&1 || fail "the service stayed"
