"""Aggregation of the same events by crier and by invenio-stats, and what OpenSearch itself takes for it.

usage: aggregate.py CRIER OPENSEARCH_URL REDIS_URL EVENTS RECORDS DAYS FOLDER

One run, one server, one set of event documents. For each: wall time, CPU of the process, CPU of OpenSearch, documents
written. The ceiling is the time that OpenSearch takes to be given the finished aggregates by a loop that does nothing
else. Written to FOLDER/aggregate.json as well.
"""

import datetime
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.parse

PREFIX = "bench-"
FIRST_DAY = datetime.date(2026, 10, 1)
CHUNK = 5000


class Search:
    """One keep-alive connection to OpenSearch."""

    def __init__(self, url):
        self.address = urllib.parse.urlsplit(url).netloc
        self.link = http.client.HTTPConnection(self.address, timeout=600)

    def ask(self, method, path, body=None, lines=False):
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        kind = "application/x-ndjson" if lines else "application/json"
        self.link.request(method, path, body, {"Content-Type": kind})
        reply = self.link.getresponse()
        text = reply.read()
        if reply.status >= 300 and reply.status != 404:
            raise SystemExit(f"{method} {path}: {reply.status} {text[:500]}")
        return json.loads(text) if text else {}

    def cpu_s(self):
        nodes = self.ask("GET", "/_nodes/stats/process")["nodes"]
        return sum(node["process"]["cpu"]["total_in_millis"] for node in nodes.values()) / 1000

    def count(self, index):
        self.ask("POST", f"/{index}/_refresh")
        return self.ask("GET", f"/{index}/_count").get("count", 0)


def event(rng, records, day, number):
    record = rng.randrange(records)
    moment = f"{day.isoformat()}T{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
    return {
        "timestamp": moment,
        "recid": f"r{record}",
        "parent_recid": f"p{record // 2}",
        "unique_id": f"ui_r{record}",
        "referrer": "https://example.org/",
        "via_api": False,
        "is_robot": False,
        "is_machine": False,
        "country": "CH",
        "visitor_id": f"{rng.getrandbits(128):032x}",
        "unique_session_id": f"{rng.getrandbits(20):032x}",
        "updated_timestamp": moment + ".000000+00:00",
        "number": number,
    }


def load(search, events, records, days, first=0):
    """Puts event documents into their monthly indices, evenly over the days."""
    rng = random.Random(first)
    lines = []
    for number in range(first, first + events):
        day = FIRST_DAY + datetime.timedelta(days=number % days)
        document = event(rng, records, day, number)
        del document["number"]
        lines.append(json.dumps({"index": {"_index": f"{PREFIX}events-stats-record-view-{day:%Y-%m}",
                                           "_id": f"e{number}"}}))
        lines.append(json.dumps(document))
        if len(lines) >= 2 * CHUNK:
            search.ask("POST", "/_bulk", "\n".join(lines) + "\n", lines=True)
            lines = []
    if lines:
        search.ask("POST", "/_bulk", "\n".join(lines) + "\n", lines=True)
    search.ask("POST", f"/{PREFIX}events-stats-record-view/_refresh")


def measure(search, name, work):
    """What `work` (which returns the CPU seconds of its own process and its peak in KiB) costs."""
    before_cpu, before = search.cpu_s(), time.monotonic()
    own_s, peak_kib = work()
    wall_s = time.monotonic() - before
    documents = search.count(f"{PREFIX}stats-record-view-*")
    result = {"wall_s": round(wall_s, 2), "own_cpu_s": round(own_s, 2), "peak_mib": round(peak_kib / 1024, 1),
              "opensearch_cpu_s": round(search.cpu_s() - before_cpu, 2), "documents": documents}
    print(f"{name:34} {wall_s:8.2f} s   own CPU {own_s:7.2f} s   OpenSearch CPU {result['opensearch_cpu_s']:7.2f} s"
          f"   {documents} aggregates, peak {result['peak_mib']} MiB", flush=True)
    return result


def peak_kib(pid):
    """The most memory a process had so far; 0: it is gone. (What wait4 says includes the process it was forked from.)"""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("VmHWM")), 0)
    except OSError:
        return 0


