-- For wrk: one connection per request, N requests in all, and who answered them. Prints one line of JSON at the end.
local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int, int);")
local SIGINT = 2
local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(arguments)
    limit = tonumber(arguments[1])
    answered, refused, shares = 0, 0, {}
    wrk.headers["Connection"] = "close"
end

function response(status, _, body)
    if answered >= limit then
        return -- of the same burst as the last
    end
    answered = answered + 1
    local server = status == 200 and body:match("^[%w_-]+")
    if server then
        shares[server] = (shares[server] or 0) + 1
    else
        refused = refused + 1
    end
    if answered >= limit then
        wrk.thread:stop()
        -- wrk itself would sleep to the end of its --duration; Ctrl-C is what ends that
        ffi.C.kill(ffi.C.getpid(), SIGINT)
    end
end

function done(summary, latency, _)
    local answered, refused, shares = 0, 0, {}
    for _, thread in ipairs(threads) do
        answered = answered + thread:get("answered")
        refused = refused + thread:get("refused")
        for server, count in pairs(thread:get("shares")) do
            shares[server] = (shares[server] or 0) + count
        end
    end
    local parts = {}
    for server, count in pairs(shares) do
        table.insert(parts, string.format('"%s":%d', server, count))
    end
    local errors = summary.errors
    print(string.format(
        '{"answered":%d,"failures":%d,"shares":{%s},"p50_us":%d,"p99_us":%d}',
        answered,
        refused + errors.connect + errors.read + errors.write + errors.timeout,
        table.concat(parts, ","),
        latency:percentile(50),
        latency:percentile(99)
    ))
end
