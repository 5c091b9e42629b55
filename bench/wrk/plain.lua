-- GET, always the same.
dofile(debug.getinfo(1, "S").source:match("@(.*/)") .. "tally.lua")
