#!/usr/bin/env bash
# Services by firewall mark, made by ipvsadm and by keepalived: HTTP and HTTPS of one mark with persistence lead a client to one
# real server. And one-packet scheduling: a client's datagrams go to all real servers.
ALSO_NEEDED="openssl:openssl python3:python3"
. "$(dirname "$0")/_init.sh"

lab down >/dev/null
lab up --method dr >/dev/null
cat >>"$RUN/ulvs.toml" <<'END'

[[mark]]
mark = 7
destination = "10.77.0.110/32"
protocol = "tcp"
destination_ports = [80, 443]
port = "wan"

[[mark]]
mark = 8
destination = "fd00:77::110/128"
protocol = "tcp"

[[mark]]
mark = 9
destination = "10.77.0.111/32"
END
start_ulvsd
# the director's own, as any virtual address: else the kernel beneath af_packet says that there is no way to them
for address in 10.77.0.110/32 10.77.0.111/32 fd00:77::110/128; do director ip address add $address dev ulvs0; done
ipvsadm() { director ulvs-run ipvsadm "$@"; }

# an HTTPS server beside nginx on each real server, which tells its name; they end with the lab
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=lab -keyout "$RUN/key.pem" -out "$RUN/cert.pem" 2>/dev/null
cat >"$RUN/https.py" <<'END'
import http.server, socket, ssl, sys
name, folder = sys.argv[1:]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(name.encode() + b"\n")
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
server = Server(("::", 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
END
for number in 1 2 3; do
    lab exec rs$number ip address add 10.77.0.110/32 dev lo
    lab exec rs$number ip address add fd00:77::110/128 dev lo
    lab exec rs$number ip address add 10.77.0.111/32 dev lo
    lab exec rs$number python3 "$RUN/https.py" rs$number "$RUN" </dev/null >/dev/null 2>&1 &
    eventually 10 lab exec rs$number bash -c 'exec 3<>/dev/tcp/127.0.0.1/443'
done

answers() { lab exec client curl --silent --insecure --max-time 3 "$@" || fail "no answer: curl $*"; }
# one_server ADDRESS CURL-OPTION...: HTTP and HTTPS to one real server, whose name it says
one_server() {
    local address=$1 first one
    shift
    first=$(answers "$@" "http://$address/")
    matches "the first answer of $address" "$first" '^rs[123]$'
    for one in http https http https; do equal "$one's real server" "$(answers "$@" "$one://$address/")" "$first"; done
    say "$first"
}
# several CURL-OPTION...: clients go to several real servers
clients() {
    local seen=() number
    for number in 71 72 73; do
        lab exec client ip address add "10.77.1.$number/24" dev eth0 2>/dev/null || true
        seen+=("$(one_server 10.77.0.110 --interface "10.77.1.$number" | tail -n 1)")
    done
    equal "real servers of three clients" "$(printf '%s\n' "${seen[@]}" | sort -u | wc -l)" 3
}

ipvsadm -A -f 7 -s rr -p 60
ipvsadm -A -f 8 -6 -s rr -p 60
for number in 1 2 3; do
    ipvsadm -a -f 7 -r 10.77.2.1$number:0 -g
    ipvsadm -a -f 8 -6 -r "[fd00:77:2::1$number]:0" -g
done
matches "the listing" "$(ipvsadm -Ln)" 'FWM +7 rr persistent 60.*10\.77\.2\.1[123]:0 +Route +1 +0 +0.*FWM +8 IPv6 rr persistent 60'
matches "the saved rules" "$(ipvsadm -Sn)" '-A -f 7 -s rr -p 60'
matches "ulvsctl's listing" "$(director ulvsctl services)" 'FWM +7 +rr persistent 60'
clients
one_server '[fd00:77::110]' >/dev/null
matches "the template" "$(ipvsadm -Lnc)" 'IP +[0-9:]+ +(NONE|ASSURED) +10\.77\.1\.7[123]:0 +0\.0\.0\.7:0 +10\.77\.2\.1[123]:0'
# other ports of the address have no mark, and there the kernel answers
! lab exec client curl --silent --max-time 3 http://10.77.0.110:8080/ >/dev/null || fail "port 8080 has no mark"
# counters are the service's
counts_connections() { [[ "$(ipvsadm -Ln --stats -f 7)" =~ FWM\ +7\ +15\  ]]; }
eventually 5 counts_connections
ipvsadm -D -f 7

# the same by keepalived
real() { printf 'real_server 10.77.2.1%s 0 {\n weight 1\n TCP_CHECK {\n connect_port 8080\n connect_timeout 3\n }\n}\n' "$1"; }
{
    printf 'virtual_server fwmark 7 {\n delay_loop 6\n lb_algo rr\n lb_kind DR\n persistence_timeout 50\n'
    for number in 1 2 3; do real $number; done
    echo '}'
} >"$RUN/keepalived.conf"
start_keepalived
has_servers() { [ "$(ipvsadm -Ln -f 7 | grep -c -- '-> 10')" = 3 ]; }
eventually 20 has_servers
clients

# datagrams, each by itself: one client port, all real servers, and no connection; replies pass the director by
ipvsadm -A -f 9 -s rr -o
for number in 1 2 3; do ipvsadm -a -f 9 -r 10.77.2.1$number:0 -g; done
names=()
for _ in 1 2 3 4 5 6; do
    names+=("$(lab exec client dig -b 10.77.1.10#5555 +short +tries=1 +time=3 @10.77.0.111 who.lab TXT)")
done
equal "names that one client port was told" "$(printf '%s\n' "${names[@]}" | sort | uniq -c | awk '{ print $1 }' | xargs)" "2 2 2"
! ipvsadm -Lnc | grep -q '10\.77\.0\.111' || fail "a connection is kept: $(ipvsadm -Lnc)"
counted() { [[ "$(ipvsadm -Ln --stats -f 9)" =~ FWM\ +9\ +6\ +6\  ]]; }
eventually 5 counted
matches "its listing" "$(ipvsadm -Ln -f 9)" 'FWM +9 rr ops'
