#!/usr/bin/env bash
# ICMP errors of others: path MTU discovery across routers on both sides, and what clients hear of closed ports. And datagrams
# that may be fragmented, cut for a narrow link through each method. (Fragments that come in: fragments_test.sh, for the kernel
# puts them together before it gives them to net_af_packet.)
ALSO_NEEDED="python3:python3"
. "$(dirname "$0")/_init.sh"

begin
ipvsadm() { director ulvs-run ipvsadm "$@"; }

# each datagram from a port of its own, without DF
cat >"$RUN/ask.py" <<'PY'
import os, socket, sys
address, length = sys.argv[1], int(sys.argv[2])
for number in range(12):
    one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    one.settimeout(1)
    if ":" not in address:
        one.setsockopt(socket.IPPROTO_IP, 10, 0)
    one.connect((address, 7007))
    data = os.urandom(length)
    for attempt in range(4):
        try:
            one.send(data)
            assert one.recv(65535) == data, "another datagram came back"
            break
        except socket.timeout:
            pass
    else:
        sys.exit("no answer from " + address)
PY
for number in 1 2 3; do
    # on its own addresses and on the virtual ones it has
    lab exec rs$number python3 "$(dirname "$0")/_echo.py" 10.77.2.1$number fd00:77:2::1$number 10.77.0.102 fd00:77::102 10.77.0.103 fd00:77::103 \
        </dev/null >"$RUN/echo$number.log" 2>&1 &
done
service() {
    local vip=$1 server=$2 method=$3 number
    ipvsadm -A -u "$vip:7007" -s rr
    for number in 1 2 3; do ipvsadm -a -u "$vip:7007" -r "${server/N/$number}:7007" "$method"; done
}
service 10.77.0.101 10.77.2.1N -m
service 10.77.0.102 10.77.2.1N -g
service 10.77.0.103 10.77.2.1N -i
for number in 1 2 3; do director ip route add 10.77.2.1$number/32 dev ulvs1 mtu 1280; done
eventually 5 client python3 "$RUN/ask.py" 10.77.0.101 100
for vip in 10.77.0.101 10.77.0.102 10.77.0.103; do
    client python3 "$RUN/ask.py" $vip 1400 || fail "1,400 bytes to $vip"
done
for number in 1 2 3; do
    [ "$(lab exec rs$number nstat -asz IpReasmOKs | awk '/IpReasmOKs/ { print $2 }')" -gt 3 ] || fail "rs$number saw no fragments"
    director ip route del 10.77.2.1$number/32
done

# closed ports: TCP is refused by the real server, UDP by its ICMP error, which is about another address and port there
ipvsadm -A -t 10.77.0.101:9 -s rr
ipvsadm -a -t 10.77.0.101:9 -r 10.77.2.11:9999 -m
ipvsadm -A -u 10.77.0.101:9 -s rr
ipvsadm -a -u 10.77.0.101:9 -r 10.77.2.11:9999 -m
cat >"$RUN/refused.py" <<'PY'
import socket
for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
    one = socket.socket(socket.AF_INET, kind)
    one.settimeout(2)
    try:
        one.connect(("10.77.0.101", 9))
        one.send(b"x")
        one.recv(1)
        raise SystemExit("not refused")
    except ConnectionRefusedError:
        pass
PY
client python3 "$RUN/refused.py" || fail "closed ports are not refused"

# a router with a link of 1,280 bytes behind the director: its errors come by the director and are translated
switch() { lab exec switch "$@"; }
director ip route add 10.77.2.11/32 via 10.77.2.254 dev ulvs1
switch ip route add 10.77.2.11/32 dev br-lan mtu lock 1280
switch ip route add 10.77.1.10/32 via 10.77.2.1
ipvsadm -A -t 10.77.0.101:8011 -s rr
ipvsadm -a -t 10.77.0.101:8011 -r 10.77.2.11:8080 -m
equal "bytes up by a narrow router" "$(client curl -sSf --max-time 20 --data-binary "@$RUN/rs1/1m" -H Expect: \
    http://10.77.0.101:8011/upload)" 1048576
matches "what the client has learned" "$(client ip route get 10.77.0.101)" 'mtu 1280'
director ip route del 10.77.2.11/32 via 10.77.2.254 dev ulvs1
switch ip route del 10.77.2.11/32
switch ip route del 10.77.1.10/32

# and one on the clients' side: its errors are about replies, and go to the real server
director ip route add 10.77.1.10/32 via 10.77.1.254 dev ulvs0
switch ip route add 10.77.1.10/32 dev br-wan mtu lock 1280
switch ip route replace 10.77.0.0/24 via 10.77.1.1
# what the client has learned it would also say of itself, and no reply would be too long
client ip route flush cache
equal "bytes down by a narrow router" \
    "$(client curl -sSf --max-time 20 -o /dev/null -w '%{size_download}' http://10.77.0.101:8011/1m)" 1048576
matches "what the real server has learned" "$(lab exec rs1 ip route get 10.77.1.10 from 10.77.2.11)" 'mtu 1280'
