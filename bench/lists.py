"""What a request costs when little is stored and when much is: the same requests to one service, twice. Of the
deliveries of webhook A nearly all are DELIVERED and a few, the oldest, PARKED; of B it is the other way round."""
import http.client
import json
import random
import time

import calls
from machine import cpu_by_thread
from scenario import Scenario
from services import Callhook, KEY, PATIENCE, Receiver, until

RARE = 100  # deliveries of the state that few have
RUN = "0badcafe"  # of the calls that are looked up; their numbers count from 0
ANOTHER = calls.agent(7)  # whose calls no webhook wants
TIMES, SECONDS = 200, 2  # a request is made so often, or for so long
SETTLE_SECONDS = 2  # until the log of the store is copied and nothing is under way
PAGE = 50


def columns(settings):
    small, large = settings.list_calls
    return [("small_us", f"CPU us at {small:,}", ",.0f"), ("large_us", f"at {large:,}", ",.0f"),
            ("times", "x", ".2f"), ("rows", "rows", ",.0f"), ("rows_large", "rows then", ",.0f")]


class Client:
    """One connection kept alive."""

    def __init__(self, callhook):
        self.http = http.client.HTTPConnection("127.0.0.1", callhook.port, timeout=PATIENCE)

    def ask(self, method, path, body=None, kind="application/json"):
        self.http.request(method, path, body, {"X-Api-Key": KEY, **({"Content-Type": kind} if body else {})})
        answer = self.http.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]}")
        return text


def call_id(number):
    return f"{RUN}-0000-4000-8000-{number:012x}"


def body_of(body, number, agent=ANOTHER, run="0badf00d"):
    head, tail = calls.with_agent(body, agent).split(b'"id":"', 1)
    return head + b'"id":"' + f"{run}-0000-4000-8000-{number:012x}".encode() + tail[36:]


class Requests:
    """The requests by name; each is a function that makes one and returns how many rows it gave (None: none)."""

    def __init__(self, body, full, empty, began):
        self.client, self.body, self.stored, self.made = None, body, 0, 0
        self.began, self.half = began, None
        self.hooks = {"A": full, "B": empty}

    def put(self):
        self.made += 1
        name = call_id(self.made).replace(RUN, "0badf00d")
        self.client.ask("PUT", f"/v1/calls/{name}", body_of(self.body, self.made))

    def get(self):
        self.client.ask("GET", f"/v1/calls/{call_id(random.randrange(self.stored))}")

    def page(self, path, query=""):
        found = json.loads(self.client.ask("GET", f"{path}?size={PAGE}{query}"))
        return len(found["content"])

    def of_a_call(self):
        return self.page("/v1/deliveries", f"&callId={call_id(random.randrange(self.stored))}")

    def deliveries(self):
        def ask(query):
            return lambda: self.page("/v1/deliveries", query)

        yield "deliveries, newest", ask("")
        yield "deliveries of a call", self.of_a_call
        yield "deliveries, dates", ask(f"&from={self.began}&to={self.half}")
        for name, hook in self.hooks.items():
            yield f"deliveries of {name}", ask(f"&webhookId={hook}")
            for state in ("DELIVERED", "PARKED", "PENDING"):
                yield f"deliveries of {name}, {state}", ask(f"&webhookId={hook}&state={state}")
            yield f"deliveries of {name}, DELIVERED, dates", \
                ask(f"&webhookId={hook}&state=DELIVERED&from={self.began}&to={self.half}")

    def calls(self):
        def ask(query):
            return lambda: self.page("/v1/calls", query)

        yield "calls, first page", ask("")
        for name, query in (("agent", f"&agentId={calls.AGENT}"), ("no agent's", f"&agentId={calls.agent(9)}"),
                            ("phone", "&phone=%2B15550100"), ("status", "&status=COMPLETED"),
                            ("no call's status", "&status=REJECTED"), ("type", "&type=INBOUND"),
                            ("dates", f"&from={calls.CREATED_DAY}&to={calls.CREATED_DAY}")):
            yield f"calls, {name}", ask(query)
        yield "calls, page 100", ask("&page=100")

    def feed(self):
        yield "feed, from its beginning", lambda: self.page("/v1/calls/feed")

    def all(self, has_list, has_feed):
        yield "PUT", self.put
        yield "GET a call", self.get
        yield from self.deliveries()
        if has_list:
            yield from self.calls()
        if has_feed:
            yield from self.feed()


def cost(callhook, request):
    """CPU us of the server a request, and the rows of the last."""
    request()
    number, end = 0, time.monotonic() + SECONDS
    before = sum(cpu_by_thread(callhook.pid).values())
    while number < TIMES and time.monotonic() < end:
        rows = request()
        number += 1
    return (sum(cpu_by_thread(callhook.pid).values()) - before) / number * 1e6, rows


def is_built(document, path):
    return "get" in document["paths"].get(path, {}) and not document["paths"][path]["get"].get("x-planned")


class Store:
    """A service that fills up."""

    def __init__(self, body, receiver):
        self.body, self.count = body, 0
        self.callhook = Callhook()
        self.client = Client(self.callhook)
        self.full, self.empty = (self.callhook.webhook(receiver.urls[0], agentIds=[calls.AGENT]) for _ in range(2))

    def switch(self, webhook, is_on):
        """What was parked meanwhile stays so."""
        self.client.ask("PATCH", f"/v1/webhooks/{webhook}", json.dumps({"enabled": is_on}))

    def fill(self, count):
        self.callhook.import_calls(calls.chunks(self.body, RUN, count - self.count, first=self.count))
        self.count = count
        until(lambda: self.callhook.metric('callhook_ledger_deliveries{state="pending"}') == 0, "deliveries", 0.1, 600)
        until(lambda: self.callhook.metric("callhook_store_queued") == 0, "results in the store")


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def measure(body, settings):
    receiver = Receiver()
    store = Store(body, receiver)
    began = now()
    store.switch(store.full, False)
    store.fill(RARE)
    store.switch(store.empty, False)
    store.switch(store.full, True)
    requests = Requests(body, store.full, store.empty, began)
    document = json.loads(store.client.ask("GET", "/openapi.json"))
    rows = {}
    for size, count in zip(("small", "large"), settings.list_calls):
        store.fill(count)
        time.sleep(SETTLE_SECONDS)
        requests.client = Client(store.callhook)  # the one before was idle for so long that it was closed
        requests.stored = count
        requests.half = requests.half or now()
        for name, request in requests.all(is_built(document, "/v1/calls"), is_built(document, "/v1/calls/feed")):
            row = rows.setdefault(name, {})
            row[f"{size}_us"], found = cost(store.callhook, request)
            row["rows" if size == "small" else "rows_large"] = found
    for row in rows.values():
        row["times"] = row["large_us"] / row["small_us"]
    store.callhook.close()
    receiver.close()
    return rows


def scenario(body, settings):
    return Scenario("lists", "What a request costs with few and with many calls stored", columns(settings),
                    [lambda: measure(body, settings)], once=True,
                    note=f"of the server, one request at a time; pages of {PAGE}; each call has a delivery of A, all "
                         f"DELIVERED but the {RARE} oldest, which are PARKED, and one of B, all PARKED but "
                         f"the {RARE} oldest, which were DELIVERED")
