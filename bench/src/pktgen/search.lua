
-- What is below is the same for every scenario.

local function number(name, default)
    return tonumber(os.getenv(name) or "") or default
end

local SEND = os.getenv("SEND") or "0"        -- the port that sends to the director
local RECEIVE = os.getenv("RECEIVE") or "1"  -- the port that gets what the director sends on; one-armed: the same
local MAC = os.getenv("DIRECTOR_MAC") or error("DIRECTOR_MAC=aa:bb:cc:dd:ee:ff: of the director's port")
local SIZE = number("SIZE", smallest)        -- bytes of a frame, with the FCS
local TRIAL = number("TRIAL", 60)            -- seconds of a trial (RFC 2544, 24)
local RESOLUTION = number("RESOLUTION", 0.1) -- of the rate, in per cent of the line's
local SETTLE = 2000                          -- milliseconds for the last frames to come back (RFC 2544, 23)

local function range(set, start, inc, min, max)
    set(SEND, "start", start)
    set(SEND, "inc", inc)
    set(SEND, "min", min)
    set(SEND, "max", max)
end

local function fixed(set, value, none)
    range(set, value, none, value, value)
end

local function prepare()
    assert(SIZE >= smallest, "frames of this scenario have at least " .. smallest .. " bytes")
    pktgen.screen("off")
    pktgen.stop("all")
    pktgen.set(SEND, "count", 0)
    pktgen.range.dst_mac(SEND, "start", MAC)
    pktgen.range.ip_proto(SEND, "udp")
    if ipv6 then
        pktgen.set_type(SEND, "ipv6")
    end
    range(pktgen.range.src_ip, client.first, client.step, client.first, client.last)
    fixed(pktgen.range.dst_ip, service.address, client.none)
    fixed(pktgen.range.src_port, client.port, 0)
    range(pktgen.range.dst_port, service.port, service.step, service.port, service.last)
    fixed(pktgen.range.pkt_size, SIZE, 0)
    pktgen.set_range(SEND, "on")
end

-- Sends at a rate for so many milliseconds; how many were sent and how many came back.
local function trial(rate, milliseconds)
    pktgen.clr()
    pktgen.set(SEND, "rate", rate)
    pktgen.start(SEND)
    pktgen.delay(milliseconds)
    pktgen.stop(SEND)
    pktgen.delay(SETTLE)
    local sent = pktgen.portStats(SEND, "port")[tonumber(SEND)].opackets
    local received = pktgen.portStats(RECEIVE, "port")[tonumber(RECEIVE)].ipackets
    assert(sent > 0, "nothing was sent: is there a link?")
    return sent, received
end

local function say(rate, sent, received, seconds)
    local lost = sent - received
    print(string.format("%s: %7.3f %% of the line, %d sent, %d lost, %.3f Mpps back", scenario, rate, sent, lost,
        received / seconds / 1e6))
end

-- Every connection is made before anything is measured. Whether they are all made is seen by what comes back.
local function open()
    local rate = 1
    for _ = 1, 20 do
        local sent, received = trial(rate, 1000)
        if sent >= flows and received == sent then
            return
        end
        rate = sent < flows and math.min(rate * 2, 100) or rate
    end
    error("the director loses packets at " .. rate .. " % of the line already: look at `ulvsctl status`")
end

-- The highest rate at which nothing is lost (RFC 2544, 26.1), confirmed by a trial of its own.
local function search()
    local good, bad, rate = 0, nil, 100
    while true do
        local sent, received = trial(rate, TRIAL * 1000)
        say(rate, sent, received, TRIAL)
        if received >= sent then
            good = rate
        else
            bad = rate
        end
        if not bad or bad - good <= RESOLUTION then
            break
        end
        rate = (good + bad) / 2
    end
    assert(good > 0, "packets are lost at any rate")
    local sent, received = trial(good, TRIAL * 1000)
    say(good, sent, received, TRIAL)
    if received < sent then
        error(string.format("%s: %.3f %% was loss-free once, and not again", scenario, good))
    end
    print(string.format("%s: loss-free at %.3f %% of the line, %.3f Mpps, frames of %d bytes", scenario, good,
        received / TRIAL / 1e6, SIZE))
end

prepare()
open()
search()
