#!/usr/bin/env bash
# Two directors with the distribution's keepalived, configured as in many articles on LVS: the virtual address moves within
# VRRP's own time when ulvsd, keepalived or both of the master are killed, and comes back with each.
. "$(dirname "$0")/_init.sh"

VIP=10.77.1.100
# advert_int 1: three advertisements missed, and a part of a second by the backup's priority
TAKES_OVER_MS=3650
declare -A PID=() KEEPALIVED=()

# the files of a director, and commands in its namespace
folder() { if [ "$1" = director ]; then echo "$RUN"; else echo "$RUN/$1"; fi; }
on() {
    at "$1"
    shift
    "${AT[@]}" "$@"
}
# AT: what comes before a command there. It becomes the command, so a background job's pid is the program's own.
at() {
    local folder
    folder=$(folder "$1")
    AT=(ip netns exec "$ULVS_LAB-$1" env "PATH=$TARGET/release:$PATH:/usr/sbin:/sbin" "ULVS_SOCKET=$folder/api.sock"
        "ULVS_IPVS_SOCKET=$folder/ipvs.sock" "ULVS_PROC=$folder/proc/net")
}

# a second director on both bridges, beside the lab's
add_backup() {
    local name
    ip netns add "$ULVS_LAB-backup"
    ip -n "$ULVS_LAB-backup" link set lo up
    for name in wan lan; do
        ip -n "$ULVS_LAB-switch" link add "b-$name" type veth peer name $name netns "$ULVS_LAB-backup"
        ip -n "$ULVS_LAB-switch" link set "b-$name" master "br-$name" up
        ip netns exec "$ULVS_LAB-switch" ethtool -K "b-$name" rx off tx off sg off tso off gso off gro off >/dev/null 2>&1
        # what `cargo xtask lab` does for the first: the kernel takes nothing from these interfaces
        ip netns exec "$ULVS_LAB-backup" sh -e <<-SETTINGS
			ethtool -K $name rx off tx off sg off tso off gso off gro off >/dev/null 2>&1
			echo 1 >/proc/sys/net/ipv4/ip_forward
			echo 1 >/proc/sys/net/ipv6/conf/$name/disable_ipv6
			echo 1 >/proc/sys/net/ipv4/conf/$name/rp_filter
			echo 8 >/proc/sys/net/ipv4/conf/$name/arp_ignore
			ip link set $name up
		SETTINGS
    done
    mkdir "$RUN/backup"
    # the lab takes huge pages for one director
    sed -e 's/^huge_pages = true$/huge_pages = false/' \
        -e 's/\(10\.77\.[12]\)\.1\//\1.2\//' -e 's/\(fd00:77:[12]::\)1\//\12\//' -e "s|$RUN/|$RUN/backup/|" \
        "$RUN/ulvs.toml" >"$RUN/backup/ulvs.toml"
}

start_director() {
    at "$1"
    setsid "${AT[@]}" ulvsd --config "$(folder "$1")/ulvs.toml" </dev/null >>"$(folder "$1")/ulvsd.log" 2>&1 &
    PID[$1]=$!
    eventually 20 has_started "$1"
}
has_started() {
    kill -0 "${PID[$1]}" || fail "ulvsd of $1 ended at its start"
    on "$1" ulvsctl status
}
# start_keepalived WHO STATE PRIORITY
start_keepalived() {
    local conf
    conf=$(folder "$1")/keepalived.conf
    article "$2" "$3" >"$conf"
    at "$1"
    setsid "${AT[@]}" ulvs-run keepalived --dont-fork --no-syslog --log-console --log-detail --use-file "$conf" --pid "$conf.pid" \
        --checkers_pid "$conf.checkers" --vrrp_pid "$conf.vrrp" </dev/null >>"$conf.log" 2>&1 &
    KEEPALIVED[$1]=$!
}
kill_keepalived() {
    local conf
    conf=$(folder "$1")/keepalived.conf
    # the parent first: it would start the others again
    kill -KILL "${KEEPALIVED[$1]}" "$(cat "$conf.checkers")" "$(cat "$conf.vrrp")" 2>/dev/null || true
    wait "${KEEPALIVED[$1]}" 2>/dev/null || true
    rm -f "$conf.pid" "$conf.checkers" "$conf.vrrp"
}
kill_director() {
    kill -KILL "${PID[$1]}"
    wait "${PID[$1]}" 2>/dev/null || true
}
finish() {
    local status=$? who pid
    trap - EXIT
    for who in director backup; do
        # one of them may not be there yet
        [ $status = 0 ] || tail -n 15 "$(folder $who)/keepalived.conf.log" "$(folder $who)/ulvsd.log" 2>/dev/null || true
        # in this order: keepalived takes its services back
        for pid in "${KEEPALIVED[$who]:-}" "${PID[$who]:-}"; do
            kill -TERM "$pid" 2>/dev/null || continue
            wait "$pid" || true
        done
    done
    ip netns delete "$ULVS_LAB-backup"
    (exit $status) || end
    end
}