def run_child(arguments, environment=None):
    """CPU seconds and peak of a child process that must succeed."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, env=environment)
    peak = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        peak = max(peak, peak_kib(process.pid))
        time.sleep(0.005)
    if status:
        raise SystemExit(f"{arguments}: status {status}")
    return usage.ru_utime + usage.ru_stime, peak


def reference(url):
    """invenio-stats in this process; called in a child, see run_reference."""
    from flask import Flask
    from invenio_search import InvenioSearch, current_search_client
    from invenio_stats.aggregations import StatAggregator

    app = Flask("bench")
    app.config.update(SEARCH_HOSTS=[url], SEARCH_INDEX_PREFIX=PREFIX, SEARCH_CLIENT_CONFIG={"timeout": 60},
                      STATS_EVENTS_UTC_DATETIME_ENABLED=False)
    InvenioSearch(app)
    with app.app_context():
        StatAggregator(
            name="record-view-agg", event="record-view", client=current_search_client, field="unique_id",
            copy_fields={"recid": "recid", "parent_recid": "parent_recid", "via_api": "via_api"},
            metric_fields={"unique_count": ("cardinality", "unique_session_id", {"precision_threshold": 1000})},
            query_modifiers=[lambda query: query.filter("term", via_api=False)], interval="day",
        ).run()


def clear_aggregates(search):
    search.ask("DELETE", f"/{PREFIX}stats-record-view-*")
    search.ask("DELETE", f"/{PREFIX}stats-bookmarks")


def ceiling(search, url):
    """Seconds for the finished aggregates, given to a fresh index over two connections by a loop that does no more."""
    chunks, after = [], None
    while True:
        body = {"size": CHUNK, "sort": ["_doc"], "query": {"match_all": {}}}
        page = (search.ask("POST", f"/{PREFIX}stats-record-view/_search?scroll=5m", body) if after is None
                else search.ask("POST", "/_search/scroll", {"scroll": "5m", "scroll_id": after}))
        hits = page["hits"]["hits"]
        after = page["_scroll_id"]
        if not hits:
            break
        chunks.append("".join(json.dumps({"index": {"_index": f"{PREFIX}stats-record-view-again", "_id": hit["_id"]}})
                              + "\n" + json.dumps(hit["_source"]) + "\n" for hit in hits).encode())

    def give(part):
        link = Search(url)
        for chunk in part:
            link.ask("POST", "/_bulk", chunk, lines=True)

    give(chunks[:1])  # the index and its mapping are there
    started = time.monotonic()
    threads = [threading.Thread(target=give, args=(chunks[i::2],)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall_s = time.monotonic() - started
    search.ask("DELETE", f"/{PREFIX}stats-record-view-again")
    return wall_s


def main():
    crier, url, redis_url, events, records, days, folder = sys.argv[1:8]
    if os.environ.get("AGGREGATE_REFERENCE"):
        reference(url)
        return
    events, records, days = int(events), int(records), int(days)
    search = Search(url)
    config = os.path.join(folder, "aggregate.ini")
    with open(config, "w", encoding="utf-8") as out:
        out.write(f"[redis]\nurl = {redis_url}\nunsafe = yes\n[opensearch]\nurl = {url}\nprefix = {PREFIX}\n"
                  "[event record-view]\nprofile = invenio-record-view\n"
                  "[handler record-view-agg]\nbookmarks = none\n")
    verb = [crier, "run", "--config", config, "--json"]
    run_child(verb + ["events-stats-record-view"])  # installs the templates
    print(f"{events} events, {records} records, {days} days", flush=True)
    load(search, events, records, days)
    results = {}
    if "invenio_stats" in subprocess.run([sys.executable, "-m", "pip", "list"], capture_output=True, text=True,
                                         check=False).stdout.replace("-", "_"):
        environment = dict(os.environ, AGGREGATE_REFERENCE="1")
        results["invenio_stats"] = measure(search, "invenio-stats, first run",
                                           lambda: run_child([sys.executable, "-W", "ignore"] + sys.argv, environment))
        clear_aggregates(search)
    results["full"] = measure(search, "crier, first run", lambda: run_child(verb + ["record-view-agg"]))
    results["ceiling_s"] = round(ceiling(search, url), 2)
    print(f"{'the same aggregates by bulk alone':34} {results['ceiling_s']:8.2f} s", flush=True)
    results["nothing"] = measure(search, "crier, nothing new", lambda: run_child(verb + ["record-view-agg"]))
    more = os.path.join(folder, "more.ndjson")
    rng = random.Random(7)
    with open(more, "w", encoding="utf-8") as out:
        for number in range(1000):
            data = event(rng, records, FIRST_DAY + datetime.timedelta(days=number % days), number)
            data.update(ip_address="192.0.2.1", user_agent="Mozilla/5.0 Firefox/1", session_id=f"s{number}")
            out.write(json.dumps({"event_type": "record-view", "payload": data}) + "\n")
    run_child([crier, "emit", "--config", config, more])
    run_child(verb + ["events-stats-record-view"])
    results["after_1000"] = measure(search, "crier, after 1,000 new events",
                                    lambda: run_child(verb + ["record-view-agg"]))
    if "invenio_stats" in results:
        print(f"crier is {results['invenio_stats']['wall_s'] / results['full']['wall_s']:.1f} times as fast")
    print(f"after 1,000 new events: 1/{results['full']['wall_s'] / results['after_1000']['wall_s']:.0f} of the full run")
    with open(os.path.join(folder, "aggregate.json"), "w", encoding="utf-8") as out:
        json.dump(results, out, indent=1)


if __name__ == "__main__":
    main()
