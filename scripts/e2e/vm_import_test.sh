#!/usr/bin/env bash
# A kernel's own table, with all that IPVS can be told, is imported: by netlink, and by the text of `ipvsadm -S`. Then ipvsadm
# says of ulvs what it says of the kernel, byte for byte. In a guest, for its kernel has IPVS.
export ULVS_LAB=${ULVS_LAB:-ulvs-vm}
. "$(dirname "$0")/_init.sh"
. "$ROOT/scripts/vm/lib.sh"
skip_without_qemu

lab down >/dev/null
vm up >/dev/null
share=$RUN/vm/share
guest 'mkdir -p /share/ulvs.d; modprobe -a ip_vs ip_vs_pe_sip'
{
    number=0
    for scheduler in rr wrr lc wlc fo ovf lblc lblcr dh sh mh sed nq none; do
        number=$((number + 1))
        for service in "-t 10.77.0.1:$number" "-u 10.77.0.1:$number" "--sctp-service 10.77.0.1:$number" "-t [fd00:77:1::9]:$number" "-f $number"; do
            echo "-A $service -s $scheduler"
        done
        echo "-a -t 10.77.0.1:$number -r 10.77.2.11:$((8000 + number)) -m -w $number"
        echo "-a -t 10.77.0.1:$number -r 10.77.2.12:$number -g -w 0"
        echo "-a -t 10.77.0.1:$number -r 10.77.2.13:$number -i -w 65535 -x 200 -y 100"
    done
    # flags, and those without a name of their own
    for flags in sh-fallback sh-port sh-fallback,sh-port flag-1 flag-2 flag-3 flag-1,flag-3 flag-1,flag-2,flag-3; do
        number=$((number + 1))
        echo "-A -t 10.77.0.2:$number -s sh -b $flags"
        echo "-A -u 10.77.0.2:$number -s mh -b ${flags//sh-/mh-}"
        echo "-A -f $number -6 -s mh -b ${flags//sh-/mh-}"
    done
    # persistence: masks of both families, engines, all ports, the longest
    echo '-A -t 10.77.0.3:80 -s wrr -p'
    echo '-A -t 10.77.0.3:81 -s wrr -p 1'
    echo '-A -t 10.77.0.3:82 -s wrr -p 2678400 -M 255.255.255.0'
    echo '-A -t 10.77.0.3:0 -s rr -p 50'
    echo '-a -t 10.77.0.3:0 -r 10.77.2.11:0 -g -w 1'
    echo '-A -t [fd00:77:1::9]:1080 -s rr -p 60 -M 64'
    echo '-A -u 10.77.0.3:5060 -s rr -p 360 --pe sip'
    echo '-A -u [fd00:77:1::9]:5060 -s wlc -p 60 --pe sip -o'
    echo '-A -f 4294967295 -s rr -p 10 -M 255.255.0.0'
    echo '-A -f 77 -6 -s rr -p 10 -M 48 -o'
    echo '-A -u 10.77.0.3:53 -s rr -o'
    # tunnels, also into the other family; thresholds
    echo '-A -t 10.77.0.4:80 -s wlc'
    echo '-a -t 10.77.0.4:80 -r 10.77.2.11:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum'
    echo '-a -t 10.77.0.4:80 -r 10.77.2.12:80 -i -w 1 --tun-type gue --tun-port 6081 --tun-csum'
    echo '-a -t 10.77.0.4:80 -r 10.77.2.13:80 -i -w 1 --tun-type gue --tun-port 65535 --tun-remcsum'
    echo '-a -t 10.77.0.4:80 -r 10.77.2.14:80 -i -w 1 --tun-type gre --tun-nocsum'
    echo '-a -t 10.77.0.4:80 -r 10.77.2.15:80 -i -w 1 --tun-type gre --tun-csum'
    echo '-a -t 10.77.0.4:80 -r [fd00:77:2::11]:80 -i -w 1 -x 7'
    echo '-A -t [fd00:77:1::9]:2080 -s wlc'
    echo '-a -t [fd00:77:1::9]:2080 -r 10.77.2.11:80 -i -w 2'
    echo '-a -t [fd00:77:1::9]:2080 -r [fd00:77:2::12]:8080 -m -w 2 -x 9 -y 8'
    # by mark every port is one of its own
    echo '-A -f 78 -s rr'
    echo '-a -f 78 -r 10.77.2.11:0 -g -w 1'
    echo '-a -f 78 -r 10.77.2.12:8080 -m -w 1'
    echo '-a -f 78 -r 10.77.2.12:8081 -m -w 1'
    echo '-a -f 78 -r 10.77.2.13:0 -i -w 3'
} >"$share/rules"
guest 'ipvsadm -R </share/rules' || fail "the kernel does not take the rules"
# tables FOLDER COMMAND...: what ipvsadm says. flag-3 of sh and mh, which it shows as a flag without a name, has no effect, and is not imported.
tables() {
    guest "mkdir -p /share/$1; for of in '-S -n' '-L -n' '-L -n --thresholds' '-L -n --tun-info'; do
        ${*:2} ipvsadm \$of >/tmp/table || exit 1
        sed 's/size=[0-9]*/size=N/; s/ ()$//; s/ -b $//' /tmp/table >\"/share/$1/\$of\"; done"
}
tables kernel
guest 'ipvsadm --set 1000 60 7; ulvsctl import kernel --output /share/by-netlink.toml 2>/share/told' || fail "$(cat "$share/told")"
grep -q 'timeout_tcp = 1000, timeout_tcp_fin = 60 and timeout_udp = 7 in \[connections\]' "$share/told" || fail "timeouts are not told: $(cat "$share/told")"
equal "services whose flag-3 is told" "$(grep -c 'without effect in IPVS, and left out: flag-3' "$share/told")" 9
! grep -q 'commented out' "$share/told" || fail "not all of the kernel's table is imported: $(cat "$share/told")"
# ipvsadm does not save thresholds
guest 'ulvsctl import ipvsadm "/share/kernel/-S -n" --output /share/by-text.toml 2>/share/told' || fail "$(cat "$share/told")"
! grep -qE 'commented out|line is left out' "$share/told" || fail "not all of ipvsadm's text is imported: $(cat "$share/told")"

