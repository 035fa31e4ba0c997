"""The figures as a picture: bars in SVG, readable on a light and on a dark page."""
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, BAR, GAP = 900, 290, 190, 18, 8
STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .page { fill: #ffffff } .title { font-weight: 600; font-size: 15px } .small { font-size: 12px; fill: #59636e }
  .head { font-weight: 700; font-size: 19px } .track { fill: #eef1f4 }
  .ours { fill: #1a7f64 } .ours2 { fill: #6fb8a2 } .peer { fill: #c2571a } .peer2 { fill: #e3a37c }
  .limit { fill: #6e7781 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .page { fill: #0d1117 } .small { fill: #9198a1 } .track { fill: #1c2128 }
    .ours { fill: #3fb68b } .ours2 { fill: #24705a } .peer { fill: #e2844a } .peer2 { fill: #8a4b23 }
    .limit { fill: #8b949e }
  }
"""


def figure(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


class Picture:
    def __init__(self, title, subtitle):
        self.parts, self.y = [], 40
        self.text(20, title, "head")
        self.y += 22
        self.text(20, subtitle, "small")
        self.y += 14

    def text(self, x, words, kind="", anchor="start"):
        kind = f' class="{kind}"' if kind else ""
        self.parts.append(f'<text x="{x:.1f}" y="{self.y:.1f}" text-anchor="{anchor}"{kind}>{escape(words)}</text>')

    def panel(self, title, note, bars):
        """bars: (label, value, words after the figure, class). Lengths are linear from zero."""
        if not bars:
            return
        self.y += 34
        self.text(20, title, "title")
        self.y += 18
        self.text(20, note, "small")
        self.y += 10
        room, most = WIDTH - LEFT - RIGHT, max(bar[1] for bar in bars) or 1
        for label, value, words, kind in bars:
            length = max(1.0, room * value / most)
            for width, shape in ((room, "track"), (length, kind)):
                self.parts.append(f'<rect x="{LEFT}" y="{self.y}" width="{width:.1f}" height="{BAR}" rx="3" '
                                  f'class="{shape}"/>')
            self.y += BAR - 4
            self.text(LEFT - 10, label, anchor="end")
            self.text(LEFT + room + 10, figure(value) + (f"  {words}" if words else ""))
            self.y += 4 + GAP

    def svg(self):
        height = self.y + 24
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
                f'viewBox="0 0 {WIDTH} {height:.0f}" role="img">\n<title>callhook beside the limit and beside BullMQ'
                f"</title>\n<style>{STYLE}</style>\n"
                f'<rect width="{WIDTH}" height="{height:.0f}" rx="8" class="page"/>\n' + "\n".join(self.parts) +
                "\n</svg>\n")


def kind_of(name):
    if name.startswith("limit"):
        return "limit"
    return "ours" if name.startswith("callhook") else "peer"


def throughput_bars(rows):
    return [(name, row["per_cpu_s"], f"{row['times_peer']:.1f} x BullMQ" if row.get("times_peer") and
             name.startswith("callhook") else "", kind_of(name)) for name, row in rows.items()]


def time_bars(rows):
    bars = []
    for name, row in rows.items():
        if row.get("p50_ms") is not None:
            kind = kind_of(name)
            bars += [(f"{name}: p50", row["p50_ms"], "ms", kind + "2"), ("p99", row["p99_ms"], "ms", kind)]
    return bars


def cost_bars(rows):
    return [(name, row["cpu_us"], f"us, 1/{row['times_peer']:.1f}" if row.get("times_peer") else "us", kind_of(name))
            for name, row in rows.items()]


def neighbour_bars(scenarios):
    bars = []
    for name in ("hung", "backlog"):
        for row_name, row in scenarios.get(name, {"rows": {}})["rows"].items():
            beside = row.get("held") or row.get("backlog")
            label = f"beside {beside:,.0f} {'hung' if name == 'hung' else 'pending'}" if beside else row_name
            words = f"ms, {row['p99_times']:.2f} x" if row.get("p99_times") else "ms"
            bars.append((label, row["p99_ms"], words, "ours" if beside else "ours2"))
    return bars


def list_bars(rows):
    return [(name, row["large_us"], f"us, {row['times']:.1f} x", "ours") for name, row in rows.items()
            if row.get("large_us") is not None]


def draw(document):
    machine, scenarios = document["machine"], document["scenarios"]
    rows = {name: scenarios[name]["rows"] for name in scenarios}
    rate = document["settings"]["rate"]
    picture = Picture("callhook beside the limit and beside BullMQ",
                      f"One run on {machine['cores']} cores of {machine['cpu']}, {machine['date'][:10]}. CPU counts "
                      "all threads and processes of the sender.")
    picture.panel("Deliveries per CPU second", "More is better. The limit does nothing but POST.",
                  throughput_bars(rows.get("throughput", {})))
    picture.panel(f"From when a call was due to its receipt, at {rate:,} a second", "Milliseconds, less is better.",
                  time_bars(rows.get("steady", {})))
    picture.panel(f"CPU a call at {rate:,} a second", "Microseconds, less is better.",
                  [(name, row["cpu_us"], "us", kind_of(name)) for name, row in rows.get("steady", {}).items()])
    picture.panel("CPU a delivery, fifty endpoints of one kind", "Microseconds, less is better.",
                  cost_bars(rows.get("endpoints", {})))
    small, large = document["settings"].get("list_calls", (0, 0))
    picture.panel(f"CPU of a request with {large:,} calls stored",
                  f"Microseconds of the server, and how many times that of {small:,} calls; less is better.",
                  list_bars(rows.get("lists", {})))
    picture.panel(f"A healthy webhook's p99 at {rate:,} a second, beside bad neighbours",
                  "Milliseconds, less is better.", neighbour_bars(scenarios))
    return picture.svg()
