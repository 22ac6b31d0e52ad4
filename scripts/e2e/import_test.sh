#!/usr/bin/env bash
# Moving to ulvs in one command each: `ipvsadm -S`'s text and a keepalived.conf with its checks are imported into a running
# director, which forwards as they say and checks as keepalived did.
. "$(dirname "$0")/_init.sh"

begin --method nat
# answers ADDRESS: who answers, each once
answers() { for _ in 1 2 3 4 5 6; do client curl --silent --max-time 3 "http://$1/" || return 1; done | grep -o 'rs[0-9]' | sort -u | tr '\n' ' '; }
answered_by() { [ "$(answers "$1")" = "$2" ]; }
import() { director ulvsctl import "$@" --apply --config "$RUN/ulvs.toml" 2>"$RUN/told"; }

# as `ipvsadm -S -n` writes it on a kernel
cat >"$RUN/rules" <<'RULES'
-A -t 10.77.0.101:8100 -s wrr
-a -t 10.77.0.101:8100 -r 10.77.2.11:8080 -m -w 1
-a -t 10.77.0.101:8100 -r 10.77.2.12:8080 -m -w 0
-A -t 10.77.0.101:8101 -s rr -p 60 -M 255.255.255.0
-a -t 10.77.0.101:8101 -r 10.77.2.11:8080 -m -w 1 -x 100 -y 50
-a -t 10.77.0.101:8101 -r 10.77.2.12:8080 -m -w 1
RULES
import ipvsadm "$RUN/rules" >"$RUN/changes" || fail "ipvsadm's text is not imported: $(cat "$RUN/told")"
grep -q '^+ tcp 10.77.0.101:8100 real server 10.77.2.12:8080 nat weight 0$' "$RUN/changes" || fail "the changes are $(cat "$RUN/changes")"
equal "who answers, weight 0 aside" "$(answers 10.77.0.101:8100)" "rs1 "
matches "one of them, by persistence" "$(answers 10.77.0.101:8101)" '^rs[12] $'
director ulvs-run ipvsadm -Sn | sort >"$RUN/saved"
# ipvsadm saves no thresholds
while read -r rule; do grep -qxF -e "${rule% -x *}" "$RUN/saved" || fail "ipvsadm -S has no '$rule'"; done <"$RUN/rules"

cat >"$RUN/keepalived.conf" <<'KEEPALIVED'
! Configuration File for keepalived
global_defs {
    router_id LVS
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
}
virtual_server 10.77.0.101 8102 {
    delay_loop 0.5
    lb_algo rr
    lb_kind NAT
    protocol TCP
    sorry_server 10.77.2.13 8080
    @nobody real_server 10.77.2.14 8080 { }
    real_server 10.77.2.11 8080 {
        weight 1
        HTTP_GET {
            url {
                path /
                status_code 200
            }
            connect_timeout 1
            retry 1
            delay_before_retry 0.2
        }
    }
    real_server 10.77.2.12 8080 {
        weight 1
        TCP_CHECK {
            connect_timeout 1
            nb_get_retry 1
            delay_before_retry 0.2
        }
    }
}
KEEPALIVED
import keepalived "$RUN/keepalived.conf" >"$RUN/changes" || fail "keepalived.conf is not imported: $(cat "$RUN/told")"
grep -q 'line 5: vrrp_instance VI_1: not of IPVS' "$RUN/told" || fail "told is $(cat "$RUN/told")"
grep -q "its checks are ulvsd's from now on" "$RUN/told" || fail "that keepalived must not check as well is not told: $(cat "$RUN/told")"
grep -q '^+ check keepalived-http-1 .*retry_interval 200' "$RUN/changes" || fail "the changes are $(cat "$RUN/changes")"
eventually 10 answered_by 10.77.0.101:8102 'rs1 rs2 '
break_server() {
    lab exec "$1" nft 'add table inet dead; add chain inet dead in { type filter hook input priority 0; }; add rule inet dead in tcp dport 8080 reject with tcp reset'
}
break_server rs1
eventually 10 answered_by 10.77.0.101:8102 'rs2 '
break_server rs2
eventually 10 answered_by 10.77.0.101:8102 'rs3 '
lab exec rs1 nft delete table inet dead
lab exec rs2 nft delete table inet dead
eventually 10 answered_by 10.77.0.101:8102 'rs1 rs2 '

# a second time, and a drop-in that collides: nothing happens, and that is told
if import keepalived "$RUN/keepalived.conf" >/dev/null; then fail "a drop-in was written over"; fi
grep -q 'is there already' "$RUN/told" || fail "told is $(cat "$RUN/told")"
rm "$RUN/ulvs.d/imported-ipvsadm.toml"
if director ulvsctl import ipvsadm <(printf -- '-A -t 10.77.0.101:8102 -s rr\n') --apply --config "$RUN/ulvs.toml" 2>"$RUN/told"; then fail "a service was taken twice"; fi
grep -q 'service tcp 10.77.0.101:8102 is there already' "$RUN/told" || fail "told is $(cat "$RUN/told")"
[ ! -e "$RUN/ulvs.d/imported-ipvsadm.toml" ] || fail "a drop-in that is not followed stays"
