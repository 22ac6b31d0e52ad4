#!/usr/bin/env bash
# Clients that use their ports again while weights change: no connection takes a second, which is what a lost SYN costs. And a
# DNS client with one port whose real server is deleted: with expire_nodest_conn its next question is answered by another one
# within 10 ms. ULVS_SECONDS: how long the ports are used (60; otherwise 8).
. "$(dirname "$0")/_init.sh"

begin --method nat --method dr
ipvsadm() { director ulvs-run ipvsadm "$@"; }

# connects from 2,000 ports by turns, and closes: by FIN of either side or by RST
cat >"$RUN/connect.py" <<'PY'
import errno, socket, struct, sys, time
address, first, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
begins, port, made, longest = time.monotonic(), 0, 0, 0.0
# on a slow machine longer, until ports were used again
while time.monotonic() - begins < (seconds if made > 2200 else seconds + 40):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.settimeout(5)
    if made % 3 == 0:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    number, port = first + port, (port + 1) % 2000
    try:
        one.bind(("10.77.1.10", number))
        begun = time.monotonic()
        one.connect((address, 80))
    except OSError as error:
        # the client's own TIME_WAIT: this port is not free yet
        if error.errno in (errno.EADDRNOTAVAIL, errno.EADDRINUSE):
            one.close()
            continue
        sys.exit(f"port {number}: {error}")
    took = time.monotonic() - begun
    longest = max(longest, took)
    if took >= 1:
        sys.exit(f"port {number} took {took:.3f} s")
    made += 1
    if made % 3 == 1:
        one.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while one.recv(4096):
            pass
    one.close()
print(made, f"{longest * 1000:.1f}")
PY
seconds=${ULVS_SECONDS:-8}
client python3 "$RUN/connect.py" 10.77.0.101 20000 "$seconds" >"$RUN/nat" 2>&1 &
nat=$!
client python3 "$RUN/connect.py" 10.77.0.102 30000 "$seconds" >"$RUN/dr" 2>&1 &
dr=$!
weight=0
while kill -0 $nat 2>/dev/null || kill -0 $dr 2>/dev/null; do
    for number in 1 2 3; do
        weight=$(((weight + 1) % 4))
        ipvsadm -e -t 10.77.0.101:80 -r 10.77.2.1$number:8080 -m -w $((number == 1 ? 1 : weight))
        ipvsadm -e -t 10.77.0.102:80 -r 10.77.2.1$number -g -w $((number == 2 ? 1 : weight))
    done
    sleep 0.1
done
wait $nat || fail "NAT: $(cat "$RUN/nat")"
wait $dr || fail "DR: $(cat "$RUN/dr")"
for method in nat dr; do
    read -r made longest <"$RUN/$method"
    say "$method: $made connections from 2,000 ports, the longest took $longest ms"
    [ "$made" -gt 2000 ] || fail "only $made connections by $method: no port was used again"
done

# one port, asked again right after the real server that answered was deleted
cat >"$RUN/ask.py" <<'PY'
import socket, subprocess, sys, time
question = bytes.fromhex("1234 0100 0001 0000 0000 0000 03 77686f 03 6c6162 00 0010 0001".replace(" ", ""))
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("10.77.1.10", 5555))
one.connect(("10.77.0.101", 53))
one.settimeout(2)
def ask():
    begun = time.monotonic()
    one.send(question)
    answer = one.recv(512)
    return answer[-3:].decode(), time.monotonic() - begun
for line in sys.stdin:
    name, took = ask()
    print(name, f"{took * 1000:.2f}", flush=True)
PY
director ulvsctl set expire_nodest_conn 1 >/dev/null
coproc ASKED { lab exec client python3 "$RUN/ask.py"; } 2>/dev/null
ask() { echo >&"${ASKED[1]}"; read -r name took <&"${ASKED[0]}"; }
fastest=1000
for round in 1 2 3 4 5; do
    ask
    kept=$name
    ipvsadm -d -u 10.77.0.101:53 -r "10.77.2.1${kept#rs}:5353"
    ask
    [ "$name" != "$kept" ] || fail "round $round: the deleted real server answered"
    fastest=$(awk -v a="$fastest" -v b="$took" 'BEGIN { print b < a ? b : a }')
    ipvsadm -a -u 10.77.0.101:53 -r "10.77.2.1${kept#rs}:5353" -m
done
say "another real server answered after $fastest ms"
questions=${ASKED[1]}
exec {questions}>&-
awk -v took="$fastest" 'BEGIN { exit !(took < 10) }' || fail "the next answer took $fastest ms in the best of five rounds"
