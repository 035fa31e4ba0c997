"""The settings page as the binary serves it: whole, compressed, kept or not kept, under a strict policy."""
import gzip
import re

NAMED = re.compile(r'(?:src|href)="\./(assets/[^"]+)"')


def page(service, **headers):
    answer = service.request("GET", "/", headers=headers, key=None)
    assert answer.status == 200
    return answer


def test_the_page_is_not_kept_and_has_a_strict_policy(service):
    answer = page(service)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_holds_nothing_inline_and_nothing_of_others(service):
    html = page(service).body.decode()
    assert NAMED.findall(html)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)
    assert not re.search(r"""(?:src|href)=["'](?:[a-z]+:)?//""", html)


def test_every_file_is_there_in_both_forms_and_may_be_kept(service):
    names = set(NAMED.findall(page(service).body.decode()))
    kinds = set()
    for name in names:
        plain = service.request("GET", f"/{name}", key=None)
        small = service.request("GET", f"/{name}", headers={"Accept-Encoding": "br, gzip"}, key=None)
        assert plain.status == small.status == 200
        assert "content-encoding" not in plain.headers and small.headers["content-encoding"] == "gzip"
        assert gzip.decompress(small.body) == plain.body
        assert "immutable" in plain.headers["cache-control"] and small.headers["vary"] == "Accept-Encoding"
        kinds.add(plain.headers["content-type"].split(";")[0])
    assert {"text/javascript", "text/css"} <= kinds


def test_the_first_view_is_small(service):
    """What the first view needs, compressed: the page and the files that it names."""
    answer = page(service, **{"Accept-Encoding": "gzip"})
    size = len(answer.body)
    for name in set(NAMED.findall(gzip.decompress(answer.body).decode())):
        size += len(service.request("GET", f"/{name}", headers={"Accept-Encoding": "gzip"}, key=None).body)
    assert 10_000 < size < 150_000


def test_gzip_is_only_sent_to_those_who_take_it(service):
    for accepted, is_small in (("gzip", True), ("GZIP;q=0.5", True), ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
                               ("gzip;q=0", False), ("gzip; q=0.000", False), ("identity", False),
                               ("xgzip, gzipx", False), ("", False)):
        answer = page(service, **{"Accept-Encoding": accepted})
        assert ("content-encoding" in answer.headers) == is_small, accepted


def test_whoever_has_it_is_not_sent_it_again(service):
    tag = page(service).headers["etag"]
    again = service.request("GET", "/", headers={"If-None-Match": tag}, key=None)
    assert again.status == 304 and again.body == b""
    assert service.request("GET", "/", headers={"If-None-Match": '"other"'}, key=None).status == 200


def test_links_to_it_may_carry_a_query_and_other_files_are_not_there(service):
    assert service.request("GET", "/?utm_source=mail", key=None).status == 200
    for path in ("/assets/nothing.js", "/assets/..%2findex.html", "/index.html"):
        answer = service.request("GET", path, key=None)
        assert answer.status == 404 and answer.headers["content-type"] == "application/problem+json", path
