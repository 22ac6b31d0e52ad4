# shellcheck shell=sh
# ulvsd as a director for the oracle: what another one needs to be played against, docs/oracle.md says.
# shellcheck disable=SC2154 # $folder, $core, $huge_pages, $wan, $lan, $wan_addresses and $lan_addresses are given

mkdir -p "$folder"
export ULVS_SOCKET="$folder/api.sock" ULVS_IPVS_SOCKET="$folder/ipvs.sock" ULVS_PROC="$folder/proc/net" ULVS_LOG=warn
ulvsd=

ipvsadm() {
    ulvs-run ipvsadm "$@"
}

# Sets `NAME=VALUE`; of `NAME` it only says whether there is one.
sysctl() {
    for word; do
        case $word in
            -*) ;;
            net.ipv4.vs.*=*)
                word=${word#net.ipv4.vs.}
                ulvsctl set "${word%%=*}" "${word#*=}" >/dev/null || return 1
                ;;
            net.ipv4.vs.*) ulvsctl get "${word#net.ipv4.vs.}" >/dev/null || return 1 ;;
            *) command sysctl -q -w "$word" || return 1 ;;
        esac
    done
}

# What the kernel has in modules, ulvsd has in it.
modprobe() {
    case ${1:-} in
        ip_vs_*) ;;
        *) command modprobe "$@" ;;
    esac
}

director_start() {
    director_stop
    director_file >"$folder/ulvs.toml"
    rm -f "$ULVS_SOCKET"
    ulvsd --config "$folder/ulvs.toml" >"$folder/ulvsd.log" 2>&1 &
    ulvsd=$!
    # asked only once it can answer: to ask takes an emulated CPU as long as ulvsd's own start
    until [ -S "$ULVS_SOCKET" ] && ulvsctl status >/dev/null 2>&1; do
        kill -0 "$ulvsd" 2>/dev/null || break
        sleep 0.02
    done
    kill -0 "$ulvsd" || { director_log; false; }
}

director_stop() {
    [ -z "$ulvsd" ] || { kill "$ulvsd" 2>/dev/null; wait "$ulvsd"; }
    ulvsd=
}

director_mark() {
    printf '[[mark]]\nmark = %s\ndestination = "%s"\n' "$2" "$1" >>"$folder/ulvs.toml"
    ulvsctl apply >/dev/null
}

director_log() {
    tail -n 5 "$folder/ulvsd.log"
}

director_file() {
    cat <<END
[dpdk]
huge_pages = $huge_pages
memory = 64
packets = 4096
[workers]
cores = [$core]
poll = "adaptive"
[connections]
capacity = 4096
[api]
socket = "$folder/api.sock"
[state]
folder = "off"
[metrics]
listen = "off"
[console]
listen = "off"
END
    director_port wan "$wan" eth0 "$wan_addresses"
    director_port lan "$lan" eth1 "$lan_addresses"
}

director_port() {
    printf '[[port]]\nname = "%s"\ndevice = "%s"\ntap = "%s"\naddresses = [' "$1" "$2" "$3"
    for address in $4; do printf '"%s", ' "$address"; done
    printf ']\n'
}
