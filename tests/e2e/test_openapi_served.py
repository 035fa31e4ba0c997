"""The document that is served names what can be called, and nothing else."""
from test_openapi_routes import built


def test_the_document_is_served(service):
    answer = service.request("GET", "/openapi.json", key=None)
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    assert {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item} == set(built())
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, no-cache"
    anything = service.request("GET", "/openapi.json", key=None, headers={"If-None-Match": "*"})
    assert (anything.status, anything.headers["etag"]) == (304, answer.headers["etag"])
    again = service.request("GET", "/openapi.json", key=None, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    other = service.request("GET", "/openapi.json", key=None, headers={"If-None-Match": '"other"'})
    assert other.status == 200
