-- OAuth2 password form for one account after the other, in an order that jumps through the table.
-- Arguments: seconds, e-mail pattern (%d is the number), how many accounts, first number, password.
local here = debug.getinfo(1, "S").source:match("@(.*/)")
dofile(here .. "tally.lua")

local STRIDE = 7919 -- prime, so every account comes up before one comes again
local pattern, accounts, number, password

function init(args)
    send_for(tonumber(args[1]))
    pattern, accounts, number, password = args[2], tonumber(args[3]), tonumber(args[4]), args[5]
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
end

function request()
    number = (number + STRIDE) % accounts
    local email = string.format(pattern, number):gsub("@", "%%40")
    return wrk.format(nil, nil, nil, "username=" .. email .. "&password=" .. password)
end
