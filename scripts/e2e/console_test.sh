#!/usr/bin/env bash
# The web console in a real browser: each view, each change, what other sites try, 10,000 services. Its pictures stay in
# target/console-pictures.
. "$(dirname "$0")/_init.sh"
skip() { trap - EXIT; echo "skipped: $*"; exit 0; }
browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
browser >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium >/dev/null || true
chromium=$(browser) || skip "no Chromium, and apt can't install it"
node_is_there || skip "Node.js 20.19 or newer is not here and can't be installed"
[ -d "$ROOT/control/console/node_modules/playwright-core" ] \
    || (cd "$ROOT/control/console" && npm ci --no-audit --no-fund --loglevel=error) || skip "playwright-core can't be installed"

begin --method nat --method dr
"$TARGET/release/ulvs-xtask" lab reach director 9478 >"$RUN/reach" &
reach=$!
(
    # something to see: twenty requests a second, for five minutes at most
    # shellcheck disable=SC2016 # the client's variables
    exec "$TARGET/release/ulvs-xtask" lab exec client sh -c \
        'for i in $(seq 3000); do curl -s -o /dev/null --max-time 1 http://10.77.0.10$((1 + i % 2))/; sleep 0.05; done'
) >/dev/null 2>&1 &
traffic=$!
stop() {
    kill "$reach" "$traffic" 2>/dev/null || true
    wait "$reach" "$traffic" 2>/dev/null || true
    [ -s "$RUN/ulvsd.pid" ] || return 0
    # the test has started it again, which is no child of this shell; `lab down` waits for its end
    ULVSD=''
    kill -TERM "$(cat "$RUN/ulvsd.pid")" 2>/dev/null || true
}
trap 'status=$?; stop; (exit $status); end' EXIT
eventually 10 test -s "$RUN/reach"

export CONSOLE PICTURES=$TARGET/console-pictures TOKEN_FILE=$RUN/console.token XTASK=$TARGET/release/ulvs-xtask RUN CHROMIUM=$chromium ULVSD
CONSOLE=http://$(cat "$RUN/reach")
export CTL=$TARGET/release/ulvsctl ULVS_SOCKET=$RUN/api.sock
timeout 240 node "$ROOT/control/console/e2e/console.mjs" || fail "see above; pictures are in $PICTURES"
