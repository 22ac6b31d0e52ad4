#!/usr/bin/env bash
# What is foretold of a packet happens, and asking changes nothing; a trace tells what did happen.
. "$(dirname "$0")/_init.sh"

begin --method nat
explain() { director ulvsctl explain "$@"; }
get() { client curl --silent --fail --max-time 3 "$@" >/dev/null; }
# says REGEX ARGUMENT...: the explanation has it
says() {
    local regex=$1 text
    shift
    text=$(explain "$@") || fail "no explanation of $*"
    [[ $text =~ $regex ]] || fail "the explanation of $* does not match '$regex': $text"
}
packet=(tcp 10.77.1.10:4242 '->' 10.77.0.101:80)
get http://10.77.0.101/

# the scheduler's turn is foretold, however often it is asked
foretold=$(explain "${packet[@]}" --json | jq -r .real_server)
matches "the real server foretold" "$foretold" '^10\.77\.2\.1[123]:8080$'
for _ in 1 2 3 4; do equal "the same again" "$(explain "${packet[@]}" --json | jq -r .real_server)" "$foretold"; done
client curl --silent --fail --max-time 3 --local-port 4242 http://10.77.0.101/ >/dev/null
equal "where it went" "$(director ulvsctl conns --client 10.77.1.10 --limit 0 --json | jq -r '.connections[] | select(.client == "10.77.1.10:4242").real_server')" "$foretold"
says "belongs to the connection 10\.77\.1\.10:4242 > 10\.77\.0\.101:80 > $foretold by nat" "${packet[@]}" --flags ack
says 'for the service tcp 10\.77\.0\.101:80' tcp 10.77.1.10:4300 10.77.0.101:80
says 'begins one: .* It is forwarded out of lan' tcp 10.77.1.10:4300 10.77.0.101:80
says 'No service is tcp 10\.77\.0\.101:81\..*handed to the kernel \(not_a_service\).*remedy +If it should be' tcp 10.77.1.10:4242 10.77.0.101:81
director ulvs-run ipvsadm -A -t 10.77.0.101:81 -s wlc
director ulvs-run ipvsadm -a -t 10.77.0.101:81 -r 10.77.2.11:8080 -m -w 0
says 'gets no new ones, for its weight is 0.*dropped \(no_destination\).*remedy +Give a real server' tcp 10.77.1.10:4242 10.77.0.101:81
equal "connections made by asking" "$(director ulvsctl conns --service 10.77.0.101:81 --count)" 0

# a file of packets
director ulvsctl capture tcp -w "$RUN/one.pcapng" --count 1 2>/dev/null &
capture=$!
has_begun() { [ -s "$RUN/one.pcapng" ]; }
eventually 5 has_begun
get http://10.77.0.101/
wait $capture || fail "no packet to ask about"
says 'tcp 10\.77\.1\.10:[0-9]+ > 10\.77\.0\.101:80 \[syn\]' --pcap "$RUN/one.pcapng"

# what did happen
director ulvsctl trace 'tcp and host 10.77.0.101' --count 2 --duration 20s >"$RUN/trace" 2>&1 &
trace=$!
is_traced() { get http://10.77.0.101/ && ! kill -0 $trace 2>/dev/null; }
eventually 10 is_traced
wait $trace || fail "the trace: $(cat "$RUN/trace")"
matches "the first packet" "$(cat "$RUN/trace")" 'tcp 10\.77\.1\.10:[0-9]+ > 10\.77\.0\.101:80 \[syn\].*begins one: .* by nat, SYN_RECV.*forwarded out of lan'
matches "the second" "$(cat "$RUN/trace")" '> 10\.77\.1\.10:[0-9]+ \[syn,ack\].*forwarded out of wan'

refused() {
    local sentence=$1
    shift
    if explain "$@" >"$RUN/out" 2>&1; then fail "explain $* is not refused"; fi
    grep -qF -- "$sentence" "$RUN/out" || fail "explain $* says: $(cat "$RUN/out")"
}
refused 'is no packet: give protocol' tcp 10.77.1.10:1
refused 'choose among' tcp 10.77.1.10:1 10.77.0.101:80 --port nowhere
refused 'there is no worker 9' tcp 10.77.1.10:1 10.77.0.101:80 --worker 9
refused 'give tcp or udp' icmp 10.77.1.10:1 10.77.0.101:80
