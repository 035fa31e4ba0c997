-- wrk: PUTs the payload under a new id each time; KEY is the API key, RUN makes the ids of this run its own.
local f = assert(io.open(os.getenv("PAYLOAD"), "rb"))
local body = f:read("*a")
f:close()
local key = os.getenv("KEY")
local run = tonumber(os.getenv("RUN"))
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local made = 0

function request()
  made = made + 1
  local id = string.format("%08x-%04x-4000-8000-%012x", run, number, made)
  local text = body:gsub('"id":"[^"]*"', '"id":"' .. id .. '"', 1)
  return wrk.format("PUT", "/v1/calls/" .. id, { ["X-Api-Key"] = key, ["Content-Type"] = "application/json" }, text)
end

function done(summary, latency, requests)
  io.write(string.format("ACCEPTED %d ERRORS %d\n", summary.requests, summary.errors.status))
end
