-- A light probe: GET with a pause after each answer, each time from another address.
-- Arguments: pause in ms, optionally an access token.
local here = debug.getinfo(1, "S").source:match("@(.*/)")
dofile(here .. "tally.lua")
dofile(here .. "addresses.lua")

local pause

function init(args)
    count_answers()
    pause = tonumber(args[1])
    if args[2] then wrk.headers["Authorization"] = "Bearer " .. args[2] end
end

function delay()
    return pause
end

function request()
    from_next_address(2)
    return wrk.format()
end
