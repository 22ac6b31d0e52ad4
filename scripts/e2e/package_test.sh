#!/usr/bin/env bash
# The Debian package in a clean Debian of the same release: installed by apt, run by systemd as its unit says, forwarding in the
# lab less than two minutes later; ended by the watchdog when it hangs; removed and purged without a trace.
. "$(dirname "$0")/_init.sh"

for program in cargo-deb mmdebstrap systemd-nspawn; do
    command -v $program >/dev/null || { say "skipped: $program is not here"; exit 0; }
done
folder=$(mktemp -d /var/tmp/ulvs-package.XXXXXX)
root=$folder/root console=$folder/console nspawn=
at_end() {
    local status=$?
    trap - EXIT
    power_off || true
    [ $status = 0 ] || [ ! -s "$console" ] || { say "--- the guest's console:"; tail -n 20 "$console"; }
    rm -rf --one-file-system "$folder"
    set +e
    (exit $status)
    end
}
trap at_end EXIT

# once COMMAND...: in the clean Debian, without its services, with this machine's network
once() {
    # at its end it warns of a folder that it leaves alone
    systemd-nspawn --quiet --pipe --register=no --keep-unit --resolv-conf=bind-host -D "$root" -- "$@" \
        </dev/null 2> >(grep -v '^Attempted to remove disk file system' >&2)
}

# --- the clean Debian with its systemd as init, in the director's network ---
power_on() {
    setsid systemd-nspawn --quiet --register=no --keep-unit -D "$root" --boot --network-namespace-path="/run/netns/$ULVS_LAB-director" \
        --capability=all --bind=/dev/net/tun </dev/null >"$console" 2>&1 &
    nspawn=$!
    eventually 30 init_of_guest
    eventually 30 guest systemctl is-active basic.target
}
power_off() {
    [ -n "$nspawn" ] || return 0
    # SIGTERM is an orderly end; a guest that doesn't come to it is ended
    kill -TERM "$nspawn" 2>/dev/null || true
    for _ in {1..100}; do kill -0 "$nspawn" 2>/dev/null || break; sleep 0.1; done
    ! kill -KILL "$nspawn" 2>/dev/null || say "the guest had to be killed" >&2
    wait "$nspawn" || true
    nspawn=
}
# the guest's first process, as this machine numbers it
init_of_guest() {
    local pid
    for pid in $(pgrep -P "$nspawn") $(pgrep -P "$(pgrep -d, -P "$nspawn")"); do
        if grep -qE '^NSpid:.*[[:space:]]1$' "/proc/$pid/status"; then
            echo "$pid"
            return
        fi
    done
    return 1
}
guest() { nsenter --mount --uts --ipc --net --pid --cgroup -t "$(init_of_guest)" -- "$@"; }
property() { guest systemctl show --value -p "$1" ulvsd; }
is_now() { [ "$(property "$1")" = "$2" ]; }

say "== the package"
deb=$folder/ulvs.deb
# cargo is whose the sources are
builder=()
[ -z "${SUDO_USER:-}" ] || builder=(sudo -u "$SUDO_USER" -H env "PATH=$PATH" "CARGO_TARGET_DIR=$TARGET")
"${builder[@]}" "$TARGET/release/ulvs-xtask" package --no-build || fail "cargo xtask package"
built=$(find "$TARGET/debian" -name 'ulvs_*.deb' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
cp "$built" "$deb"
dpkg-deb --info "$deb" | grep -E '^ (Depends|Installed-Size|Version)'
if command -v lintian >/dev/null; then
    said=$(lintian --allow-root --fail-on none "$deb" 2>/dev/null | grep '^[EW]:' || true)
    say "$said"
    # warnings differ from release to release
    [[ $said != *E:* ]] || fail "lintian has errors: see above"
fi

say "== a clean Debian"
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
mmdebstrap --quiet --variant=apt --include=systemd-sysv,man-db --dpkgopt=force-unsafe-io "$codename" "$root" 2>"$folder/mmdebstrap" \
    || { cat "$folder/mmdebstrap" >&2; fail "mmdebstrap $codename"; }
once true || { say "skipped: systemd-nspawn cannot start anything here"; exit 0; }
cp "$deb" "$root/root/ulvs.deb"
lab down >/dev/null
lab up --huge-pages off >/dev/null

say "== installed"
once apt-get update -q >/dev/null
begun=$SECONDS
once env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends /root/ulvs.deb ipvsadm >"$folder/apt" 2>&1 \
    || { tail -n 20 "$folder/apt" >&2; fail "apt-get install ./ulvs.deb"; }
matches "what apt says at the end" "$(cat "$folder/apt")" 'systemctl enable --now ulvsd'
equal "ulvsctl --version" "$(once ulvsctl --version)" "ulvsctl $(sed -n 's/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml" | head -n 1)"
matches "the group" "$(once getent group ulvs)" '^ulvs:'
for page in 1:ulvsctl 1:ulvsctl-drain 1:ulvs-run 8:ulvsd 8:ulvs-hugepages 8:ulvs-bind-nic 5:ulvs.toml; do
    words=$(once env MANPAGER=cat man "${page%%:*}" "${page#*:}" 2>&1) || fail "man ${page#*:}: $words"
    matches "man ${page#*:}" "$words" NAME
