-- Another client's address with each request, as a trusted proxy reports it: 65,536 of them below `block`.
local turn = 0

function from_next_address(block)
    turn = (turn + 1) % 65536
    wrk.headers["X-Forwarded-For"] =
        string.format("%d.%d.%d.%d", 10, block, math.floor(turn / 256), turn % 256)
end
