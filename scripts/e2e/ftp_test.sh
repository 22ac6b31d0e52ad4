#!/usr/bin/env bash
# FTP through NAT with a real server and a real client: passive and active, by IPv4 and IPv6, files of 1 MiB both ways, with two
# workers, so that data connections come to another worker than the control connection that announced them.
. "$(dirname "$0")/_init.sh"
PATH=$PATH:/usr/sbin
command -v vsftpd >/dev/null || { say "skipped: no FTP server is here (package vsftpd)"; exit 0; }

workers=$(($(nproc) < 2 ? 1 : 2))
begin --workers $workers --method nat
ipvsadm() { director ulvs-run ipvsadm "$@"; }

# a server on each real server, which ends with the lab; clients may read and write in `files`
for number in 1 2 3; do
    root=$RUN/rs$number/ftp
    mkdir -p "$root/files" "$RUN/empty"
    chmod 755 "$root" "$RUN/rs$number" "$RUN"
    chmod 777 "$root/files"
    echo "rs$number" >"$root/name"
    cp "$RUN/rs$number/1m" "$root/1m"
    chmod 644 "$root"/*
    chmod 777 "$root/files"
    cat >"$RUN/rs$number/vsftpd.conf" <<END
background=NO
listen=NO
listen_ipv6=YES
listen_port=2100
ftp_data_port=2099
connect_from_port_20=YES
anonymous_enable=YES
anon_root=$root
anon_upload_enable=YES
anon_umask=022
write_enable=YES
no_anon_password=YES
anon_max_rate=0
secure_chroot_dir=$RUN/empty
port_promiscuous=NO
seccomp_sandbox=NO
isolate_network=NO
END
    lab exec rs$number vsftpd "$RUN/rs$number/vsftpd.conf" </dev/null >"$RUN/ftp$number.log" 2>&1 &
    eventually 10 lab exec rs$number bash -c 'exec 3<>/dev/tcp/10.77.2.1'$number'/2100'
done
ipvsadm -A -t 10.77.0.101:21 -s rr
ipvsadm -A -t '[fd00:77::101]:21' -s rr
for number in 1 2 3; do
    ipvsadm -a -t 10.77.0.101:21 -r 10.77.2.1$number:2100 -m
    ipvsadm -a -t '[fd00:77::101]:21' -r "[fd00:77:2::1$number]:2100" -m
done

head -c 1048576 /dev/urandom >"$RUN/up"
# transfer NAME HOST CURL-OPTION...: a file down and one up, and what was sent is what came
transfer() {
    local name=$1 host=$2 on
    shift 2
    client curl -sS --max-time 20 "$@" -o "$RUN/down" "ftp://$host/1m" || fail "$name: no file came"
    cmp -s "$RUN/down" "$RUN/rs1/1m" || fail "$name: another file came"
    # upload, listing and download by one control connection
    local options=(-sS --max-time 20 "$@")
    client curl "${options[@]}" -T "$RUN/up" "ftp://$host/files/$name" --next "${options[@]}" -o "$RUN/list" "ftp://$host/" \
        --next "${options[@]}" -o "$RUN/down" "ftp://$host/1m" || fail "$name: not all of three transfers"
    grep -q files "$RUN/list" || fail "$name: the listing is not one"
    on=$(cd "$RUN" && ls rs?/ftp/files/"$name")
    cmp -s "$RUN/$on" "$RUN/up" || fail "$name: another file went up"
}
v6='[fd00:77::101]'
transfer epsv 10.77.0.101
transfer pasv 10.77.0.101 --disable-epsv --no-ftp-skip-pasv-ip
transfer eprt 10.77.0.101 --ftp-port -
transfer port 10.77.0.101 --ftp-port - --disable-eprt
transfer epsv6 "$v6"
transfer eprt6 "$v6" --ftp-port -

# a session with many data connections, passive and by the address that the server says: sequence numbers are shifted by each
files=()
for number in $(seq 40); do files+=("ftp://10.77.0.101/name" -o "$RUN/name$number"); done
client curl -sS --max-time 20 --disable-epsv --no-ftp-skip-pasv-ip "${files[@]}" || fail "40 files by one control connection"
equal "the servers that 40 files came from" "$(cat "$RUN"/name* | sort -u | wc -l)" 1

# control and data connections are one real server's, and the client's data connections end at the virtual address
connections=$(ipvsadm -Lnc | grep ' 10.77.1.10:')
matches "the connections" "$connections" '10\.77\.0\.101:20 '
[ "$(grep -c ESTABLISHED <<<"$connections" || true)" -le 2 ] || fail "data connections did not end: $connections"

# without the helper nobody listens at the port that the server says
sed -i 's/^\[api\]/[ftp]\nports = []\n\n[api]/' "$RUN/ulvs.toml"
kill -HUP "$ULVSD"
eventually 10 grep -q 'toml followed' "$RUN/ulvsd.log"
! client curl -s --max-time 5 -o "$RUN/down" ftp://10.77.0.101/1m || fail "passive connections are led to real servers without the helper"