# article STATE PRIORITY: comments, old keywords and all
article() {
    cat <<-CONFIGURATION
		! Configuration File for keepalived

		global_defs {
		   notification_email {
		     acassen@firewall.loc      # nobody reads it
		   }
		   notification_email_from Alexandre.Cassen@firewall.loc
		   smtp_server 127.0.0.1
		   smtp_connect_timeout 1
		   router_id LVS_DEVEL
		}

		vrrp_instance VI_1 {
		    state $1
		    interface eth0
		    virtual_router_id 51
		    priority $2
		    advert_int 1
		    authentication {
		        auth_type PASS
		        auth_pass 1111
		    }
		    virtual_ipaddress {
		        $VIP
		    }
		}

		virtual_server $VIP 80 {
		    delay_loop 6
		    lb_algo rr
		    lb_kind DR
		    nat_mask 255.255.255.0
		    persistence_timeout 50
		    protocol TCP

		    real_server 10.77.2.11 80 {
		        weight 1
		        TCP_CHECK {
		            connect_timeout 3
		            nb_get_retry 3
		            delay_before_retry 3
		        }
		    }
		    real_server 10.77.2.12 80 {
		        weight 1
		        TCP_CHECK {
		            connect_timeout 3
		            nb_get_retry 3
		            delay_before_retry 3
		        }
		    }
		}
	CONFIGURATION
}

mac() { on "$1" cat /sys/class/net/eth0/address; }
# the hardware address the client has for the virtual address: it asks nobody, it is told
client_has() { client ip neigh show $VIP | grep -q "lladdr $1 "; }
has_address() { on "$1" ip -4 -o addr show dev eth0 | grep -q " $VIP/"; }
answers() { [[ $(client curl --silent --max-time 3 http://$VIP/) =~ ^rs[12]$ ]]; }
has_service() { on "$1" ulvs-run ipvsadm -Ln -t $VIP:80 | grep -c -- '-> 10\.77\.2\.1[12]:80 ' | grep -qx 2; }

# moves WHAT TO COMMAND...: after it, within VRRP's time, the client knows the virtual address by TO
moves() {
    local what=$1 to=$2 began took
    shift 2
    answers || fail "no answer before: $what"
    began=$(date +%s%N)
    "$@"
    eventually 20 client_has "$to"
    took=$((($(date +%s%N) - began) / 1000000))
    say "$what: the virtual address moved after $took ms"
    # half a second for a busy machine, and one for those who look
    [ $took -lt $((TAKES_OVER_MS + 1500)) ] || fail "$what: moved after $took ms"
}

lab down >/dev/null

lab up --method dr >/dev/null
trap finish EXIT
# the twin has the name the interface had before it was given to ulvs; services are keepalived's alone
sed -i -e 's/tap = "ulvs0"/tap = "eth0"/' -e '/10\.77\.0\.102\/32/d; /fd00:77::102\/128/d' -e '/^\[\[service/,$d' "$RUN/ulvs.toml"
for real_server in rs1 rs2; do lab exec $real_server "$ROOT/scripts/host/realserver" start $VIP >/dev/null; done
add_backup
start_director director
start_director backup
master=$(mac director) backup=$(mac backup)
start_keepalived director MASTER 150
start_keepalived backup BACKUP 100
eventually 20 has_service director
eventually 20 has_service backup
eventually 20 has_address director
eventually 20 answers
client_has "$master" || fail "the client has the virtual address from the backup"
! has_address backup || fail "both have the virtual address"

moves "keepalived of the master killed" "$backup" kill_keepalived director
answers || fail "no answer from the backup"
moves "keepalived is back" "$master" start_keepalived director MASTER 150

moves "ulvsd of the master killed" "$backup" kill_director director
answers || fail "no answer from the backup"
# keepalived goes on: its interface was gone and is back, its services are those that ulvsd kept. It may have found the real
# servers out of reach, so that they are back with its next check.
moves "ulvsd is back" "$master" start_director director
eventually 20 has_service director
eventually 20 answers

both() { kill_director director; kill_keepalived director; }
moves "both of the master killed" "$backup" both
answers || fail "no answer from the backup"
