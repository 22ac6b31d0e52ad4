#!/usr/bin/env bash
# Fragments through each method, IPv4 and IPv6, both ways: ping with 8,000 bytes, datagrams of 4 KB to an echo server, answers of 3 KB
# of a DNS server, and datagrams whose last fragment is sent first. The ports are libpcap's here, for af_packet gives packets put
# together.
ALSO_NEEDED="python3:python3"
. "$(dirname "$0")/_init.sh"
compgen -G '/usr/lib/*/dpdk/pmds-*/librte_net_pcap.so*' >/dev/null || { say "skipped: DPDK's driver net_pcap is not here (package librte-net-pcap23)"; exit 0; }

lab down >/dev/null
lab up >/dev/null
for link in wan:0 lan:1; do
    name=${link%:*}
    sed -i "s/net_af_packet${link#*:},iface=${name}[^\"]*/net_pcap${link#*:},rx_iface_in=$name,tx_iface=$name/" "$RUN/ulvs.toml"
done
grep -q 'net_pcap1' "$RUN/ulvs.toml" || fail "the ports are $(grep device "$RUN/ulvs.toml")"
start_ulvsd
check_answers || fail "a virtual address does not answer"
ipvsadm() { director ulvs-run ipvsadm "$@"; }

# on each real server's own addresses and on the virtual ones it has: an echo server, and a DNS server with a long answer
long=$(printf 'x%.0s' {1..250})
for number in 1 2 3; do
    lab exec rs$number python3 "$(dirname "$0")/_echo.py" 10.77.2.1$number fd00:77:2::1$number 10.77.0.102 fd00:77::102 10.77.0.103 fd00:77::103 \
        </dev/null >"$RUN/echo$number.log" 2>&1 &
    lab exec rs$number dnsmasq --keep-in-foreground --conf-file=/dev/null --port=5300 --except-interface=none --pid-file= \
        --log-facility=- --user=nobody --no-hosts --no-resolv --local=/lab/ --edns-packet-max=4096 \
        --txt-record="long.lab,rs$number,$long,$long,$long,$long,$long,$long,$long,$long,$long,$long,$long,$long" \
        </dev/null >"$RUN/dns$number.log" 2>&1 &
done
# service VIP REAL-SERVER METHOD, N being its number
service() {
    local number port
    for port in 7007 5300; do
        ipvsadm -A -u "$1:$port" -s rr
        for number in 1 2 3; do ipvsadm -a -u "$1:$port" -r "${2/N/$number}:$port" "$3"; done
    done
}
for method in 101:-m 102:-g 103:-i; do
    service "10.77.0.${method%:*}" 10.77.2.1N "${method#*:}"
    service "[fd00:77::${method%:*}]" '[fd00:77:2::1N]' "${method#*:}"
done

# each datagram from a port of its own. `reversed`: as fragments, the last first, by IPv4 and IPv6
cat >"$RUN/ask.py" <<'PY'
import errno, os, random, socket, struct, sys
address, length, order = sys.argv[1], int(sys.argv[2]), sys.argv[3]
v6 = ":" in address
family = socket.AF_INET6 if v6 else socket.AF_INET
raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) if order == "reversed" else None

def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff or 0xffff

def fragments(source, port, data):
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, address)
    udp = struct.pack("!HHHH", port, 7007, 8 + len(data), 0) + data
    pseudo = ends + (struct.pack("!II", len(udp), 17) if v6 else struct.pack("!HH", 17, len(udp)))
    udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp)) + udp[8:]
    number, size = random.getrandbits(32), 1232
    for at in range(0, len(udp), size):
        part, more = udp[at:at + size], at + size < len(udp)
        if v6:
            head = struct.pack("!IHBB", 6 << 28, 8 + len(part), 44, 64) + ends
            head += struct.pack("!BBHI", 17, 0, at | more, number)
        else:
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(part), number & 0xffff, more << 13 | at >> 3, 64, 17, 0) + ends
        yield head + part

for number in range(12):
    one = socket.socket(family, socket.SOCK_DGRAM)
    one.settimeout(1)
    one.connect((address, 7007))
    source, port = one.getsockname()[:2]
    data = os.urandom(length)
    for attempt in range(4):
        try:
            if raw:
                for fragment in reversed(list(fragments(source, port, data))):
                    raw.sendto(fragment, (address, 0))
            else:
                one.send(data)
            if one.recv(65535) != data:
                sys.exit("another datagram came back")
            break
        except socket.timeout:
            pass
        except OSError as error:
            # the tunnel takes less, and the next attempt is of that size
            if error.errno != errno.EMSGSIZE:
                raise
    else:
        sys.exit(f"no answer from {address}, {length} bytes, {order}")
PY
eventually 10 client python3 "$RUN/ask.py" fd00:77::103 100 whole
for number in 101 102 103; do
    for vip in 10.77.0.$number fd00:77::$number; do
        client ping -q -c 3 -i 0.2 -W 2 -s 8000 "$vip" >"$RUN/out" || fail "ping with 8,000 bytes to $vip: $(cat "$RUN/out")"
        client python3 "$RUN/ask.py" "$vip" 4096 whole || fail "datagrams of 4,096 bytes to $vip"
        client python3 "$RUN/ask.py" "$vip" 4096 reversed || fail "the last fragment first to $vip"
        matches "a long answer of $vip" "$(client dig +short +notcp +bufsize=4096 +ignore +tries=3 +time=1 -p 5300 "@$vip" long.lab TXT | wc -c)" '^3[01]..$'
    done
done
# they were fragments for the director, on the way there and, by NAT, back; and none was refused
status=$(director ulvsctl status --json)
equal "refused fragments" "$(jq '[.drops[] | select(.reason == "bad_fragment").count] | add // 0' <<<"$status")" 0
for number in 1 2 3; do
    [ "$(lab exec rs$number nstat -asz IpReasmOKs Ip6ReasmOKs | awk '/ReasmOKs/ { all += $2 } END { print all }')" -gt 20 ] \
        || fail "rs$number saw no fragments"
done
