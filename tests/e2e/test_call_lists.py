"""GET /v1/calls and the agents: filters, pages, totals, and whose they are."""
import json
import subprocess
import urllib.parse
import uuid

import pytest

from conftest import BINARY, OPERATOR, some_call

AGENTS = [f"3c90c3cc-0d44-4b50-8888-8dd25736052{n}" for n in "abc"]
DAYS = ["2024-02-28", "2024-02-29", "2024-03-01"]


def calls(service, **query):
    answer = service.request("GET", "/v1/calls?" + urllib.parse.urlencode(query))
    assert answer.status == 200, answer.body
    return answer.json()


def ids(page):
    return [c["id"] for c in page["content"]]


def imported(service, records):
    body = "\n".join(json.dumps(r) for r in records).encode()
    answer = service.request("POST", "/v1/calls/import", body, headers={"Content-Type": "application/x-ndjson"})
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert len(lines) == len(records) and all(line["status"] in (200, 201) for line in lines), lines[:3]


@pytest.fixture
def many(service):
    """36 calls: three agents, two types, two statuses, three days, a phone number for each third."""
    records = []
    for n in range(36):
        records.append(some_call(
            agentId=AGENTS[n % 3], type="INBOUND" if n % 2 else "OUTBOUND", status="COMPLETED" if n % 4 < 2 else "FAILED",
            phone=f"+3361234{n % 12:04d}" if n % 3 else None, created=f"{DAYS[n // 12]}T{n % 12:02d}:59:59Z"))
    imported(service, records)
    return records


def expected(records, size=20, page=1, newest_first=True, **fields):
    chosen = [r for r in records if all(r[k] == v for k, v in fields.items())]
    chosen.sort(key=lambda r: r["created"], reverse=newest_first)
    return [r["id"] for r in chosen[(page - 1) * size:page * size]], len(chosen)


def test_an_empty_account_has_an_empty_page(service):
    assert calls(service) == {"content": [], "size": 20, "page": 1, "totalElements": 0, "totalPages": 0}
    assert calls(service, page=3, phone="+33612345678")["totalElements"] == 0
    assert service.request("GET", "/v1/agents").json() == {"content": [], "page_count": 0, "total_items": 0}


def test_pages_are_newest_first_and_meet(service, many):
    seen = []
    for page in range(1, 9):
        answer = calls(service, page=page, size=5)
        assert (answer["size"], answer["page"], answer["totalElements"], answer["totalPages"]) == (5, page, 36, 8)
        seen += ids(answer)
    assert seen == expected(many, size=100)[0]
    assert calls(service, page=9, size=5)["content"] == []
    assert ids(calls(service, sort="created,ASC", size=100)) == expected(many, 100, newest_first=False)[0]