done
[[ $(once env MANPAGER=cat man 5 ulvs.toml) == *upper_threshold* ]] || fail "ulvs.toml(5) has not every key"
for file in bash-completion/completions zsh/vendor-completions fish/vendor_completions.d; do
    [ "$(find "$root/usr/share/$file" -name '*ulvs*' | wc -l)" = 3 ] || fail "completions are missing in $file"
done
once bash -n /usr/share/bash-completion/completions/ulvsctl
# nothing runs, and the file as it comes says what it lacks
said=$(once ulvsd --check /etc/ulvs/ulvs.toml 2>&1) && fail "the file without a port is accepted: $said"
matches "the check of the file as it comes" "$said" 'port'
once sh -c 'ulvs-hugepages status && ulvs-bind-nic status' >/dev/null || true

say "== forwarding"
# what the director of this lab needs, with the package's own folders and sockets
sed -e '/^\[api\]/,/^$/d' -e '/^\[state\]/,/^$/d' -e '/^\[console\]/,/^$/d' "$RUN/ulvs.toml" >"$root/etc/ulvs/ulvs.toml"
once ulvsd --check /etc/ulvs/ulvs.toml
power_on
[ "$(guest systemctl is-enabled ulvsd)" = disabled ] || fail "the package enabled ulvsd"
guest systemctl enable --quiet --now ulvsd || { guest journalctl -u ulvsd --no-pager | tail -n 20; fail "systemctl start ulvsd"; }
# ready is when packets are forwarded: the first SYN has to be answered
matches "the first answer" "$(client curl -sS --max-time 0.9 http://10.77.0.101/ 2>&1)" '^rs[0-9]+$'
took=$((SECONDS - begun))
say "from apt install to the first answer: $took s"
[ $took -lt 120 ] || fail "from apt install to the first answer: $took s, must be less than 120"
check_answers || fail "a virtual address does not answer"
equal "the unit's state" "$(property ActiveState)" active
matches "its status" "$(property StatusText)" 'forward'
[[ $(guest ulvs-run ipvsadm -Ln) == *10.77.0.101:80* ]] || fail "ulvs-run ipvsadm -Ln shows no service"
[[ $(guest ulvsctl services) == *10.77.0.101:80* ]] || fail "ulvsctl services shows no service"
guest systemctl reload ulvsd
guest systemd-analyze security --no-pager ulvsd | tail -n 1
warnings=$(guest systemd-analyze verify ulvsd.service 2>&1 | grep ulvs || true)
equal "what systemd-analyze verify says" "$warnings" ""

say "== upgraded"
pid=$(property MainPID)
said=$(guest dpkg --install /root/ulvs.deb 2>&1) || fail "dpkg --install over what is there: $said"
equal "the process of ulvsd" "$(property MainPID)" "$pid"
matches "what an upgrade says" "$said" 'systemctl restart ulvsd'

say "== hanging"
pid=$(property MainPID)
guest kill -STOP "$pid"
eventually 40 is_now NRestarts 1
eventually 20 is_now ActiveState active
matches "the first answer after the watchdog" "$(client curl -sS --max-time 0.9 http://10.77.0.101/ 2>&1)" '^rs[0-9]+$'
guest systemctl stop ulvsd
equal "the state after a stop" "$(property ActiveState) $(property Result)" "inactive success"
power_off

say "== removed, and purged"
once apt-get remove -y -q ulvs >/dev/null 2>&1
[ -e "$root/etc/ulvs/ulvs.toml" ] || fail "remove took the operator's file away"
once apt-get purge -y -q ulvs >"$folder/apt" 2>&1 || { cat "$folder/apt" >&2; fail "apt-get purge"; }
left=$(find "$root" -xdev \( -path "$root/proc" -o -path "$root/sys" -o -path "$root/var/log" -o -path "$root/var/cache" -o -path "$root/root" \) -prune -o -name '*ulvs*' -print)
equal "what purge left" "$left" ""
if once getent group ulvs; then fail "purge left the group"; fi
