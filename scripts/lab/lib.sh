# shellcheck shell=bash
# Shared by scripts/demo, scripts/test and scripts/e2e: packages, builds, the lab and the director in it.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
export ULVS_LAB=${ULVS_LAB:-ulvs}
# shellcheck disable=SC2034 # for those who source this
RUN=/run/ulvs-lab/$ULVS_LAB

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -- "$@"; fi; }
lab() { "$TARGET/release/ulvs-xtask" lab "$@"; }
client() { lab exec client "$@"; }
director() { lab exec director "$@"; }

# --- packages ---------------------------------------------------------------------------------------------------------

# Prints the packages that are missing, of Debian 12 and 13 and Ubuntu 24.04. ALSO_NEEDED: more, as PROGRAM:PACKAGE.
missing_packages() {
    local pair
    for pair in ip:iproute2 ethtool:ethtool nginx:nginx-light dnsmasq:dnsmasq-base wrk:wrk curl:curl dig:bind9-dnsutils \
        ping:iputils-ping jq:jq git:git cc:gcc pkg-config:pkg-config ${ALSO_NEEDED:-}; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${pair%:*}" >/dev/null || echo "${pair#*:}"
    done
    [ -e /usr/include/stdio.h ] || echo libc6-dev
    { command -v pkg-config >/dev/null && pkg-config --exists libdpdk; } || echo libdpdk-dev
    # not libclang-cpp.so, which comes without it
    compgen -G '/usr/lib/llvm-*/lib/libclang[.-][0-9s]*' >/dev/null || [ -n "${LIBCLANG_PATH:-}" ] || echo libclang-dev
}

install_missing() {
    local missing policy=/usr/sbin/policy-rc.d
    mapfile -t missing < <(missing_packages)
    if [ ${#missing[@]} -gt 0 ]; then
        command -v apt-get >/dev/null || die "missing: ${missing[*]} (names of Debian's packages); install them, then run this again"
        say "installing ${missing[*]}"
        # these are wanted as programs, not as services of this machine
        local units=()
        [[ " ${missing[*]} " != *" nginx-light "* ]] || units+=(nginx)
        [[ " ${missing[*]} " != *" keepalived "* ]] || units+=(keepalived)
        [[ " ${missing[*]} " != *" prometheus "* ]] || units+=(prometheus)
        [[ " ${missing[*]} " != *" vsftpd "* ]] || units+=(vsftpd)
        [[ " ${missing[*]} " != *" nfdump "* ]] || units+=(nfdump)
        [ ! -e $policy ] || units=()
        if [ ${#units[@]} -gt 0 ]; then
            printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null && as_root chmod +x $policy
        fi
        as_root apt-get update -q >/dev/null || die "apt-get update failed: see its words above"
        local status=0
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null || status=$?
        if [ ${#units[@]} -gt 0 ]; then
            as_root rm -f $policy
            as_root systemctl disable "${units[@]}" >/dev/null 2>&1 || true
        fi
        [ $status = 0 ] || die "apt-get could not install ${missing[*]}: see its words above"
    fi
    rust_is_there
}

rust_is_there() {
    [ -x "$HOME/.cargo/bin/cargo" ] && PATH=$PATH:$HOME/.cargo/bin
    local wanted have
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
    command -v cargo >/dev/null || die "Rust is missing: install $wanted or newer from https://rustup.rs"
    have=$(rustc --version | awk '{ print $2 }')
    [ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] \
        || die "Rust $have is too old, $wanted is needed: rustup update (or install it from https://rustup.rs)"
}

# Whether there is Node.js that is new enough for the console, in PATH; installs it by apt, and by npm where apt's is too old.
node_is_there() {
    local own=$TARGET/node/node_modules/node/bin
    node_is_new && return
    if ! command -v npm >/dev/null; then
        command -v apt-get >/dev/null || return 1
        as_root apt-get update -q >/dev/null || true
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends nodejs npm >/dev/null || return 1
        node_is_new && return
    fi
    [ -x "$own/node" ] || npm install --no-audit --no-fund --loglevel=error --prefix "$TARGET/node" node@22 || return 1
    PATH=$own:$PATH
    node_is_new
}
node_is_new() {
    command -v npm >/dev/null && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null
}

build() {
    [ -z "${ULVS_BUILT:-}" ] || return 0
    (cd "$ROOT" && cargo build --quiet --release -p ulvs-daemon -p ulvs-ctl -p ulvs-shim -p ulvs-xtask) \
        || die "the build failed: see cargo's words above"
}

# --- the director in the lab ------------------------------------------------------------------------------------------

ULVSD=

# Comes back when ulvsd answers; its pid is in ULVSD, its words are in $RUN/ulvsd.log.
start_ulvsd() {
    local file log=$RUN/ulvsd.log deadline=$((SECONDS + 30))
    file=$(jq -r --arg own "$RUN/ulvs.toml" '.plan.config // $own' "$RUN/lab.json")
    # exec all the way: the pid is ulvsd's own; its own session: Ctrl-C here is not meant for it
    setsid "$TARGET/release/ulvs-xtask" lab exec director ulvsd --config "$file" </dev/null >"$log" 2>&1 &
    ULVSD=$!
    until director ulvsctl status >/dev/null 2>&1; do
        if ! kill -0 "$ULVSD" 2>/dev/null; then
            tail -n 20 "$log" >&2
            die "ulvsd ended at its start: its words are above"
        fi
        if [ $SECONDS -ge $deadline ]; then
            tail -n 20 "$log" >&2
            die "ulvsd does not answer 30 seconds after its start: its words are above"
        fi
        sleep 0.1
    done
    # what an operator does once at set-up: a one-armed director reaches the clients by the router
    if [ "$(jq .plan.arms "$RUN/lab.json")" = 1 ]; then
        director ip route replace default via 10.77.2.254
        director ip -6 route replace default via fd00:77:2::254
    fi
}

# Whether ulvsd ended by itself when asked to.
stop_ulvsd() {
    [ -n "$ULVSD" ] || return 0
    local pid=$ULVSD deadline=$((SECONDS + 10)) status=0
    ULVSD=
    kill -TERM "$pid" 2>/dev/null
    while kill -0 "$pid" 2>/dev/null; do
        if [ $SECONDS -ge $deadline ]; then
            kill -KILL "$pid"
            say "ulvsd did not stop within 10 seconds" >&2
            return 1
        fi
        sleep 0.05
    done
    wait "$pid" || status=$?
    [ $status = 0 ] || say "ulvsd ended with status $status: $(tail -n 3 "$RUN/ulvsd.log")" >&2
    return $status
}

# Every virtual address answers curl and dig with the name of a real server; says which one does not.
check_answers() {
    local vip host bad=0
    for vip in $(jq -r '.plan.methods[] | {nat: 101, dr: 102, tun: 103}[.] | "10.77.0.\(.)", "fd00:77::\(.)"' "$RUN/lab.json"); do
        host=$vip
        [[ $vip != *:* ]] || host="[$vip]"
        [[ $(client curl -sS --max-time 5 "http://$host/" 2>&1) =~ ^rs[0-9]+$ ]] || { say "no HTTP answer from $vip"; bad=1; }
        [[ $(client dig +short +time=2 +tries=2 "@$vip" who.lab TXT 2>&1) =~ ^\"rs[0-9]+\"$ ]] || { say "no DNS answer from $vip"; bad=1; }
    done
    return $bad
}

# --- Prometheus beside the director -----------------------------------------------------------------------------------

PROMETHEUS=

# start_prometheus RULES: a Prometheus in the director's namespace, at 127.0.0.1:9090 there, that reads ulvsd twice a second.
start_prometheus() {
    local folder=$RUN/prometheus
    mkdir -p "$folder"
    cat >"$folder/prometheus.yml" <<YML
global: { scrape_interval: 500ms, evaluation_interval: 500ms }
rule_files: ["$1"]
scrape_configs: [{ job_name: ulvs, static_configs: [{ targets: ["127.0.0.1:9477"] }] }]
YML
    setsid "$TARGET/release/ulvs-xtask" lab exec director prometheus --config.file "$folder/prometheus.yml" \
        --storage.tsdb.path "$folder/data" --web.listen-address 127.0.0.1:9090 </dev/null >"$folder/log" 2>&1 &
    PROMETHEUS=$!
}
stop_prometheus() {
    [ -n "$PROMETHEUS" ] || return 0
    kill "$PROMETHEUS" 2>/dev/null || true
    wait "$PROMETHEUS" 2>/dev/null || true
    PROMETHEUS=
}
# each real server of the lab is told as well
tell_real_servers() { sed -i 's/^\[metrics\]$/&\nlevel = "real"/' "$RUN/ulvs.toml"; }
