#!/usr/bin/env bash
# The distribution's ipvsadm drives ulvsd: what it adds is forwarded, what it saves it restores, and a reload leaves it alone.
. "$(dirname "$0")/_init.sh"

begin --method nat
ipvsadm() { director ulvs-run ipvsadm "$@"; }
answer() { lab exec client curl --silent --max-time 3 "http://10.77.0.101:8000/"; }

matches "the listing" "$(ipvsadm -Ln)" 'TCP  10\.77\.0\.101:80 rr'
ipvsadm -A -t 10.77.0.101:8000 -s wrr
ipvsadm -a -t 10.77.0.101:8000 -r 10.77.2.11:8080 -m
equal "the answer of the new service" "$(answer)" rs1
# its counters, within the two seconds of IPVS's estimator
eventually 4 bash -c "'$ROOT/target/release/ulvs-xtask' lab exec director ulvs-run ipvsadm -Ln --stats -t 10.77.0.101:8000 |
    grep -Eq '^TCP +10.77.0.101:8000 +1 '"

# its connections, and what programs without the library read: with those of the service, within the same two seconds
matches "the connections" "$(ipvsadm -Lnc)" 'TCP [0-9:]+ +[A-Z_]+ +10\.77\.1\.10:[0-9]+ +10\.77\.0\.101:8000 +10\.77\.2\.11:8080'
matches "its file" "$(director ulvs-run cat /proc/net/ip_vs)" 'TCP  0A4D0065:1F40 wrr  
  -> 0A4D020B:1F90      Masq    1      '
eventually 4 grep -q '^  -> 0A4D020B:1F90 ' "$RUN/proc/net/ip_vs"
eventually 4 sh -c "sed -n 3p '$RUN/proc/net/ip_vs_stats' | grep -Eq '^ +[1-9A-F]'"

# drained: no new connection; then another real server takes over
ipvsadm -e -t 10.77.0.101:8000 -r 10.77.2.11:8080 -m -w 0
! answer || fail "a service with no weight left answers"
ipvsadm -a -t 10.77.0.101:8000 -r 10.77.2.12:8080 -m -w 5
equal "the answer after the change" "$(answer)" rs2

# a reload of the file touches neither the service nor its real servers
saved=$(ipvsadm -Sn)
kill -HUP "$ULVSD"
sleep 0.5
equal "the services after a reload" "$(ipvsadm -Sn)" "$saved"

# save, clear, restore, save: byte for byte
ipvsadm -C
! answer || fail "a cleared table forwards"
printf '%s\n' "$saved" | ipvsadm -R
equal "the restored services" "$(ipvsadm -Sn)" "$saved"
equal "the answer after the restore" "$(answer)" rs2

# the persistence engine sip, as it is listed and saved
ipvsadm -A -u 10.77.0.101:8001 -s rr -p 50 --pe sip
ipvsadm -Ln -u 10.77.0.101:8001 | grep -q 'persistent 50 pe sip$' || fail "a service with a persistence engine is not listed as such"
ipvsadm -Sn | grep -qx -- '-A -u 10.77.0.101:8001 -s rr -p 50 --pe sip' || fail "a service with a persistence engine is not saved as such"
