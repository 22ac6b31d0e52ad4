#!/usr/bin/env bash
# IPVS's sysctls: set by ulvsctl, by writing to a file, and kept over a restart; and a DNS client with one port, whose real server
# is removed, is served by another one at once with expire_nodest_conn.
. "$(dirname "$0")/_init.sh"

begin --method nat
ipvsadm() { director ulvs-run ipvsadm "$@"; }
sysctls=$(jq -r '.plan.config // empty' "$RUN/lab.json")
sysctls=$(dirname "$(sed -n 's/^socket = "\(.*\)"/\1/p' "${sysctls:-$RUN/ulvs.toml}")")/sys/net/ipv4/vs
is() { [ "$(cat "$sysctls/$1")" = "$2" ] && [ "$(director ulvsctl get "$1")" = "$2" ]; }

is conn_reuse_mode 1 || fail "the default is not there"
director ulvsctl set conn_reuse_mode 0 >/dev/null
eventually 3 is conn_reuse_mode 0
echo 3 >"$sysctls/conn_reuse_mode"
eventually 3 is conn_reuse_mode 3
echo 9 >"$sysctls/drop_entry"
eventually 3 is drop_entry 0
eventually 3 grep -q 'drop_entry is a number from 0 to 3, not 9' "$RUN/ulvsd.log"
matches "what is not there" "$(director ulvsctl set sync_retries 1 2>&1 || true)" 'sync_retries can.t be set yet, for connections are not'

# one client port, whose real server goes: without the sysctl it would hear nothing for five minutes
ask() { lab exec client dig -b 10.77.1.10#5555 +short +tries=1 +time=1 @10.77.0.101 who.lab TXT; }
remove_its_server() {
    local name
    name=$(ask)
    matches "the first answer" "$name" '^"rs[123]"$'
    name=${name//\"/}
    ipvsadm -d -u 10.77.0.101:53 -r "10.77.2.1${name#rs}:5353"
    say "$name"
}
kept=$(remove_its_server)
! ask >/dev/null 2>&1 || fail "a connection without its real server was served"
director ulvsctl set expire_nodest_conn 1 >/dev/null
other=$(ask) || fail "the client is not served by another real server"
matches "the answer without $kept" "$other" '^"rs[123]"$'
[ "$other" != "\"$kept\"" ] || fail "the removed real server answered"

stop_ulvsd
start_ulvsd
is expire_nodest_conn 1 || fail "a restart forgot what was set"
is conn_reuse_mode 3 || fail "a restart forgot what was written"
