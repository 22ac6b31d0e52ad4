#!/usr/bin/env bash
# A client keeps its real server: keepalived's own example with persistence_timeout, in DR; and after its time it does not.
. "$(dirname "$0")/_init.sh"

begin --method dr
ipvsadm() { director ulvs-run ipvsadm "$@"; }
real() { printf 'real_server 10.77.2.1%s 8080 {\n weight 1\n TCP_CHECK {\n connect_timeout 3\n }\n}\n' "$1"; }
{
    printf 'virtual_server 10.77.0.102 8080 {\n delay_loop 6\n lb_algo rr\n lb_kind DR\n persistence_timeout 50\n protocol TCP\n'
    for number in 1 2 3; do real $number; done
    echo '}'
} >"$RUN/keepalived.conf"
start_keepalived

answers() { lab exec client curl --silent --max-time 3 "$@" "http://10.77.0.102:8080/"; }
# whether a template leads a client to this real server
remembers() { director ulvsctl conns --limit 0 | grep -Eq "^TCP .* (NONE|ASSURED) +$1:0 +10\.77\.0\.102:8080 +$2:8080 +dr$"; }
has_servers() { [ "$(ipvsadm -Ln -t 10.77.0.102:8080 | grep -c -- '-> 10')" = "$1" ]; }
eventually 20 has_servers 3
matches "the service" "$(ipvsadm -Ln -t 10.77.0.102:8080)" 'TCP +10\.77\.0\.102:8080 rr persistent 50'
matches "ulvsctl's services" "$(director ulvsctl services)" 'rr persistent 50'

# the same real server again and again, which round robin would not do; another client has another one
kept=$(answers)
matches "the first answer" "$kept" '^rs[123]$'
for _ in 1 2 3 4 5 6; do equal "the client's real server" "$(answers)" "$kept"; done
remembers 10.77.1.10 "10.77.2.1${kept#rs}" || fail "no template is listed: $(director ulvsctl conns --limit 0)"
equal "persistent clients" "$(ipvsadm -Ln --persistent-conn -t 10.77.0.102:8080 | awk '/-> 10/ { all += $4 } END { print all }')" 1
client ip address add 10.77.1.77/24 dev eth0
other=$(answers --interface 10.77.1.77)
matches "the other client's answer" "$other" '^rs[123]$'
[ "$other" != "$kept" ] || fail "round robin gave both clients $kept"

# drained, it keeps its clients; with expire_quiescent_template it would not. Removed, it does not
ipvsadm -e -t 10.77.0.102:8080 -r "10.77.2.1${kept#rs}:8080" -g -w 0
equal "the drained real server's client" "$(answers)" "$kept"
ipvsadm -d -t 10.77.0.102:8080 -r "10.77.2.1${kept#rs}:8080"
moved=$(answers)
matches "the answer without $kept" "$moved" '^rs[123]$'
[ "$moved" != "$kept" ] || fail "the removed real server answered"
equal "where the client moved" "$(answers)" "$moved"

# its time runs out when its connections are over
ipvsadm --set 0 1 0
ipvsadm -A -t 10.77.0.102:8000 -s rr -p 4 -M 255.255.255.0
for number in 1 2; do ipvsadm -a -t 10.77.0.102:8000 -r 10.77.2.1$number -g; done
is_forgotten() { ! director ulvsctl conns --limit 0 | grep -q '10\.77\.0\.102:8000'; }
lab exec client bash -c 'exec 3<>/dev/tcp/10.77.0.102/8000' 2>/dev/null || true
template=$(director ulvsctl conns --limit 0 | grep -E '10\.77\.1\.0:0 +10\.77\.0\.102:8000') || fail "the mask is not applied"
lab exec client bash -c 'exec 3<>/dev/tcp/10.77.0.102/8000' 2>/dev/null || true
equal "real servers of one network" "$(director ulvsctl conns --limit 0 | grep '10\.77\.0\.102:8000' | awk '{ print $6 }' | sort -u | wc -l)" 1
eventually 80 is_forgotten
lab exec client bash -c 'exec 3<>/dev/tcp/10.77.0.102/8000' 2>/dev/null || true
again=$(director ulvsctl conns --limit 0 | grep -E '10\.77\.1\.0:0 +10\.77\.0\.102:8000')
[ "$(awk '{ print $6 }' <<<"$template")" != "$(awk '{ print $6 }' <<<"$again")" ] || fail "the client was not forgotten"
