#!/usr/bin/env bash
# keepalived's checks and what it does about their answers: TCP, HTTP, TLS, DNS and a script that says weights; quorum and sorry
# server, weight 0 in place of removal, suspended checks, groups of virtual servers; over NAT, DR and TUN.
. "$(dirname "$0")/_init.sh"

VIP=10.77.0.101
OTHER=10.77.0.200
KEEPALIVED=
ipvsadm() { director ulvs-run ipvsadm "$@"; }
finish() {
    local status=$?
    trap - EXIT
    [ $status = 0 ] || tail -n 20 "$RUN/keepalived.log" || true
    # shellcheck disable=SC2046 # one word for each
    kill -TERM $(jobs -p) 2>/dev/null || true
    wait "$KEEPALIVED" 2>/dev/null || true
    (exit $status) || end
    end
}
begin --method nat
trap finish EXIT
command -v openssl >/dev/null || die "openssl is missing: install the package openssl"

# a real server that speaks TLS, and a script that says what its file says
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=rs1 -keyout "$RUN/key.pem" -out "$RUN/cert.pem" 2>/dev/null
"$TARGET/release/ulvs-xtask" lab exec rs1 openssl s_server -quiet -www -accept 8443 -key "$RUN/key.pem" -cert "$RUN/cert.pem" </dev/null >/dev/null 2>&1 &
cat >"$RUN/script" <<SCRIPT
#!/bin/sh
exit \$(cat $RUN/says)
SCRIPT
chmod 755 "$RUN/script"
echo 52 >"$RUN/says"

# virtual WHAT PROTOCOL KIND ALGORITHM [LINE...]: the beginning of a virtual server
virtual() {
    printf 'virtual_server %s {\n delay_loop 1\n protocol %s\n lb_kind %s\n lb_algo %s\n' "$1" "$2" "$3" "$4"
    shift 4
    printf ' %s\n' "$@"
}
tcp=$'TCP_CHECK {\n connect_timeout 1\n retry 0\n }'
{
    printf 'global_defs {\n script_user root\n enable_script_security\n}\n'
    # 8001: below its quorum, which is of weights, there is the sorry server only
    virtual "$VIP 8001" TCP NAT wrr 'quorum 4' 'sorry_server 10.77.2.13 8080'
    printf ' real_server 10.77.2.1%s 8080 {\n weight 3\n %s\n }\n' 1 "$tcp" 2 "$tcp"
    # 8002: no removal, weight 0
    printf '}\n'; virtual "$VIP 8002" TCP NAT rr
    http=$'HTTP_GET {\n url {\n path /\n status_code 200\n }\n connect_timeout 1\n retry 0\n }'
    printf ' real_server 10.77.2.1%s 8080 {\n weight 2\n inhibit_on_failure\n %s\n }\n' 1 "$http" 2 "$http"
    printf '}\n'; virtual "$VIP 8003" TCP NAT wlc
    printf ' real_server 10.77.2.11 8443 {\n SSL_GET {\n url {\n path /\n }\n connect_timeout 1\n retry 0\n }\n }\n'
    printf '}\n'; virtual "$VIP 8004" TCP NAT wrr
    printf ' real_server 10.77.2.11 8080 {\n weight 7\n MISC_CHECK {\n misc_path "%s"\n misc_dynamic\n misc_timeout 5\n }\n }\n' "$RUN/script"
    printf '}\n'; virtual "$VIP 8005" UDP NAT lc
    printf ' real_server 10.77.2.1%s 5353 {\n DNS_CHECK {\n type TXT\n name who.lab\n connect_timeout 1\n retry 0\n }\n }\n' 1 2
    # 8006: not checked until the director has its address
    printf '}\n'; virtual "$OTHER 8006" TCP NAT wrr ha_suspend
    printf ' real_server 10.77.2.11 8080 {\n %s\n }\n' "$tcp"
    printf '}\nvirtual_server_group both {\n %s 8007\n %s 8008\n}\n' $VIP $OTHER
    virtual 'group both' TCP NAT sh
    printf ' real_server 10.77.2.1%s 8080 {\n weight 1\n %s\n }\n' 1 "$tcp" 2 "$tcp"
    printf '}\n'; virtual "$VIP 80" TCP DR sed
    printf ' real_server 10.77.2.11 80 {\n weight 1\n }\n'
    printf '}\n'; virtual "$VIP 8080" TCP TUN nq
    printf ' real_server 10.77.2.11 8080 {\n weight 1\n }\n}\n'
} >"$RUN/keepalived.conf"
sed -i '/^\[\[service/,$d' "$RUN/ulvs.toml"
kill -HUP "$ULVSD"
eventually 5 grep -q ' followed: ' "$RUN/ulvsd.log"
"$TARGET/release/ulvs-xtask" lab exec director ulvs-run keepalived --dont-fork --check --no-syslog --log-console --log-detail \
    --use-file "$RUN/keepalived.conf" --pid "$RUN/keepalived.pid" --checkers_pid "$RUN/checkers.pid" </dev/null >"$RUN/keepalived.log" 2>&1 &
