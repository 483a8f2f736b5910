"""Events into a history by crier, and the same documents by a loop that does nothing else.

usage: history.py CRIER OPENSEARCH_URL REDIS_URL EVENTS ROUNDS FOLDER

In turn, on one server, as the speed of a shared machine drifts. For each round: plain _bulk (one connection, requests of
8 MiB, then of as many documents as crier has in a pass: what lies between the two is OpenSearch's), `crier run` over as
many events that wait in Redis, and the same events once more, by `crier replay --history` and another run, which
OpenSearch refuses as there already. Rates are medians. FOLDER/history.json as well.
"""

import json
import os
import statistics
import sys
import time

from aggregate import Search, run_child

PREFIX = "bench-"
INDEX = f"{PREFIX}history-2026-11"
BULK_BYTES = 8 * 1024 * 1024
BATCH = 5000
MOMENT_US = 1793491200000000  # 2026-11-01


def event(number):
    return {"specversion": "1.0", "id": f"e{number}", "source": "https://repository.example.org/users",
            "type": "user.updated", "subject": f"users/{number % 5000}", "actor": f"users/{number % 50}",
            "operation": f"op-{number // 10}", "time": "2026-11-01T00:00:00Z", "revision": number,
            "data": {"full_name": f"Somebody of the Number {number}", "affiliation": "University of Examples",
                     "email": f"somebody{number}@example.org", "active": True}}


def bodies(events, most):
    """The documents as crier writes them, in requests of so many at most."""
    lines, size = [], 0
    for number in range(events):
        unique = f"{number:040x}"
        document = event(number)
        data = document.pop("data")
        document.update({"crierunique": unique, "datacontenttype": "application/json", "data": data})
        for line in ({"index": {"_index": INDEX, "_id": unique, "version": MOMENT_US, "version_type": "external"}},
                     document):
            text = json.dumps(line, separators=(",", ":"))
            lines.append(text)
            size += len(text) + 1
        if size >= BULK_BYTES or len(lines) == 2 * most:
            yield "\n".join(lines) + "\n"
            lines, size = [], 0
    if lines:
        yield "\n".join(lines) + "\n"


def timed(work):
    before = time.monotonic()
    result = work()
    return time.monotonic() - before, result


def main():
    crier, url, redis_url, events, rounds, folder = sys.argv[1:7]
    events, rounds = int(events), int(rounds)
    search = Search(url)
    config, sent = os.path.join(folder, "history.ini"), os.path.join(folder, "history.ndjson")
    with open(config, "w", encoding="utf-8") as out:
        out.write(f"[redis]\nurl = {redis_url.removesuffix('0')}2\nunsafe = yes\n[opensearch]\nurl = {url}\n"
                  f"prefix = {PREFIX}\n[queue changes]\nevents = user.*\nretain = 0s\nwindow = 1m\n"
                  f"[handler past]\ntype = history\nqueue = changes\nbatch = {BATCH}\n")
    prepared, passes = list(bodies(events, events)), list(bodies(events, BATCH))
    plain, like, written, again, peaks, own = [], [], [], [], [], []

    def run():
        return run_child([crier, "run", "past", "--config", config, "--json"])

    def post_all(requests):
        for body in requests:
            if search.ask("POST", "/_bulk", body, lines=True)["errors"]:
                raise SystemExit("a document of the plain bulk was refused")

    run()  # the template
    for number in range(rounds):
        search.ask("DELETE", f"/{INDEX}")
        plain.append(events / timed(lambda: post_all(prepared))[0])
        search.ask("DELETE", f"/{INDEX}")
        like.append(events / timed(lambda: post_all(passes))[0])
        search.ask("DELETE", f"/{INDEX}")
        with open(sent, "w", encoding="utf-8") as out:
            for one in range(events):
                out.write(json.dumps({**event(one), "source": f"round-{number}"}) + "\n")
        run_child([crier, "emit", sent, "--config", config, "--json"])
        seconds, (own_s, peak) = timed(run)
        written.append(events / seconds)
        peaks.append(peak)
        own.append(own_s / events * 1e6)
        if search.count(INDEX) != events:
            raise SystemExit(f"{search.count(INDEX)} of {events} events are there")
        run_child([crier, "replay", "--handler", "past", "--history", "--backlog", str(2 * events), "--config", config,
                   "--json"])
        again.append(events / timed(run)[0])
    result = {"events": events, "plain_bulk_per_s": round(statistics.median(plain)),
              "history_per_s": round(statistics.median(written)), "again_per_s": round(statistics.median(again)),
              "ratio": round(statistics.median(w / p for w, p in zip(written, plain)), 2),
              "like_passes_per_s": round(statistics.median(like)),
              "ratio_like_passes": round(statistics.median(w / l for w, l in zip(written, like)), 2),
              "own_cpu_us": round(statistics.median(own), 1), "peak_mib": round(max(peaks) / 1024, 1)}
    print(f"plain bulk {result['plain_bulk_per_s']}/s, by {BATCH} {result['like_passes_per_s']}/s, "
          f"history {result['history_per_s']}/s (ratio {result['ratio']}, by {BATCH} {result['ratio_like_passes']}), "
          f"again {result['again_per_s']}/s, own CPU {result['own_cpu_us']} us an event, peak {result['peak_mib']} MiB")
    with open(os.path.join(folder, "history.json"), "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)


if __name__ == "__main__":
    main()
