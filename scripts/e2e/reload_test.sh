#!/usr/bin/env bash
# SIGHUP under load: weights change, a real server is drained, removed and put back; no request fails.
. "$(dirname "$0")/_init.sh"

begin --method nat --scheduler wrr
file=$RUN/ulvs.toml
cp "$file" "$RUN/first.toml"
# the weights of the real servers of the first service, as the director has them
weights() { director ulvsctl services --json | jq -c '.[] | select(.protocol == "tcp" and .address == "10.77.0.101:80") | [.real_servers[] | .weight] | sort'; }
has_weights() { [ "$(weights)" = "$1" ]; }
# reload SED-SCRIPT WEIGHTS
reload() {
    sed "$1" "$RUN/first.toml" >"$file.new"
    mv "$file.new" "$file"
    kill -HUP "$ULVSD"
    eventually 5 has_weights "$2"
}
load --protocol http --requests 40000 --seconds 60 >"$RUN/rows" &
traffic=$!
for _ in 1 2 3; do
    reload '/# rs1$/a weight = 5' '[1,1,5]'
    reload '/# rs3$/a weight = 0' '[0,1,1]'
    # the last connections of rs3 end
    sleep 0.5
    reload '/# rs3$/,/^method/d' '[1,1]'
    reload '' '[1,1,1]'
done
kill -0 $traffic 2>/dev/null || fail "the traffic was over before the last reload: nothing was tested"
wait $traffic || fail "requests failed during the reloads"
cat "$RUN/rows"

# a file that is wrong changes nothing
echo 'wrong = true' >>"$file"
kill -HUP "$ULVSD"
sleep 0.5
has_weights '[1,1,1]' || fail "a wrong file was applied"
check_answers || fail "ulvsd does not forward after a wrong file"