KEEPALIVED=$!

# real servers of a service, as ADDRESS:METHOD:WEIGHT
real_servers() { ipvsadm -Sn | sed -n "s/^-a -[tu] $1 -r 10\.77\.2\.\([^:]*\):[0-9]* -\([mgi]\) -w \([0-9]*\).*/\1:\2:\3/p" | xargs; }
has() { [ "$(real_servers "$1")" = "$2" ]; }
become() { eventually 15 has "$1" "$2" || fail "$1 has $(real_servers "$1"), must have $2"; }
all_well() {
    become $VIP:8001 '11:m:3 12:m:3'
    become $VIP:8002 '11:m:2 12:m:2'
    become $VIP:8003 11:m:1
    become $VIP:8005 '11:m:1 12:m:1'
    become $VIP:8007 '11:m:1 12:m:1'
    become $OTHER:8008 '11:m:1 12:m:1'
}
all_well
become $OTHER:8006 11:m:1
become $VIP:8004 11:m:50
become $VIP:80 11:g:1
become $VIP:8080 11:i:1
equal "the schedulers" "$(ipvsadm -Sn | sed -n 's/^-A .* -s \([a-z]*\).*/\1/p' | sort | xargs)" "lc nq rr sed sh sh wlc wrr wrr wrr"
matches "the answer" "$(client curl --silent --max-time 3 http://$VIP:8001/)" '^rs[12]$'

# rs1 dies, and the script says so
lab exec rs1 nft 'add table inet dead; add chain inet dead in { type filter hook input priority 0; }; add rule inet dead in tcp dport { 8080, 8443 } reject with tcp reset; add rule inet dead in udp dport 5353 reject'
echo 1 >"$RUN/says"
become $VIP:8001 13:m:1
become $VIP:8002 '11:m:0 12:m:2'
become $VIP:8003 ''
become $VIP:8004 ''
become $VIP:8005 12:m:1
become $VIP:8007 12:m:1
become $OTHER:8008 12:m:1
equal "the answer of the sorry server" "$(client curl --silent --max-time 3 http://$VIP:8001/)" rs3
equal "the answer without rs1" "$(client curl --silent --max-time 3 http://$VIP:8002/)" rs2
equal "what is not checked yet" "$(real_servers $OTHER:8006)" 11:m:1
director ip address add $OTHER/32 dev ulvs0
become $OTHER:8006 ''

# and comes back; the script has another weight for it
lab exec rs1 nft delete table inet dead
echo 12 >"$RUN/says"
all_well
become $OTHER:8006 11:m:1
become $VIP:8004 11:m:10
echo 0 >"$RUN/says"
become $VIP:8004 11:m:7

kill -TERM "$KEEPALIVED"
wait "$KEEPALIVED" || fail "keepalived ended with an error"
equal "what keepalived leaves" "$(ipvsadm -Sn)" ""
