-- Loaded by every script here: counts answers by status and prints one line of JSON at the end.
-- Each wrk thread is a Lua state of its own; only `setup` and `done` run in the main one.
local ffi = require("ffi")
ffi.cdef [[
    typedef struct { long sec; long usec; } bench_timeval;
    int gettimeofday(bench_timeval *now, void *zone);
    int getpid(void);
    int kill(int pid, int signal);
]]

local SIGINT = 2
local PARKED_MS = 3600 * 1000
local threads = {}
local clock = ffi.new("bench_timeval")

function now()
    ffi.C.gettimeofday(clock, nil)
    return tonumber(clock.sec) + tonumber(clock.usec) / 1e6
end

function setup(thread)
    table.insert(threads, thread)
    thread:set("thread_number", #threads)
end

-- Counting answers makes wrk parse each of them; scripts for cheap routes leave it out.
function count_answers()
    statuses = {}
    response = function(status)
        statuses[status] = (statuses[status] or 0) + 1
    end
end

-- Stops sending after `seconds` and ends the run when the last answer is in, so that the server's work
-- belongs to counted answers only. For one wrk thread.
function send_for(seconds)
    local sent, answered = 0, 0
    statuses = {}
    delay = function()
        started = started or now()
        if now() - started >= seconds then return PARKED_MS end
        sent = sent + 1
        return 0
    end
    response = function(status)
        statuses[status] = (statuses[status] or 0) + 1
        answered = answered + 1
        ended = now()
        if answered == sent and ended - started >= seconds then
            ffi.C.kill(ffi.C.getpid(), SIGINT)
        end
    end
end

local function merged_statuses()
    local all, parts = {}, {}
    for _, thread in ipairs(threads) do
        for status, count in pairs(thread:get("statuses") or {}) do
            all[status] = (all[status] or 0) + count
        end
    end
    for status, count in pairs(all) do
        table.insert(parts, string.format('"%d":%d', status, count))
    end
    return "{" .. table.concat(parts, ",") .. "}"
end

local function seconds_of_run(summary)
    local first, last = threads[1]:get("started"), threads[1]:get("ended")
    if first and last then return last - first end
    return summary.duration / 1e6
end

-- A script that has more to tell defines `more(thread)`, which returns fields of JSON.
function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        'BENCH {"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f,' ..
        '"refused":%d,"broken":%d,"statuses":%s%s}\n',
        summary.requests, seconds_of_run(summary),
        latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000,
        errors.status, errors.connect + errors.read + errors.write + errors.timeout, merged_statuses(),
        more and "," .. more(threads[1]) or ""))
end
