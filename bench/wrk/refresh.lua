-- A chain of refresh tokens for each thread, which therefore has one connection.
-- Arguments: a file with one refresh token per line, one line for each thread; what a refresh token is called, in
-- form and answer; a pause in ms.
local here = debug.getinfo(1, "S").source:match("@(.*/)")
dofile(here .. "tally.lua")
dofile(here .. "addresses.lua")

local NO_ROTATION = 0 -- stands among the statuses for a good answer that brought no other token than the one shown
local token, form, pattern

function init(args)
    local line = 0
    for text in io.lines(args[1]) do
        line = line + 1
        if line == thread_number then token = text end
    end
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
    statuses = {}
    form = "grant_type=refresh_token&" .. args[2] .. "="
    pattern = '"' .. args[2] .. '"%s*:%s*"([^"]+)"'
    local pause = tonumber(args[3])
    if pause > 0 then delay = function() return pause end end
end

function request()
    from_next_address(3)
    return wrk.format(nil, nil, nil, form .. token)
end

function response(status, _, body)
    local newest = body:match(pattern) or token
    if status == 200 and newest == token then status = NO_ROTATION end
    statuses[status] = (statuses[status] or 0) + 1
    token = newest
end
