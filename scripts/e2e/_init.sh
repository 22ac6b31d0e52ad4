# shellcheck shell=bash
# Begins every end-to-end test: a lab of its own, removed at the end, and words for what is checked.
set -euo pipefail
export ULVS_LAB=${ULVS_LAB:-ulvs-e2e}
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"
[ "$(id -u)" = 0 ] || die "end-to-end tests make namespaces: run this with sudo"
[ -x "$TARGET/release/ulvsd" ] || die "no ulvsd to test: cargo build --release -p ulvs-daemon -p ulvs-ctl -p ulvs-shim -p ulvs-xtask"

end() {
    local status=$?
    trap - EXIT
    end_keepalived 2>/dev/null || true
    [ $status = 0 ] || [ ! -e "$RUN/ulvsd.log" ] || { say "--- the last words of ulvsd:"; tail -n 20 "$RUN/ulvsd.log"; }
    stop_ulvsd || status=1
    lab down >/dev/null || status=1
    [ $status != 0 ] || say "passed: $(basename "$0")"
    exit $status
}
trap end EXIT

# begin [OPTION...]: a fresh lab with these options, and ulvsd in it
begin() {
    lab down >/dev/null
    lab up "$@" >/dev/null
    start_ulvsd
}
fail() { die "$(basename "$0"): $*"; }
# equal WHAT HAVE WANT
equal() { [ "$2" = "$3" ] || fail "$1 is '$2', must be '$3'"; }
# matches WHAT TEXT REGEX
matches() { [[ $2 =~ $3 ]] || fail "$1 is '$2', must match '$3'"; }
# eventually SECONDS COMMAND...: until it succeeds
eventually() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || fail "still not so: $*"
        sleep 0.05
    done
}
# start_keepalived [OPTION...]: keepalived's checkers in the director, with $RUN/keepalived.conf, until end_keepalived or the test's end
KEEPALIVED_PID=
start_keepalived() {
    "$TARGET/release/ulvs-xtask" lab exec director ulvs-run keepalived --dont-fork --check --no-syslog --log-console "$@" \
        --use-file "$RUN/keepalived.conf" --pid "$RUN/keepalived.pid" --checkers_pid "$RUN/checkers.pid" \
        </dev/null >"$RUN/keepalived.log" 2>&1 &
    KEEPALIVED_PID=$!
}
# end_keepalived: with its exit status
end_keepalived() {
    local pid=$KEEPALIVED_PID
    [ -n "$pid" ] || return 0
    KEEPALIVED_PID=
    kill -TERM "$pid" && wait "$pid"
}
# load OPTION...: the rows of `lab load` as JSON lines; no request may fail
load() {
    local rows
    rows=$(lab load --json "$@") || { say "$rows" >&2; fail "requests failed: lab load $*"; }
    say "$rows"
}
