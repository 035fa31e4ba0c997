"""The figures as a table on the terminal, as JSON, and as Markdown between two marks of docs/benchmark.md."""
import json
import os

MARKS = ("<!-- figures: written by make bench -->", "<!-- end of figures -->")


def cell(row, key, form):
    value = row.get(key)
    return "" if value is None else format(value, form)


def shown_columns(scenario, rows):
    return [c for c in scenario.columns if any(row.get(c[0]) is not None for row in rows.values())]


def print_table(scenario, rows, out=print):
    columns = shown_columns(scenario, rows)
    width = max([len(name) for name in rows] + [30])
    out(f"\n{scenario.title}")
    out(" " * width + "".join(f"{heading:>{max(len(heading), 8) + 2}}" for _, heading, _ in columns))
    for name, row in rows.items():
        out(f"{name:{width}}" + "".join(f"{cell(row, key, form):>{max(len(heading), 8) + 2}}"
                                        for key, heading, form in columns))
    if scenario.note:
        out(f"({scenario.note})")


def print_parts(rows, out=print):
    """Where the time goes."""
    for name, row in rows.items():
        parts = row.get("cpu_us_threads") or row.get("cpu_us_parts") or {}
        if len(parts) > 1:
            parts = sorted(parts.items(), key=lambda p: -p[1])
            out(f"  {name}, CPU us: " + "  ".join(f"{n} {us:.1f}" for n, us in parts if us >= 0.05))


def markdown(document):
    machine = document["machine"]
    lines = [f"Measured {machine['date'][:10]} on {machine['cores']} cores of {machine['cpu']}, "
             f"{machine['memory_mib'] // 1024} GiB, Linux {machine['kernel']}; callhook {machine['callhook']}, "
             f"{machine['versions']['redis'].split(' sha')[0]}, Node {machine['versions']['node']}; payload "
             f"{document['payload_bytes']:,} bytes; of {document['settings']['rounds']} rounds the median.", ""]
    for name in document["scenarios"]:
        scenario = document["scenarios"][name]
        lines += [f"### {scenario['title']}", ""]
        columns = scenario["columns"]
        lines += ["| | " + " | ".join(heading for _, heading, _ in columns) + " |",
                  "| --- |" + " ---: |" * len(columns)]
        lines += [f"| {row} | " + " | ".join(cell(figures, key, form) for key, _, form in columns) + " |"
                  for row, figures in scenario["rows"].items()]
        lines += ["", scenario["note"][0].upper() + scenario["note"][1:] + ".", ""] if scenario["note"] else [""]
    return "\n".join(lines).rstrip() + "\n"


def write_json(path, document):
    """Figures rounded to what they are worth."""
    def rounded(value):
        if isinstance(value, float):
            return float(f"{value:.5g}")
        if isinstance(value, dict):
            return {key: rounded(part) for key, part in value.items()}
        return [rounded(part) for part in value] if isinstance(value, (list, tuple)) else value

    with open(path, "w", encoding="utf-8") as f:
        json.dump(rounded(document), f, indent=1)
        f.write("\n")


def write_markdown(path, document):
    """Replaces what stands between the marks; the words around it are written by hand."""
    text = "\n".join(MARKS) + "\n"
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            text = f.read()
    before, rest = text.split(MARKS[0], 1)
    after = rest.split(MARKS[1], 1)[1]
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"{before}{MARKS[0]}\n\n{markdown(document)}\n{MARKS[1]}{after}")
