#!/usr/bin/env bash
# Real servers that are the director itself, beside those on other hosts: nginx at an address and port of the director's by NAT, and
# at the virtual address by DR; a closed port.
. "$(dirname "$0")/_init.sh"

begin --method nat --method dr
ipvsadm() { director ulvs-run ipvsadm "$@"; }
own=$RUN/own
mkdir -p "$own"
head -c 1048576 /dev/urandom >"$own/1m"
printf 'director\n' >"$own/index.html"
cat >"$own/nginx.conf" <<END
daemon on;
pid $own/nginx.pid;
error_log $own/error.log;
worker_processes 1;
events {}
http {
    access_log off;
    client_body_temp_path $own/body;
    client_max_body_size 4m;
    server {
        listen 10.77.2.1:8088;
        listen [fd00:77:2::1]:8088;
        listen 10.77.0.102:8001;
        root $own;
        location /address { return 200 "\$remote_addr\n"; }
    }
}
END
chmod 755 "$own"
director nginx -e "$own/error.log" -c "$own/nginx.conf"

for vip in 10.77.0.101 "[fd00:77::101]"; do
    ipvsadm -A -t "$vip:8000" -s rr
done
ipvsadm -a -t 10.77.0.101:8000 -r 10.77.2.1:8088 -m
ipvsadm -a -t "[fd00:77::101]:8000" -r "[fd00:77:2::1]:8088" -m
ipvsadm -A -t 10.77.0.102:8001 -s rr
ipvsadm -a -t 10.77.0.102:8001 -r 10.77.2.1:8001 -g

get() { client curl -sSf --max-time 10 "$@"; }
for service in 10.77.0.101:8000 "[fd00:77::101]:8000" 10.77.0.102:8001; do
    equal "who answers at $service" "$(get "http://$service/")" director
    equal "what comes from $service" "$(get "http://$service/1m" | sha256sum)" "$(sha256sum <"$own/1m")"
done
equal "whom nginx sees" "$(get http://10.77.0.101:8000/address)" 10.77.1.10

# beside a real server on another host
ipvsadm -a -t 10.77.0.101:8000 -r 10.77.2.11:8080 -m
answers=$(for _ in 1 2 3 4; do get http://10.77.0.101:8000/; done | sort | uniq -c | awk '{ printf "%s %s ", $1, $2 }')
equal "the answers of two" "$answers" "2 director 2 rs1 "
ipvsadm -d -t 10.77.0.101:8000 -r 10.77.2.11:8080
# in both directions
counted() { ipvsadm -Ln --stats -t 10.77.0.101:8000 | grep -Eq '10\.77\.2\.1:8088 +5 +[1-9][0-9.]*K? +[1-9]'; }
eventually 5 counted

# a closed port: the client is told at once
pid=$(cat "$own/nginx.pid")
kill "$pid"
eventually 5 test ! -e "$own/nginx.pid"
status=0
get http://10.77.0.101:8000/ >/dev/null 2>"$own/refused" || status=$?
equal "curl's status at a closed port ($(cat "$own/refused"))" $status 7
