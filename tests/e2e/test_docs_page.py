"""GET /docs: every operation that can be called, on a page that asks nobody else for anything."""
import base64
import gzip
import hashlib
import html.parser
import re

from test_openapi_routes import built, described


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.tags, self.styles, self.open = set(), [], [], [], []
        self.loads, self.unclosed = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        if "id" in attrs:
            assert attrs["id"] not in self.ids, f"{attrs['id']} is there twice"
            self.ids.add(attrs["id"])
        if tag == "a":
            self.links.append(attrs["href"])
        self.loads += [value for name, value in attrs.items() if name in ("src", "srcset", "data", "action")]
        assert not [name for name in attrs if name == "style" or name.startswith("on")], attrs
        if tag not in ("meta", "wbr", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.styles.append(data)


def test_the_page_shows_what_can_be_called(service):
    answer = service.request("GET", "/docs", key=None)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = answer.body.decode()
    page = Page(text)
    assert page.open == []
    operations = described()
    shown = {name for name, operation in operations.items() if operation["operationId"] in page.ids}
    assert shown == set(built())
    for name in built():
        path = name.split(" ")[1].replace("/", "/<wbr>")
        assert path in text, name
    # Each link leads to a place on the page, or to a neighbour of it.
    for link in page.links:
        assert link[1:] in page.ids if link.startswith("#") else link in ("openapi.json", "./"), link


def test_the_page_runs_and_loads_nothing(service):
    answer = service.request("GET", "/docs", key=None)
    page = Page(answer.body.decode())
    assert page.loads == [] and not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert len(page.styles) == 1 and "url(" not in page.styles[0] and "@import" not in page.styles[0]
    digest = base64.b64encode(hashlib.sha256(page.styles[0].encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert dict(part.strip().split(" ", 1) for part in policy.split(";")) == {
        "default-src": "'none'", "style-src": f"'sha256-{digest}'", "base-uri": "'none'", "form-action": "'none'",
        "frame-ancestors": "'none'"}


def test_what_scrolls_can_be_reached_by_keyboard(service):
    text = service.request("GET", "/docs", key=None).body.decode()
    for tag in re.findall(r'<pre[^>]*>|<div class="wide"[^>]*>', text):
        assert 'tabindex="0"' in tag and "aria-label=" in tag, tag


def test_the_page_is_compressed_and_known_again(service):
    plain = service.request("GET", "/docs", key=None)
    small = service.request("GET", "/docs", key=None, headers={"Accept-Encoding": "gzip"})
    assert small.headers["content-encoding"] == "gzip" and gzip.decompress(small.body) == plain.body
    assert len(small.body) * 4 < len(plain.body)
    again = service.request("GET", "/docs", key=None, headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert service.request("GET", "/docs?a=b", key=None).status == 400
