-- GET one path after the other with one access token. Arguments: a file with one path per line, the token.
local here = debug.getinfo(1, "S").source:match("@(.*/)")
dofile(here .. "tally.lua")

local requests, turn = {}, 0

function init(args)
    for path in io.lines(args[1]) do
        table.insert(requests, wrk.format("GET", path, { Authorization = "Bearer " .. args[2] }))
    end
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end
