#!/usr/bin/env bash
# A real Prometheus reads a director: the page is clean, the dashboard's queries have answers, alerts fire and end, and none is false.
. "$(dirname "$0")/_init.sh"
command -v prometheus promtool >/dev/null || die "Prometheus is missing: apt-get install prometheus"

begin --method nat
service=10.77.0.101:8000
# the dashboard has rows of real servers, too
tell_real_servers
{
    printf '\n[check.web]\ntype = "tcp"\ninterval = 200\ntimeout = 500\nrise = 2\nfall = 2\n'
    printf '\n[[service]]\naddress = "%s"\nprotocol = "tcp"\nscheduler = "rr"\nchecks = ["web"]\n' "$service"
    for number in 1 2; do
        printf '\n[[service.real_server]]\naddress = "10.77.2.1%s:8080"\nmethod = "nat"\n' $number
    done
} >>"$RUN/ulvs.toml"
kill -HUP "$ULVSD"

page() { director curl --silent --max-time 5 http://127.0.0.1:9477/metrics; }
has_checks() { page | grep -q '^ulvs_real_server_up{.*} 1$'; }
eventually 10 has_checks
page | promtool check metrics || fail "promtool has words about the page: see above"

# each level has what the one before it has, and the API the same page
lines() { director curl --silent --max-time 5 "http://127.0.0.1:9477/metrics?scope=$1" | grep -c "^$2{"; }
equal "services told by the sums" "$(lines global ulvs_service_weight || true)" 0
equal "real servers told by services" "$(lines service ulvs_real_server_weight || true)" 0
[ "$(lines service ulvs_service_weight)" -gt 0 ] || fail "no service is told"
[ "$(lines real node_ipvs_backend_weight)" -gt 0 ] || fail "node_exporter's names are missing"
matches "an unknown scope" "$(director curl --silent 'http://127.0.0.1:9477/metrics?scope=all')" 'use one of global, service, real'
[ "$(director ulvsctl metrics --scope real | grep -c '^ulvs_real_server_weight{')" = "$(lines real ulvs_real_server_weight)" ] || fail "ulvsctl metrics is another page"

# alerts at once: how long they wait is tried in virtual time by `promtool test rules`
promtool test rules "$ROOT/scripts/host/prometheus/ulvs.rules.test.yml" >"$RUN/rules.log" || fail "$(cat "$RUN/rules.log")"
sed 's/^\( *for:\) .*/\1 0s/' "$ROOT/scripts/host/prometheus/ulvs.rules.yml" >"$RUN/at-once.rules.yml"
start_prometheus "$RUN/at-once.rules.yml"
trap 'status=$?; stop_prometheus; (exit $status); end' EXIT

# query EXPRESSION: how many series the answer has
query() {
    director curl --silent --max-time 5 --get --data-urlencode "query=$1" http://127.0.0.1:9090/api/v1/query \
        | jq -re 'if .status == "success" then .data.result | length else error(.error) end'
}
scraped() { [ "$(query 'count_over_time(ulvs_build_info[10s]) > 3')" = 1 ]; }
eventually 20 scraped
client curl --silent --max-time 5 "http://$service/" >/dev/null || fail "the service does not answer"
fresh() { [ "$(query 'sum(ulvs_service_connections_total) > 0')" = 1 ]; }
eventually 10 fresh

# every query of the dashboard; those that compare may rightly have nothing to show
queries=0
while IFS= read -r expression; do
    # shellcheck disable=SC2016 # Grafana's variables
    expression=$(sed 's/\$instance/.*/g; s/\$service/.*/g; s/\$__rate_interval/10s/g' <<<"$expression")
    count=$(query "$expression") || fail "the dashboard asks what Prometheus refuses: $expression"
    [ "$count" -gt 0 ] || [[ $expression == *'> 0' ]] || fail "the dashboard asks what no director tells: $expression"
    queries=$((queries + 1))
done < <(jq -r '.panels[].targets[]?.expr, .annotations.list[].expr // empty' "$ROOT/scripts/host/grafana/ulvs.json")
[ "$queries" -ge 25 ] || fail "only $queries queries in the dashboard"

# firing: the names of alerts that fire; a busy machine's stalls are no fault of the rules
firing() {
    director curl --silent --max-time 5 http://127.0.0.1:9090/api/v1/alerts \
        | jq -r '[.data.alerts[] | select(.state == "firing") | .labels.alertname] | unique - ["UlvsWorkerStalls"] | join(" ")'
}
fires() { [[ " $(firing) " == *" $1 "* ]]; }
quiet() { [ -z "$(firing)" ]; }
eventually 10 quiet
lab exec rs1 nft 'add table inet dead; add chain inet dead in { type filter hook input priority 0; }; add rule inet dead in tcp dport 8080 reject with tcp reset'
eventually 20 fires UlvsRealServerDown
lab exec rs1 nft delete table inet dead
eventually 20 quiet
for number in 1 2; do director ulvsctl drain "$service" "10.77.2.1$number:8080" >/dev/null; done
eventually 20 fires UlvsServiceWithoutRealServers
for number in 1 2; do director ulvsctl undrain "$service" "10.77.2.1$number:8080" >/dev/null; done
eventually 20 quiet
stop_ulvsd || fail "ulvsd did not end well"
eventually 20 fires UlvsDown
