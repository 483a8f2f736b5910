"""From a click, answered 202, to its aggregate and to the counter in its record's document, at default schedules.

usage: click_to_record.py CRIER OPENSEARCH_URL REDIS_URL CLICKS FOLDER

Each click is on a record of its own, 50 a second; `crier serve` runs with the two profiles and nothing else set. The
documents are read by their ids, as the platform reads them; a search sees them up to a refresh later (5 s for
aggregates, 1 s for records). Redis must be empty of crier's keys; the indices are this run's own and go with it.
"""

import http.client
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

PREFIX = f"latency-{os.getpid()}-"
EVERY_S = 0.02
LIMIT_S = 180
PROMISED_S = 60


def ask(link, method, path, body=None, kind="application/json"):
    link.request(method, path, body if body is None or isinstance(body, str) else json.dumps(body),
                 {"Content-Type": kind})
    reply = link.getresponse()
    text = reply.read()
    return reply.status, json.loads(text) if text else {}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_config(folder, url, redis_url, port):
    config = os.path.join(folder, "latency.ini")
    with open(config, "w", encoding="utf-8") as out:
        out.write(f"[redis]\nurl = {redis_url}\n[opensearch]\nurl = {url}\nprefix = {PREFIX}\n"
                  f"[http]\nlisten = 127.0.0.1:{port}\n"
                  "[event record-view]\nprofile = invenio-record-view\n"
                  "[event file-download]\nprofile = invenio-file-download\n"
                  "[handler record-stats]\nindex = records\n")
    return config


def wait_ready(door):
    for _ in range(200):
        try:
            if ask(door, "GET", "/health/ready")[0] == 200:
                return
        except OSError:
            door.close()
        time.sleep(0.1)
    raise SystemExit("crier does not become ready")


def collect(search, index_of, sent, shows, done):
    """Notes for each document that shows its click when that was first seen."""
    docs = [{"_index": PREFIX + index_of(i), "_id": i} for i in sent if i not in done]
    if not docs:
        return
    _, answer = ask(search, "POST", "/_mget", {"docs": docs})
    now = time.monotonic()
    for document in answer.get("docs", []):
        if document.get("found") and shows(document["_source"]):
            done[document["_id"]] = now - sent[document["_id"]]


def show(name, took):
    took = sorted(took)
    p50, p99 = (took[math.ceil(len(took) * part) - 1] for part in (0.5, 0.99))
    print(f"{name:36} p50 {p50:6.2f} s   p99 {p99:6.2f} s   longest {took[-1]:6.2f} s   of {len(took)} clicks")
    return {"p50_s": p50, "p99_s": p99, "longest_s": took[-1], "clicks": len(took)}


def make_records(search, clicks):
    lines = "".join(
        json.dumps({"index": {"_index": f"{PREFIX}records", "_id": f"r{n}", "version": 3,
                              "version_type": "external_gte"}}) + "\n"
        + json.dumps({"id": f"r{n}", "parent": {"id": f"p{n}"}}) + "\n" for n in range(clicks))
    status, answer = ask(search, "POST", "/_bulk?refresh=true", lines, "application/x-ndjson")
    if status != 200 or answer["errors"]:
        raise SystemExit(f"the records cannot be made: {status}")


def remove_all(search):
    ask(search, "DELETE", f"/{PREFIX}*")
    ask(search, "DELETE", f"/_index_template/{PREFIX}*")


def click(door, number):
    """Returns the moment it was acknowledged and the day it counts for."""
    now = time.gmtime()
    payload = {"recid": f"r{number}", "parent_recid": f"p{number}", "session_id": f"s{number}",
               "user_agent": "Mozilla/5.0 Firefox/1", "ip_address": "192.0.2.1", "via_api": False, "referrer": None,
               "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", now)}
    status, answer = ask(door, "POST", "/events", {"event_type": "record-view", "payload": payload})
    if status != 202 or answer.get("outcome") != "accepted":
        raise SystemExit(f"{status} {answer}")
    return time.monotonic(), time.strftime("%Y-%m-%d", now)


def measure(serve, door, search, clicks):
    """Sends the clicks, and notes for each how long its aggregate and its record took."""
    aggregate_sent, record_sent, aggregated, counted = {}, {}, {}, {}
    started = time.monotonic()
    while len(counted) < clicks or len(aggregated) < clicks:
        sent = len(record_sent)
        if sent < clicks and time.monotonic() - started >= sent * EVERY_S:
            at, day = click(door, sent)
            record_sent[f"r{sent}"] = aggregate_sent[f"ui_r{sent}-{day}"] = at
            continue
        collect(search, lambda i: f"stats-record-view-{i[-10:-3]}", aggregate_sent, lambda d: d["count"] >= 1,
                aggregated)
        collect(search, lambda _: "records", record_sent,
                lambda d: d.get("stats", {}).get("all_versions", {}).get("views", 0) >= 1, counted)
        if serve.poll() is not None:
            raise SystemExit(f"crier ended with {serve.returncode}")
        if time.monotonic() - started > LIMIT_S + clicks * EVERY_S:
            raise SystemExit(f"after {LIMIT_S} s {len(aggregated)} are aggregated, {len(counted)} on records")
        time.sleep(0.05)
    return aggregated, counted


def main():
    crier, url, redis_url, clicks, folder = sys.argv[1:6]
    clicks = int(clicks)
    port = free_port()
    search = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)
    door = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    make_records(search, clicks)
    config = write_config(folder, url, redis_url, port)
    with open(os.path.join(folder, "latency.log"), "w", encoding="utf-8") as log:
        serve = subprocess.Popen([crier, "serve", "--config", config], stdout=log, stderr=log)
    try:
        wait_ready(door)
        aggregated, counted = measure(serve, door, search, clicks)
    finally:
        serve.send_signal(signal.SIGTERM)
        serve.wait(30)
        remove_all(search)
    results = {"aggregate": show("click to aggregate", aggregated.values()),
               "record": show("click to the record's counter", counted.values())}
    with open(os.path.join(folder, "click_to_record.json"), "w", encoding="utf-8") as out:
        json.dump(results, out, indent=1)
    if results["record"]["p99_s"] > PROMISED_S:
        raise SystemExit(f"more than {PROMISED_S} s")


main()
