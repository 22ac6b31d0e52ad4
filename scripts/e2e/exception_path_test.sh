#!/usr/bin/env bash
# What is not for a service belongs to the kernel on the TAP twins: ARP, ND, ping, and TCP to the director itself.
. "$(dirname "$0")/_init.sh"

begin
mac=$(director cat /sys/class/net/ulvs0/address)
equal "the twin's MAC" "$mac" "$(director cat /sys/class/net/wan/address)"
client ip neigh flush all
client ip -6 neigh flush all
for address in 10.77.1.1 fd00:77:1::1 10.77.2.1 fd00:77:2::1 10.77.0.101 fd00:77::101 10.77.0.103 fd00:77::103; do
    client ping -q -c 3 -i 0.2 -W 2 "$address" >/dev/null || fail "$address does not answer ping"
done
for address in 10.77.1.1 fd00:77:1::1; do
    matches "the client's neighbour $address" "$(client ip neigh show "$address")" "lladdr $mac "
done

# a server on the director's own addresses, as sshd is
mkdir -p "$RUN/director"
sed -e "s#$RUN/rs1#$RUN/director#g" -e '/listen.*\(\[::\]\|8080\)/d' -e 's/listen 80 /listen 2222 /' \
    -e 's/\(listen 2222.*\)/\1 listen [::]:2222 ipv6only=on;/' "$RUN/rs1/nginx.conf" >"$RUN/director/nginx.conf"
cp "$RUN/rs1/1m" "$RUN/director/1m"
director nginx -e stderr -c "$RUN/director/nginx.conf" >"$RUN/director/nginx.log" 2>&1 &
for host in 10.77.1.1 '[fd00:77:1::1]'; do
    eventually 5 client curl -sSf --max-time 2 "http://$host:2222/"
    equal "bytes from $host" "$(client curl -sSf --max-time 10 -o /dev/null -w '%{size_download}' "http://$host:2222/1m")" 1048576
done

# no service on this port: the kernel refuses, and does so at once
equal "curl's status for a closed port" "$(client curl -s --max-time 3 http://10.77.0.101:81/ || echo $?)" 7
