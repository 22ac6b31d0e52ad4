-- Pktgen's Lua interface as far as the scripts use it, in front of a director that forwards CAPACITY packets a second on a line
-- that carries LINE. It records every call; anything else that is called is an error.
local LINE, CAPACITY = 14880952, tonumber(os.getenv("CAPACITY"))
local calls, rate, seconds, sending = {}, 0, 0, false

local function recorded(name, act)
    return function(...)
        local words = { name }
        for _, argument in ipairs({ ... }) do
            words[#words + 1] = tostring(argument)
        end
        calls[#calls + 1] = table.concat(words, " ")
        return act and act(...)
    end
end

pktgen = { range = {} }
for _, name in ipairs({ "screen", "set_type", "set_range" }) do
    pktgen[name] = recorded(name)
end
for _, name in ipairs({ "dst_mac", "ip_proto", "src_ip", "dst_ip", "src_port", "dst_port", "pkt_size" }) do
    pktgen.range[name] = recorded("range." .. name)
end
pktgen.set = recorded("set", function(_, what, value)
    if what == "rate" then
        rate = value
    end
end)
pktgen.clr = function() seconds = 0 end
pktgen.start = function() sending = true end
pktgen.stop = function() sending = false end
pktgen.delay = function(milliseconds)
    if sending then
        seconds = seconds + milliseconds / 1000
    end
end
pktgen.portStats = function(port)
    local sent = math.floor(LINE * rate / 100 * seconds)
    return { [tonumber(port)] = { opackets = sent, ipackets = math.min(sent, math.floor(CAPACITY * seconds)) } }
end

local ended, why = pcall(dofile, arg[1])
for _, call in ipairs(calls) do
    if not call:match("^set %d+ rate") then
        print("call " .. call)
    end
end
assert(ended, why)
