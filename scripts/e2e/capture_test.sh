#!/usr/bin/env bash
# ulvsctl capture: both sides of translated connections with what became of each packet, into tcpdump by a pipe.
. "$(dirname "$0")/_init.sh"

command -v tcpdump >/dev/null || { say "skipped: captures are read with tcpdump (package tcpdump)"; exit 0; }
begin --method nat
capture() { director ulvsctl capture "$@"; }
get() { client curl --silent --fail --max-time 3 "$@" >/dev/null; }
# shows PATTERN FILE: tcpdump's lines of a capture have it
shows() { tcpdump -n -r "$2" 2>/dev/null | grep -Eq -- "$1" || fail "no line with '$1' in: $(tcpdump -n -r "$2" 2>&1)"; }
says() { grep -aq -- "$1" "$2" || fail "no comment '$1' in $2"; }
# is_on FILE: the capture has begun
is_on() { [ -s "$1" ]; }

# into tcpdump by a pipe: the filter matches the client's side only, and finds the real server's, too
{ capture 'tcp port 80 and host 10.77.0.101' -w - --duration 4s 2>"$RUN/told" | tee "$RUN/both.pcapng" | tcpdump -n -r - >"$RUN/lines" 2>/dev/null; } &
pipe=$!
eventually 5 is_on "$RUN/both.pcapng"
get http://10.77.0.101/
has_both() {
    grep -Eq '10\.77\.1\.10\.[0-9]+ > 10\.77\.0\.101\.80: Flags \[S\]' "$RUN/lines" \
        && grep -Eq '10\.77\.1\.10\.[0-9]+ > 10\.77\.2\.1[123]\.[0-9]+: Flags \[S\]' "$RUN/lines" \
        && grep -Eq '10\.77\.2\.1[123]\.[0-9]+ > 10\.77\.1\.10\.[0-9]+: Flags \[S\.\]' "$RUN/lines" \
        && grep -Eq '10\.77\.0\.101\.80 > 10\.77\.1\.10\.[0-9]+: Flags \[S\.\]' "$RUN/lines"
}
wait $pipe || fail "the pipe ends with an error: $(cat "$RUN/told")"
grep -q 'frames captured' "$RUN/told" || fail "ulvsctl says: $(cat "$RUN/told")"
has_both || fail "tcpdump's lines by the pipe: $(cat "$RUN/lines")"
says 'forwarded out of ' "$RUN/both.pcapng"
says 'forwarded from ' "$RUN/both.pcapng"

# the real server's side finds the client's; it ends by itself
capture 'src net 10.77.2.0/24 and tcp' -w "$RUN/count.pcapng" --count 3 --snaplen 60 2>"$RUN/told" &
counted=$!
eventually 5 is_on "$RUN/count.pcapng"
get http://10.77.0.101/
wait $counted || fail "the capture by count: $(cat "$RUN/told")"
grep -q '^6 frames captured' "$RUN/told" || fail "three packets of two sides: $(cat "$RUN/told")"
shows '10\.77\.0\.101\.80 > 10\.77\.1\.10' "$RUN/count.pcapng"

# only drops: a service without a real server rejects
director ulvs-run ipvsadm -A -t 10.77.0.101:81 -s rr
capture -w "$RUN/drops.pcapng" --dropped --duration 3s 2>"$RUN/told" &
dropped=$!
eventually 5 is_on "$RUN/drops.pcapng"
client curl --silent --max-time 1 http://10.77.0.101:81/ && fail "nobody serves that"
wait $dropped || fail "the capture of drops: $(cat "$RUN/told")"
says 'dropped: no_destination: The service has no real server' "$RUN/drops.pcapng"
shows 'ICMP 10\.77\.0\.101 tcp port 81 unreachable' "$RUN/drops.pcapng"
if tcpdump -n -r "$RUN/drops.pcapng" 'tcp port 80' 2>/dev/null | grep -q .; then fail "what was forwarded is among the drops"; fi

# what can't be captured is told, and by whom it may not be
refused() {
    local sentence=$1
    shift
    if "$@" >"$RUN/out" 2>&1; then fail "$* is not refused"; fi
    grep -qF -- "$sentence" "$RUN/out" || fail "$* says: $(cat "$RUN/out")"
}
refused 'is no filter' capture 'tcp prot 80' -w /dev/null
refused 'choose among ' capture -w /dev/null --port nowhere
director setpriv --reuid 65534 --regid 65534 --clear-groups curl --silent --unix-socket "$RUN/api.sock" \
    --header 'Content-Type: application/json' --data '{}' http://ulvs/v1/capture >"$RUN/out"
grep -q 'may look at packets' "$RUN/out" || fail "nobody captures: $(cat "$RUN/out")"
equal "a program that loops" "$(director curl --silent --unix-socket "$RUN/api.sock" --header 'Content-Type: application/json' \
    --data '{"program":[[5,0,0,4294967295],[6,0,0,1]]}' http://ulvs/v1/capture)" \
    '{"error":"instruction 0 of the filter leads beyond its end"}'
get http://10.77.0.101/