@pytest.mark.parametrize("filters", [
    {"agentId": AGENTS[0]}, {"status": "FAILED"}, {"type": "INBOUND"}, {"phone": "+33612340004"},
    {"agentId": AGENTS[1], "status": "COMPLETED"}, {"type": "OUTBOUND", "status": "FAILED"},
    {"agentId": AGENTS[2], "type": "INBOUND", "status": "COMPLETED", "phone": "+33612340005"},
    {"status": "REJECTED"}, {"agentId": str(uuid.uuid4())}, {"phone": "+33999999999"},
])
def test_filters_choose_and_are_counted(service, many, filters):
    for newest_first in (True, False):
        answer = calls(service, size=4, page=1, sort="created,DESC" if newest_first else "created,ASC", **filters)
        wanted, total = expected(many, 4, newest_first=newest_first, **filters)
        assert (ids(answer), answer["totalElements"]) == (wanted, total)
        assert answer["totalPages"] == -(-total // 4)


def test_days_are_inclusive_and_utc(service, many):
    imported(service, [some_call(created="2024-03-01T01:30:00+02:00"), some_call(created="2024-02-29T23:59:59.9Z")])
    assert calls(service, **{"from": DAYS[1], "to": DAYS[1]})["totalElements"] == 14
    assert calls(service, **{"from": DAYS[0], "to": DAYS[1]})["totalElements"] == 26
    assert calls(service, **{"from": DAYS[2], "to": "2024-12-31"})["totalElements"] == 12
    assert calls(service, **{"from": "2023-01-01", "to": "2023-12-31"})["totalElements"] == 0
    answer = calls(service, agentId=AGENTS[0], size=3, **{"from": DAYS[1], "to": DAYS[1]})
    assert (len(answer["content"]), answer["totalElements"], answer["totalPages"]) == (3, 6, 2)


@pytest.mark.parametrize("query, words", [
    ("from=2024-01-01", "both or none"), ("to=2024-01-01", "both or none"),
    ("from=2024-01-02&to=2024-01-01", "later"), ("phone=0612345678", "E.164"), ("phone=%2B0612", "E.164"),
    ("phone=+33612345678", "E.164"), ("sort=phone", "sort"), ("page=0", "page"), ("size=101", "size"),
    ("status=DONE", "status"), ("agentId=7", "agentId"), ("from=2024-02-30&to=2024-03-01", "from"), ("state=x", "state"),
])
def test_a_query_that_makes_no_sense_is_said_so(service, query, words):
    answer = service.request("GET", f"/v1/calls?{query}")
    assert answer.status == 400
    assert words in json.dumps(answer.json()["errors"])


def test_a_record_is_the_very_bytes_that_get_serves(service):
    call = some_call(context={"1": 1.50, "a": "é\u2028/\U0001f600", "0": {"b": [1e21, 1e-7]}}, summary="x\ty")
    assert service.put(call).status == 201
    record = service.request("GET", f"/v1/calls/{call['id']}").body
    page = service.request("GET", "/v1/calls").body
    assert page == b'{"content":[' + record + b'],"size":20,"page":1,"totalElements":1,"totalPages":1}'


def test_a_call_moves_with_its_latest_version(service):
    call = some_call(status="IN_PROGRESS", agentId=AGENTS[0], phone="+33611111111", created="2024-02-28T10:00:00Z")
    service.put(call)
    service.put({**call, "status": "COMPLETED", "agentId": AGENTS[1], "phone": "+33622222222", "type": "OUTBOUND",
                 "created": "2024-03-01T10:00:00Z"})
    for old in ({"status": "IN_PROGRESS"}, {"agentId": AGENTS[0]}, {"phone": "+33611111111"}, {"type": "INBOUND"},
                {"from": "2024-03-01", "to": "2024-03-01"}):
        assert calls(service, **old)["totalElements"] == 0, old
    for new in ({"status": "COMPLETED"}, {"agentId": AGENTS[1]}, {"phone": "+33622222222"}, {"type": "OUTBOUND"},
                {"from": "2024-02-28", "to": "2024-02-28"}, {}):
        assert ids(calls(service, **new)) == [call["id"]], new


def test_erased_calls_are_left_out(service, many):
    gone = many[30]
    assert service.request("DELETE", f"/v1/calls/{gone['id']}").status == 204
    rest = [r for r in many if r is not gone]
    answer = calls(service, size=100)
    assert (ids(answer), answer["totalElements"]) == (expected(rest, 100)[0], 35)
    assert calls(service, agentId=gone["agentId"])["totalElements"] == 11
    service.stop()
    checked = subprocess.run([BINARY, "fsck", "--store", service.store], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    service.start()
    assert calls(service, size=100)["totalElements"] == 35


def operator(service, method, path, body=None, **headers):
    return service.request(method, path, body, key=None,
                           headers={"Authorization": f"Bearer {OPERATOR}", **headers})


def test_other_accounts_have_lists_of_their_own(service, many):
    assert operator(service, "POST", "/v1/accounts", {"id": "other"}).status == 201
    other = {"X-Account-Id": "other"}
    assert operator(service, "GET", "/v1/calls", **other).json()["totalElements"] == 0
    assert operator(service, "GET", "/v1/agents", **other).json()["total_items"] == 0
    mine = some_call(agentId=AGENTS[0], phone="+33612340004", created=f"{DAYS[0]}T00:00:00Z")
    assert operator(service, "PUT", f"/v1/calls/{mine['id']}", mine, **other).status == 201
    assert operator(service, "PUT", f"/v1/agents/{AGENTS[0]}", {"name": "Theirs"}, **other).status == 200
    for query in ("", f"?agentId={AGENTS[0]}", "?phone=%2B33612340004", "?status=COMPLETED"):
        page = operator(service, "GET", "/v1/calls" + query, **other).json()
        assert (ids(page), page["totalElements"]) == ([mine["id"]], 1), query
    assert calls(service)["totalElements"] == 36
    assert "Theirs" not in service.request("GET", "/v1/agents").body.decode()
    assert operator(service, "DELETE", "/v1/accounts/other").status == 204
    assert calls(service, agentId=AGENTS[0])["totalElements"] == 12


def test_agents_have_the_name_that_was_set(service, many):
    page = service.request("GET", "/v1/agents").json()
    assert page == {"content": [{"id": a, "name": a} for a in AGENTS], "page_count": 1, "total_items": 3}
    named = service.request("PUT", f"/v1/agents/{AGENTS[1]}", {"name": "Zoé \"Z\""})
    assert (named.status, named.json()) == (200, {"id": AGENTS[1], "name": "Zoé \"Z\""})
    new = str(uuid.uuid4())
    assert service.request("PUT", f"/v1/agents/{new}", {"name": "Anna"}).json()["name"] == "Anna"
    content = service.request("GET", "/v1/agents").json()["content"]
    assert [a["name"] for a in content] == [AGENTS[0], AGENTS[2], "Anna", "Zoé \"Z\""]
    second = service.request("GET", "/v1/agents?size=3&page=2").json()
    assert (second["content"], second["page_count"], second["total_items"]) == (content[3:], 2, 4)
    for agent in (AGENTS[1], new):
        assert service.request("PUT", f"/v1/agents/{agent}", {"name": None}).json() == {"id": agent, "name": agent}
    assert service.request("GET", "/v1/agents").json() == page


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": 7}, {"name": "x" * 201}, {"name": "x", "id": "y"}])
def test_a_name_that_is_none_is_refused(service, body):
    assert service.request("PUT", f"/v1/agents/{AGENTS[0]}", body).status == 400
    assert service.request("GET", "/v1/agents").json()["total_items"] == 0


def test_lists_outlive_a_restart(service, many):
    before = calls(service, size=7, page=2, status="FAILED")
    service.stop()
    service.start()
    assert calls(service, size=7, page=2, status="FAILED") == before
    service.put(some_call(status="FAILED", created=f"{DAYS[0]}T00:00:00Z"))
    assert calls(service, status="FAILED")["totalElements"] == before["totalElements"] + 1
