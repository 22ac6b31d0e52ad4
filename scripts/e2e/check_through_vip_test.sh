#!/usr/bin/env bash
# Health checks through the data path to the virtual address: a real server of direct routing or of a tunnel whose own address
# answers and whose virtual address does not is taken out, and put back. The director has the virtual addresses itself.
. "$(dirname "$0")/_init.sh"

begin --method dr --method tun
file=$RUN/ulvs.toml
cp "$file" "$RUN/first.toml"
# service ADDRESS METHOD REAL-SERVER...: the lines of a service at port 8080, which the real servers listen at
service() {
    printf '\n[[service]]\naddress = "%s:8080"\nprotocol = "tcp"\nscheduler = "rr"\nchecks = ["vip"]\n' "$1"
    local method=$2 real
    shift 2
    for real in "$@"; do printf '\n[[service.real_server]]\naddress = "%s"\nmethod = "%s"\n' "$real" "$method"; done
}
{
    cat "$RUN/first.toml"
    printf '\n[check.vip]\ntype = "http"\nthrough = "vip"\nbody = "rs"\ninterval = 300\ntimeout = 2000\nrise = 1\nfall = 2\n'
    service 10.77.0.102 dr 10.77.2.11 10.77.2.12
    service '[fd00:77::102]' dr fd00:77:2::11 fd00:77:2::12
    service 10.77.0.103 tun 10.77.2.11 10.77.2.12
} >"$file.new"
mv "$file.new" "$file"
kill -HUP "$ULVSD"

# The health of both real servers of a service.
health() { director ulvsctl services --json | jq -r --arg service "$1:8080" '[.[] | select(.address == $service) | .real_servers[] | "\(.health) \(.forwarded)"] | sort | join(", ")'; }
health_is() { [ "$(health "$1")" = "$2" ]; }
probed() { [ "$(director ulvsctl checks --json | jq '[.[] | select(.probes > 2)] | length')" = 6 ]; }
answers() { for _ in 1 2 3 4; do client curl --silent --max-time 3 "http://$1:8080/" || return 1; done | grep -o 'rs[0-9]' | sort -u | tr '\n' ' '; }

eventually 20 probed
both='up true, up true'
for vip in 10.77.0.102 '[fd00:77::102]' 10.77.0.103; do eventually 20 health_is "$vip" "$both"; done
equal "failed probes" "$(director ulvsctl checks --json | jq '[.[].failures] | add')" 0

# break DEVICE VIP LENGTH / mend: the real server's own address goes on to answer
for one in '10.77.0.102 32 10.77.0.102' 'fd00:77::102 128 [fd00:77::102]' '10.77.0.103 32 10.77.0.103'; do
    read -r address length vip <<<"$one"
    device=$(lab exec rs1 ip -o addr show to "$address/$length" | awk '{print $2; exit}')
    [ -n "$device" ] || fail "rs1 does not have $address"
    lab exec rs1 ip addr del "$address/$length" dev "$device"
    eventually 20 health_is "$vip" 'down false, up true'
    director curl --silent --max-time 3 http://10.77.2.11:8080/ | grep -q rs1 || fail "rs1's own address does not answer"
    equal "who answers for $vip" "$(answers "$vip")" 'rs2 '
    lab exec rs1 ip addr add "$address/$length" dev "$device"
    eventually 20 health_is "$vip" "$both"
    equal "who answers for $vip again" "$(answers "$vip")" 'rs1 rs2 '
done

# What a real server refuses is told with its reason, not by a timeout: it forwards what is no longer its own, to nowhere.
# reason VIP: why the last probe of rs1 did not pass
reason() { director ulvsctl checks --json | jq -r --arg service "tcp $1:8080" '.[] | select(.address == "10.77.2.11:8080" and .services == [$service]) | .reason // ""'; }
reason_is() { [ "$(reason "$1")" = "$2" ]; }
device=$(lab exec rs1 ip -o addr show to 10.77.0.102/32 | awk '{print $2; exit}')
lab exec rs1 sysctl -qw net.ipv4.ip_forward=1
lab exec rs1 ip addr del 10.77.0.102/32 dev "$device"
lab exec rs1 ip route add unreachable 10.77.0.102/32 table 77
eventually 20 reason_is 10.77.0.102 'no route to host'
lab exec rs1 ip route del unreachable 10.77.0.102/32 table 77
lab exec rs1 ip addr add 10.77.0.102/32 dev "$device"
lab exec rs1 sysctl -qw net.ipv4.ip_forward=0
eventually 20 health_is 10.77.0.102 "$both"

# Probes travel in the tunnel that the real server has now, whoever gave it. What it doesn't take, it says so.
if [ -x /usr/sbin/ipvsadm ] && command -v nft >/dev/null; then
    tunnel() { director ulvs-run /usr/sbin/ipvsadm "$1" -t 10.77.0.103:8080 -r 10.77.2.11:8080 -i --tun-type "${@:2}"; }
    tunnel -e gre
    eventually 20 health_is 10.77.0.103 "$both"
    equal "who answers through GRE" "$(answers 10.77.0.103)" 'rs1 rs2 '
    lab exec rs1 nft add table ip refuse
    lab exec rs1 nft add chain ip refuse input '{ type filter hook input priority 0; }'
    lab exec rs1 nft add rule ip refuse input ip protocol gre reject with icmp type prot-unreachable
    lab exec rs1 nft add rule ip refuse input udp dport 6080 reject with icmp type port-unreachable
    eventually 20 reason_is 10.77.0.103 'protocol not available'
    # it is taken out by now
    eventually 20 health_is 10.77.0.103 'down false, up true'
    tunnel -a gue --tun-port 6080
    eventually 20 reason_is 10.77.0.103 'connection refused'
    lab exec rs1 nft delete table ip refuse
    eventually 20 health_is 10.77.0.103 "$both"
    equal "who answers through GUE" "$(answers 10.77.0.103)" 'rs1 rs2 '
    tunnel -e ipip
    eventually 20 health_is 10.77.0.103 "$both"
else
    say "skipped: GRE and GUE need ipvsadm and nft"
fi

# what is not a probe's goes on to the kernel
client ping -c 1 -W 2 10.77.1.1 >/dev/null || fail "the director does not answer a ping"
# a real server of NAT has no virtual address
sed 's/method = "dr"/method = "nat"/' "$file" >"$RUN/nat.toml"
if director ulvsctl check "$RUN/nat.toml" >"$RUN/told" 2>&1; then fail "a check through the virtual address is taken for NAT"; fi
grep -q 'asks through the virtual address, which real servers of method "nat" do not have' "$RUN/told" || fail "told is $(cat "$RUN/told")"
