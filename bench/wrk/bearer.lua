-- GET with one access token after the other. Arguments: a file with one token per line.
local here = debug.getinfo(1, "S").source:match("@(.*/)")
dofile(here .. "tally.lua")

local requests, turn = {}, 0

function init(args)
    for token in io.lines(args[1]) do
        table.insert(requests, wrk.format("GET", nil, { Authorization = "Bearer " .. token }))
    end
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end
