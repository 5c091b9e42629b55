-- Sign-up with a new address each time. Arguments: seconds, e-mail pattern (%d counts up), password.
local here = debug.getinfo(1, "S").source:match("@(.*/)")
dofile(here .. "tally.lua")

local pattern, password
local number = 0

function init(args)
    send_for(tonumber(args[1]))
    pattern, password = args[2], args[3]
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
end

function request()
    number = number + 1
    local body = '{"email":"%s","password":"%s"}'
    return wrk.format(nil, nil, nil, body:format(string.format(pattern, number), password))
end
