-- wrk: PUTs the payload under a new id each time. KEY is the API key, RUN (8 hex digits) makes the ids of this run its
-- own, AGENTS is how many agents take turns (1: the payload's own).
local f = assert(io.open(os.getenv("PAYLOAD"), "rb"))
local body = f:read("*a")
f:close()
local key = os.getenv("KEY")
local run = os.getenv("RUN")
local agents = tonumber(os.getenv("AGENTS"))
local made = 0

local function between(text, name)
  local from, to = text:find('"' .. name .. '":"', 1, true)
  return text:sub(1, to), text:sub(to + 37)
end

local to_id, after_id = between(body, "id")
local to_agent, after_agent = between(after_id, "agentId")
local agent = after_id:sub(#to_agent + 1, #to_agent + 36)

function request()
  local id = string.format("%s-0000-4000-8000-%012x", run, made)
  local whose = agents > 1 and string.format("a9e00000-0000-4000-8000-%012x", made % agents) or agent
  made = made + 1
  return wrk.format("PUT", "/v1/calls/" .. id, { ["X-Api-Key"] = key, ["Content-Type"] = "application/json" },
    to_id .. id .. to_agent .. whose .. after_agent)
end
