"""What a scenario is, and the sums that several of them do."""
import dataclasses
import statistics


@dataclasses.dataclass
class Settings:
    """How long everything takes."""
    rounds: int = 3
    count: int = 100000  # deliveries of an import
    peer_count: int = 30000  # of the peer, which is slower
    seconds: int = 5  # a run of wrk
    rate: int = 2000  # calls a second of the scenarios with a fixed load
    rate_seconds: int = 10
    hung_webhooks: int = 1120
    hung_window: int = 16
    backlog: int = 1000000
    rest_seconds: int = 10
    list_calls: tuple = (10000, 1000000)


QUICK = Settings(rounds=1, count=20000, peer_count=8000, seconds=2, rate_seconds=3, hung_webhooks=200, backlog=100000,
                 rest_seconds=3, list_calls=(2000, 40000))


@dataclasses.dataclass
class Scenario:
    name: str
    title: str
    columns: list  # (key of a row, heading, format); what a row lacks is left blank
    # Each does one measurement and returns {name of a row: row}; a row is a dict of figures.
    variants: list
    middle: str = "cpu_us"  # of the rounds, the one that is the median by this is shown
    once: bool = False  # has its rounds inside
    finish: object = None  # called with {name: row} of the shown rounds, may add ratios
    note: str = ""


def choose(rounds, key):
    """The median round, whole, with what the others had."""
    rounds = [r for r in rounds if r.get(key) is not None] or rounds
    if key not in rounds[0]:
        return rounds[0]
    middle = statistics.median_low([r[key] for r in rounds])
    chosen = dict(next(r for r in rounds if r[key] == middle))
    chosen["rounds"] = {key: [r[key] for r in rounds]}
    return chosen


def flow(deliveries, wall_ns, cpu_parts, asking=()):
    """A row of a run that went as fast as it could. asking: names of those parts that belong to the client."""
    cpu = sum(cpu_parts.values())
    serving = sum(seconds for name, seconds in cpu_parts.items() if name not in asking)
    return {"deliveries": deliveries, "wall_s": wall_ns / 1e9, "cpu_s": cpu, "per_s": deliveries / (wall_ns / 1e9),
            "cpu_us": cpu / deliveries * 1e6, "per_cpu_s": deliveries / cpu,
            "cpu_us_without_client": serving / deliveries * 1e6,
            "cpu_us_parts": {name: seconds / deliveries * 1e6 for name, seconds in cpu_parts.items()}}


def percentile(ordered, part):
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def receipt_times(receipts, start_ns, rate):
    """From when a call was due, whenever it was really sent, to its receipt."""
    times = sorted(at - (start_ns + int(i * 1e9 / rate)) for i, at in enumerate(receipts) if at)
    if not times:
        return {"missing": len(receipts)}
    return {"p50_ms": percentile(times, 0.5) / 1e6, "p99_ms": percentile(times, 0.99) / 1e6, "max_ms": times[-1] / 1e6,
            "missing": len(receipts) - len(times)}
