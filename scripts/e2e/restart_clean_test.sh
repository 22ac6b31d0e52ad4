#!/usr/bin/env bash
# kill -9 leaves nothing behind after the next start: no TAP, namespace, process, huge page or file.
. "$(dirname "$0")/_init.sh"

# files of DPDK on every hugetlbfs there is; memory without a file is gone with its process
huge_page_files() { awk '$3 == "hugetlbfs" { print $2 }' /proc/mounts | xargs -rI{} find {} -type f; }
traces() {
    ip netns list | grep "^$ULVS_LAB-" || true
    ls -d "$RUN" 2>/dev/null || true
}
lab down >/dev/null
before=$(huge_page_files)
interfaces=$(ip -br link | awk '{ print $1 }')

# ulvsd killed: its TAP twins go with it, the next one starts in the same lab
begin
kill -KILL "$ULVSD"
wait "$ULVSD" 2>/dev/null || true
eventually 5 sh -c "! ip -n $ULVS_LAB-director link show ulvs0"
start_ulvsd
check_answers || fail "the second ulvsd does not forward"
stop_ulvsd
equal "TAP twins after a clean stop" "$(ip -n "$ULVS_LAB-director" -br link | grep -c '^ulvs' || true)" 0
lab down >/dev/null

# the demo killed with ulvsd under it: the next demo cleans up
ULVS_BUILT=1 "$ROOT/scripts/demo" --requests 100 >"${TMPDIR:-/tmp}/$ULVS_LAB-demo.log" 2>&1 &
demo=$!
eventually 60 grep -q '^== load' "${TMPDIR:-/tmp}/$ULVS_LAB-demo.log"
kill -KILL $demo
wait $demo 2>/dev/null || true
[ -n "$(traces)" ] || fail "the killed demo had nothing to leave behind"
ULVS_BUILT=1 "$ROOT/scripts/demo" --once --requests 100 || fail "the demo after a killed one failed"
rm -f "${TMPDIR:-/tmp}/$ULVS_LAB-demo.log"

equal "what is left" "$(traces)" ""
equal "processes left" "$(pgrep -af -- "(/ulvs-lab/|--name )$ULVS_LAB( |/|\$)" || true)" ""
equal "huge page files" "$(huge_page_files)" "$before"
equal "the machine's interfaces" "$(ip -br link | awk '{ print $1 }')" "$interfaces"
