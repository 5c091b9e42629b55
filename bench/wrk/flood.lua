-- Sign-ins at a fixed rate, each from another address: what is refused at once makes room for the next.
-- Arguments: e-mail pattern, how many accounts, password, sign-ins per second. For one wrk thread.
-- An answer is matched to its request by the request id, where the server returns it.
local here = debug.getinfo(1, "S").source:match("@(.*/)")
dofile(here .. "tally.lua")
dofile(here .. "addresses.lua")

local STRIDE = 7919 -- prime, so every account comes up before one comes again
local MOST_BEHIND = 0.05 -- seconds to catch up on; more would be a burst
local pattern, accounts, password, pause
local number, sent_at, due = 0, {}, nil
refused_ms, accepted_ms, with_retry_after, refused = {}, {}, 0, 0

function init(args)
    pattern, accounts, password, pause = args[1], tonumber(args[2]), args[3], 1 / tonumber(args[4])
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
    statuses = {}
end

function delay()
    local moment = now()
    due = math.max(due or moment, moment - MOST_BEHIND) + pause
    return math.max(0, math.floor((due - moment) * 1000))
end

function request()
    number = number + 1
    local id = string.format("flood-%08d", number)
    local email = string.format(pattern, number * STRIDE % accounts):gsub("@", "%%40")
    from_next_address(1)
    wrk.headers["X-Request-ID"] = id
    sent_at[id] = now()
    return wrk.format(nil, nil, nil, "username=" .. email .. "&password=" .. password)
end

local function header(headers, name)
    if headers[name] then return headers[name] end
    for given, value in pairs(headers) do
        if given:lower() == name then return value end
    end
end

function response(status, headers)
    statuses[status] = (statuses[status] or 0) + 1
    local id = header(headers, "x-request-id")
    local began = id and sent_at[id]
    if began then
        table.insert(status == 200 and accepted_ms or refused_ms, (now() - began) * 1000)
        sent_at[id] = nil
    end
    if status == 429 or status == 503 then
        refused = refused + 1
        if tonumber(header(headers, "retry-after")) then with_retry_after = with_retry_after + 1 end
    end
end

local function percentiles(values)
    table.sort(values)
    local function at(share) return values[math.max(1, math.ceil(#values * share))] or 0 end
    return string.format('{"count":%d,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}',
        #values, at(0.5), at(0.99), at(1))
end

function more(thread)
    return string.format('"refused_timed":%s,"accepted_timed":%s,"refused_politely":%d,"refused_all":%d',
        percentiles(thread:get("refused_ms")), percentiles(thread:get("accepted_ms")),
        thread:get("with_retry_after"), thread:get("refused"))
end
