"""The payload, and many of it. Call N of run R has the id RRRRRRRR-0000-4000-8000-NNNNNNNNNNNN."""
import json
import os

from machine import BUILD, ROOT

AGENT = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
CREATED_DAY = "2024-07-30"  # of the payload
IMPORT_LINES = 8000  # a request; with the seed's payload half of what is allowed

_last_run = 0


def new_run():
    """A name that no other measurement of this process has."""
    global _last_run
    _last_run += 1
    return f"{_last_run:08x}"


def agent(number):
    return f"a9e00000-0000-4000-8000-{number:012x}"


def canonical():
    with open(os.path.join(ROOT, "tests", "data", "seed-call.json"), encoding="utf-8") as f:
        return json.dumps(json.load(f), separators=(",", ":"), ensure_ascii=False).encode()


def with_agent(body, agent_id):
    return body.replace(b'"agentId":"' + AGENT.encode(), b'"agentId":"' + agent_id.encode(), 1)


def payload_file(body, name="payload"):
    path = os.path.join(BUILD, f"{name}.json")
    with open(path, "wb") as f:
        f.write(body)
    return path


def chunks(body, run, count, agents=(AGENT,), first=0):
    """NDJSON of `count` calls in pieces for import, with the agents in turn; made as they are taken."""
    bodies = []
    for agent_id in agents:
        head, tail = with_agent(body, agent_id).split(b'"id":"', 1)
        bodies.append((head + b'"id":"' + run.encode() + b"-0000-4000-8000-", tail[36:]))
    for start in range(first, first + count, IMPORT_LINES):
        end = min(start + IMPORT_LINES, first + count)
        yield b"\n".join(b"%s%012x%s" % (bodies[i % len(bodies)][0], i, bodies[i % len(bodies)][1])
                         for i in range(start, end))