cat >"$share/ulvs.toml" <<TOML
[dpdk]
huge_pages = false
memory = 64
[workers]
cores = [0]
poll = "adaptive"
[connections]
capacity = 4096
[api]
socket = "/run/ulvs/api.sock"
[[port]]
name = "wan"
device = "net_null0,no-rx=1"
TOML
# imported NAME FOLDER: ulvsd with this drop-in, and what ipvsadm says of it
imported() {
    guest "mkdir -p /run/ulvs; rm -f /share/ulvs.d/*; cp /share/$1.toml /share/ulvs.d/; setsid ulvsd --config /share/ulvs.toml >/share/ulvsd.log 2>&1 &
        pid=\$!; until ulvsctl status >/dev/null 2>&1; do kill -0 \$pid 2>/dev/null || exit 1; sleep 0.2; done" \
        || { tail -n 20 "$share/ulvsd.log"; fail "ulvsd does not start with $1.toml"; }
    tables "$2" ulvs-run
    guest_stop || fail "ulvsd does not end"
    guest 'rm -rf /var/lib/ulvs/*'
}
imported by-netlink ulvs
for file in "$share"/kernel/*; do
    diff -u "$file" "$share/ulvs/$(basename "$file")" || fail "ipvsadm $(basename "$file") says something else of what was imported by netlink"
done
imported by-text text
diff -u "$share/kernel/-S -n" "$share/text/-S -n" || fail "ipvsadm -S -n says something else of what was imported from its text"
vm down >/dev/null
