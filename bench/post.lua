-- wrk: POSTs the payload of the file named in PAYLOAD, nothing else: the least that a sender can do.
local f = assert(io.open(os.getenv("PAYLOAD"), "rb"))
wrk.method = "POST"
wrk.body = f:read("*a")
f:close()
wrk.headers["Content-Type"] = "application/json"
