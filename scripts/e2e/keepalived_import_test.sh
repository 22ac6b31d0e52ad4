#!/usr/bin/env bash
# A keepalived.conf with all that virtual servers can say: what `ulvsctl import keepalived` makes of it is what keepalived itself sets,
# byte for byte as ipvsadm tells it.
. "$(dirname "$0")/_init.sh"

begin --method nat
{
    port=8200
    for scheduler in rr wrr lc wlc lblc sh mh dh fo ovf lblcr sed nq twos; do
        port=$((port + 1))
        cat <<VIRTUAL
virtual_server 10.77.0.210 $port {
    lvs_sched $scheduler
    protocol TCP
    real_server 10.77.2.11 8080 {
    }
    real_server 10.77.2.12 8080 {
        weight 7
        uthreshold 100
        lthreshold 50
    }
}
VIRTUAL
    done
    cat <<'REST'
# as in articles, with what keepalived still takes of old versions
virtual_server 10.77.0.211 80 {
    delay_loop 6
    lb_algo rr
    lb_kind DR
    nat_mask 255.255.255.0
    persistence_timeout 50
    protocol TCP
    real_server 10.77.2.11 80 {
        weight 1
    }
    real_server 10.77.2.12 80 {
        weight 2   ! a comment
    }
}
virtual_server 10.77.0.211 81 {
    lvs_sched wrr
    persistence_timeout
    persistence_granularity 255.255.255.0
    real_server 10.77.2.11 8080 {
        weight 0
    }
}
virtual_server fd00:77:1::11 82 {
    lvs_sched mh
    mh-port
    mh-fallback
    protocol UDP
    persistence_timeout 10
    persistence_granularity 64
    real_server fd00:77:2::11 8082 {
    }
}
virtual_server 10.77.0.211 83 {
    lvs_sched sh
    flag-1
    sh-port
    protocol SCTP
    real_server 10.77.2.11 83 {
    }
}
virtual_server 10.77.0.211 5060 {
    lvs_sched rr
    ops
    protocol UDP
    persistence_engine sip
    persistence_timeout 100
    real_server 10.77.2.11 5060 {
    }
}
virtual_server 10.77.0.211 84 {
    lvs_sched wlc
    lvs_method TUN type gue port 6080 csum
    real_server 10.77.2.11 84 {
    }
    real_server 10.77.2.12 84 {
        lvs_method TUN type gre
    }
    real_server 10.77.2.13 84 {
        lvs_method TUN
    }
    real_server 10.77.2.14 8084 {
        lvs_method NAT
    }
    real_server 10.77.2.15 84 {
        lvs_method TUN type gue port 6081 remcsum
    }
}
virtual_server fwmark 7 {
    lvs_sched wlc
    lvs_method DR
    real_server 10.77.2.11 0 {
        weight 65535
    }
    real_server 10.77.2.12 0 {
    }
}
virtual_server fwmark 8 {
    lvs_sched sed
    ip_family inet6
    persistence_timeout 60
    real_server fd00:77:2::11 8080 {
    }
    real_server fd00:77:2::12 8080 {
    }
}
virtual_server_group some {
    10.77.0.212-214 8300
    10.77.0.216/30 8301
    10.77.0.222-10.77.0.224 8304
    10.77.0.215 8302
    fwmark 9 inet
}
virtual_server group some {
    lvs_sched nq
    lvs_method NAT
    weight 4
    real_server 10.77.2.11 8080 {
    }
    real_server 10.77.2.12 8080 {
        weight 5
    }
}
virtual_server 10.77.0.211 85 {
    lvs_sched wlc
    quorum 2
    hysteresis 1
    sorry_server 10.77.2.13 8080
    inhibit_on_failure
    real_server 10.77.2.11 8080 {
        weight 3
    }
}
REST
} >"$RUN/keepalived.conf"
# what ipvsadm says of all of it
# shellcheck disable=SC2086 # options
tables() { for of in -Sn '-Ln --thresholds' '-Ln --tun-info'; do director ulvs-run ipvsadm $of; done; }
lines() { director ulvs-run ipvsadm -Sn | wc -l; }
services=$(lines)
keepalived_is_ready() { grep -q 'Activating healthchecker\|Gained quorum\|Initializing ipvs' "$RUN/keepalived.log" && [ "$(lines)" = "$(sleep 0.5; lines)" ] && [ "$(lines)" -gt $((services + 60)) ]; }
start_keepalived
eventually 20 keepalived_is_ready
! grep -iE "unknown keyword|invalid|error" "$RUN/keepalived.log" | grep -v nat_mask || fail "keepalived does not understand its file"
tables >"$RUN/keepalived.tables"
end_keepalived
equal "services after keepalived" "$(lines)" "$services"
director ulvsctl import keepalived "$RUN/keepalived.conf" --without-checks --apply --config "$RUN/ulvs.toml" >"$RUN/changes" 2>"$RUN/told" \
    || fail "the file is not imported: $(cat "$RUN/told")"
tables >"$RUN/imported.tables"
diff -u "$RUN/keepalived.tables" "$RUN/imported.tables" || fail "the import is not what keepalived sets: $(cat "$RUN/told")"
