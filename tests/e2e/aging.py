"""Makes what a store holds older than it is: nobody waits for retention. The store must not be served."""
import sqlite3

DAY_MS = 24 * 3600 * 1000


def age(path, days):
    """Everything happened that many days earlier: the ids of deliveries, which tell their time, say so too."""
    ms = days * DAY_MS
    db = sqlite3.connect(path)
    db.create_function("older", 1, lambda b: (int.from_bytes(b[:6], "big") - ms).to_bytes(6, "big") + b[6:])
    values = {"ms": ms, "keys": ms << 12}
    db.execute("UPDATE call_version SET accepted_ms = accepted_ms - :ms, first_delivery = first_delivery - :keys, "
               "last_delivery = last_delivery - :keys", values)
    db.execute("UPDATE delivery SET key = key - :keys, id = older(id), created_ms = created_ms - :ms, "
               "at_ms = iif(at_ms = 0, 0, at_ms - :ms)", values)
    db.execute("UPDATE attempt SET delivery = delivery - :keys, started_ms = started_ms - :ms", values)
    db.execute("UPDATE replay SET created_ms = created_ms - :ms, finished_ms = iif(state = 0, 0, finished_ms - :ms)",
               values)
    db.commit()
    db.close()


def counts(path):
    """(versions of calls, deliveries, attempts)."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    found = tuple(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                  for table in ("call_version", "delivery", "attempt"))
    db.close()
    return found
