"""The differential test: the same events through invenio-stats and through crier, and everything compared.

usage: compare.py EVENTS, with CRIER_BIN, CRIER_TEST_OPENSEARCH and CRIER_TEST_REDIS in the environment (run.sh sets
them). Succeeds where every document, mapping and answer is the same, but for what DIFFERENCES names.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import redis
from opensearchpy import OpenSearch
from opensearchpy.helpers import bulk, scan

import reference
from clicks import DAYS, generate

SEED = 20261121
SHOWN = 10  # differences of one kind that are printed
BATCH = 100  # statistics in one request
HANDLERS = ("events-stats-record-view", "events-stats-file-download", "record-view-agg", "file-download-agg",
            "record-stats")
COUNTERS = ("views", "unique_views", "downloads", "unique_downloads", "data_volume")
RECORD_VERSION = 7  # that the platform gave its documents

# Where the two are meant to differ. The reference gets such events without what trips it, crier gets them as they are;
# `faults` proves that the reference still needs it.
DIFFERENCES = {
    "agent-null": "a user agent that is null raises in their robot filter, and the event is lost; for crier it is none",
    "offset": "their aggregator cannot read a time with an offset, and they take day, hour and index in that offset; "
              "crier goes by UTC",
    "unknown-field": "one unknown field, and the whole chunk is refused by the strict mapping; crier drops the field",
    "order": "of the clicks in one window they keep the one that came last, crier the latest: they get them in order",
}


def repaired(event, counts):
    """The message as the reference can take it."""
    message = dict(event["message"])
    if "user_agent" in message and message["user_agent"] is None:
        counts["agent-null"] += 1
        del message["user_agent"]
    if reference.as_utc(message["timestamp"]) != message["timestamp"]:
        counts["offset"] += 1
        message["timestamp"] = reference.as_utc(message["timestamp"])
    if message.pop("unheard_of", None) is not None:
        counts["unknown-field"] += 1
    return message


class Crier:
    def __init__(self, binary, opensearch, redis_url, prefix, folder):
        self.binary, self.folder = binary, Path(folder)
        self.config = self.folder / "crier.ini"
        self.port = free_port()
        self.config.write_text(
            f"[redis]\nurl = {redis_url}\n"
            f"[opensearch]\nurl = {opensearch}\nprefix = {prefix}\n"
            f"[http]\nlisten = 127.0.0.1:{self.port}\n"
            f"[event record-view]\nprofile = invenio-record-view\ncountry_file = {country_file()}\n"
            f"[event file-download]\nprofile = invenio-file-download\ncountry_file = {country_file()}\n"
            "[query view-histogram]\nkind = histogram\nindex = stats-record-view\nrequired = parent_recid\n"
            "metrics = views=sum(count) unique_views=sum(unique_count)\ncopy = parent_recid\n"
            "[query download-by-file]\nindex = stats-file-download\nrequired = parent_recid\n"
            "metrics = downloads=sum(count) unique_downloads=sum(unique_count) data_volume=sum(volume)\n"
            "copy = parent_recid\ngroup = file_key file_id\n")
        self.service = None

    def run(self, *words, allowed=(0,)):
        done = subprocess.run([self.binary, *words, "--config", self.config], capture_output=True, text=True,
                              env={**os.environ, "TZ": "Europe/Zurich"})  # the zone must not matter
        if done.returncode not in allowed:
            sys.exit(f"crier {' '.join(map(str, words))}: exit {done.returncode}\n{done.stderr[-3000:]}")
        return done

    def emit(self, events):
        path = self.folder / "events.ndjson"
        with path.open("w") as out:
            for event in events:
                out.write(json.dumps({"event_type": event["type"], "payload": event["message"]}) + "\n")
        counts = json.loads(self.run("emit", "--json", path, allowed=(0, 3)).stdout)
        for name in HANDLERS:
            self.run("run", name)
        return counts

    def take(self, events):
        """Through the door, into the indices and counted. Half of them come late, and some come again."""
        half = len(events) // 2
        taken = [self.emit(part) for part in (events[:half], events[half:])]
        self.emit(events[:half:10])
        return {name: sum(counts[name] for counts in taken) for name in ("accepted", "robots", "refused")}

    def serve(self):
        log = open(self.folder / "serve.log", "w")
        self.service = subprocess.Popen([self.binary, "serve", "door", "--config", self.config], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while self.service.poll() is None and time.monotonic() < deadline:
            try:
                return self.stats({})
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        sys.exit("crier serve does not answer:\n" + (self.folder / "serve.log").read_text()[-3000:])

    def stats(self, queries):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/stats", json.dumps(queries).encode(),
                                         {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as refused:
            return refused.code, None

    def stop(self):
        if self.service:
            self.service.terminate()
            self.service.wait(60)


def free_port():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def country_file():
    import _maxminddb_geolite2

    return Path(_maxminddb_geolite2.__file__).parent / "GeoLite2-City.mmdb"


class Comparison:
    """Counts what was compared and keeps what was not the same."""

    def __init__(self):
        self.compared, self.different = Counter(), Counter()

    def note(self, kind, name, theirs, ours):
        self.compared[kind] += 1
        if theirs == ours:
            return
        self.different[kind] += 1
        if self.different[kind] <= SHOWN:
            print(f"{kind} {name}\n  reference {theirs}\n  crier     {ours}")

    def all(self, kind, theirs, ours):
        for name in sorted(theirs.keys() | ours.keys()):
            a, b = theirs.get(name), ours.get(name)
            if isinstance(a, dict) and isinstance(b, dict) and a != b:  # only what differs is worth reading
                both = {key for key in a.keys() & b.keys() if a[key] == b[key]}
                a, b = ({key: x[key] for key in x if key not in both} for x in (a, b))
            self.note(kind, name, a, b)

    def report(self):
        for kind, count in self.compared.items():
            print(f"{count:8} compared, {self.different[kind]} different: {kind}")
        return not any(self.different.values())


def documents(client, prefix, name):
    """What stands behind an alias, by index (without the prefix) and id."""
    found = {}
    if client.indices.exists_alias(name=prefix + name):
        for hit in scan(client, index=prefix + name, size=5000):
            hit["_source"]["updated_timestamp"] = "updated_timestamp" in hit["_source"]  # each has a time of its own
            found[hit["_index"][len(prefix):] + " " + hit["_id"]] = hit["_source"]
    return found


def mapping(client, prefix, name):
    """Field by field, and what the template says besides; of all indices, which must agree."""
    found = {}
    for index in client.indices.get(index=f"{prefix}{name}-*").values():
        mappings, settings = index["mappings"], index["settings"]["index"]
        parts = {**mappings["properties"], "(other fields)": mappings.get("dynamic"),
                 "(aliases)": sorted(alias[len(prefix):] for alias in index["aliases"]),
                 "(refresh)": settings.get("refresh_interval")}
        for part, value in parts.items():
            found.setdefault(part, value)
            if found[part] != value:
                found[part] = f"{found[part]} and {value}"
    return found


def compare_indices(comparison, client, theirs, ours):
    client.indices.refresh(index=ours + "*")
    for name in reference.MAPPINGS:
        kind = "event" if name.startswith("events") else "aggregate"
        comparison.all(f"{kind} of {name}", documents(client, theirs, name), documents(client, ours, name))
        comparison.all(f"part of the template of {name}", mapping(client, theirs, name), mapping(client, ours, name))


def queries_of(events):
    """Each statistic for each record, for all time and for a part of it."""
    rnd = random.Random(SEED)
    ids = {"recid": {"no-such-record"}, "parent_recid": {"no-such-record"}}
    for event in events:
        for field in ids:
            if field in event["message"]:
                ids[field].add(event["message"][field])
    days = [day.strftime("%Y-%m-%d") for day in DAYS]
    for name, required in reference.REQUIRED.items():
        for value in sorted(ids[required]):
            given = {required: value}
            if name == "view-histogram":
                given["interval"] = rnd.choice(["year", "quarter", "month", "week", "day"])
            yield name, given
            start, end = sorted(rnd.sample(days, 2))
            yield name, {**given, **rnd.choice([
                {"start_date": start}, {"end_date": end}, {"start_date": start, "end_date": end}, {"start_date": None},
                {"start_date": start + "T00:00:00", "end_date": end + "T23:59:59.999999"},
            ])}


BAD_REQUESTS = [
    {"a": {"stat": "record-views", "params": {"recid": "x"}}},
    {"a": {"stat": "record-view"}},
    {"a": {"stat": "record-view", "params": {"parent_recid": "x"}}},
    {"a": {"stat": "record-view", "params": {"recid": "x", "start_date": "2024-02-30"}}},
    {"a": {"stat": "record-view", "params": {"recid": "x"}, "more": 1}},
    {"a": {"params": {"recid": "x"}}},
    {"a": {"stat": "view-histogram", "params": {"parent_recid": "x", "interval": "minute"}}},
    {"a": None},
    {"a": "record-view"},
    {"good": {"stat": "record-view", "params": {"recid": "x"}}, "bad": {}},
]


def compare_answers(comparison, ref, crier, events):
    asked = list(queries_of(events))
    for at in range(0, len(asked), BATCH):
        part = {f"{name} {params}": {"stat": name, "params": params} for name, params in asked[at:at + BATCH]}
        (status, theirs), (our_status, ours) = ref.stats(part), crier.stats(part)
        comparison.note("status", f"of {len(part)} statistics", status, our_status)
        comparison.all("answer", theirs or {}, ours or {})
    comparison.note("answer", "to nothing", ref.stats({}), crier.stats({}))
    for bad in BAD_REQUESTS:  # the words are each one's own
        comparison.note("refusal", bad, ref.stats(bad)[0], crier.stats(bad)[0])


def record_documents(client, prefix, events):
    """The platform's own documents, as far as they matter here: one for each version."""
    index = prefix + "rdmrecords-records"
    client.indices.create(index=index, body={"mappings": {"dynamic": "strict", "properties": {
        "id": {"type": "keyword"}, "parent": {"properties": {"id": {"type": "keyword"}}},
        "stats": {"properties": {level: {"properties": {name: {"type": "double"} for name in COUNTERS}}
                                 for level in ("this_version", "all_versions")}}}}})
    parents = {e["message"]["recid"]: e["message"]["parent_recid"] for e in events if "recid" in e["message"]}
    bulk(client, ({"_index": index, "_id": recid, "version": RECORD_VERSION, "version_type": "external",
                   "_source": {"id": recid, "parent": {"id": parent}}} for recid, parent in parents.items()),
         refresh=True)
    return parents


def compare_records(comparison, client, ref, prefix, parents):
    """Records of which nothing was counted are left as they are; the platform's version stays what it was."""
    client.indices.refresh(index=prefix + "rdmrecords-records")
    for hit in scan(client, index=prefix + "rdmrecords-records", size=5000, version=True):
        theirs = ref.record_stats(hit["_id"], parents[hit["_id"]])
        counted = any(theirs["all_versions"].values())
        comparison.note("record document", hit["_id"], (RECORD_VERSION, theirs if counted else None),
                        (hit["_version"], hit["_source"].get("stats")))


def check_faults(ref):
    """That the reference still has the faults that differences are allowed for."""
    def lost(message, kind):
        before = ref.losses.counts.get(kind, 0)
        ref.index("record-view", [message])
        return ref.losses.counts.get(kind, 0) > before

    message = {"timestamp": "2024-02-29T12:00:00", "recid": "fault", "parent_recid": "fault", "via_api": False}
    if not lost({**message, "user_agent": None}, "TypeError"):
        sys.exit("agent-null is no fault of the reference any more")
    try:
        ref.index("record-view", [{**message, "unheard_of": 1}])
    except Exception as refused:  # the class depends on the client
        if "strict_dynamic_mapping" not in str(refused):
            raise
    else:
        sys.exit("unknown-field is no fault of the reference any more")
    ref.index("record-view", [{**message, "timestamp": "2024-02-29T12:00:00+00:00"}])
    try:
        ref.aggregate()
    except ValueError:
        return
    sys.exit("offset is no fault of the reference any more")


def salts(url):
    """crier's own salt of a day, for the reference: both make the same ids of it."""
    client, known = redis.Redis.from_url(url, decode_responses=True), {}

    def salt_of(moment):
        day = moment.date().isoformat()
        if day not in known:
            known[day] = client.get("crier:{salt}:" + day) or sys.exit(f"crier has no salt of {day}")
        return known[day]

    return salt_of


def main():
    count = int(sys.argv[1])
    opensearch, redis_url = os.environ["CRIER_TEST_OPENSEARCH"], os.environ["CRIER_TEST_REDIS"]
    run = f"differential-{os.getpid()}-{int(time.time())}-"
    client, allowed, comparison = OpenSearch(opensearch, timeout=60), Counter(), Comparison()
    events = generate(count, SEED)
    with tempfile.TemporaryDirectory() as folder:
        crier = Crier(os.environ["CRIER_BIN"], opensearch, redis_url, run + "c-", folder)
        try:
            parents = record_documents(client, run + "c-", events)
            taken = crier.take(events)
            ref = reference.Reference(opensearch, run + "r-", salts(redis_url))
            in_order = sorted(events, key=lambda event: event["time"])
            allowed["order"] = sum(a is not b for a, b in zip(events, in_order))
            for kind in ("record-view", "file-download"):
                ref.index(kind, [repaired(e, allowed) for e in in_order if e["type"] == kind])
            ref.aggregate()
            compare_indices(comparison, client, run + "r-", run + "c-")
            crier.serve()
            compare_answers(comparison, ref, crier, events)
            compare_records(comparison, client, ref, run + "c-", parents)
            print(f"{count} events, of which crier {taken}")
            comparison.note("number of events", "that cannot be named", ref.losses.counts.get("KeyError", 0),
                            taken["refused"])
            comparison.note("number of events", "lost by the reference", {"KeyError"}, set(ref.losses.counts))
            check_faults(reference.Reference(opensearch, run + "f-", lambda moment: "salt"))
        finally:
            crier.stop()
            client.indices.delete(index=run + "*", ignore_unavailable=True)
            client.indices.delete_index_template(name=run + "*", ignore=404)
    for name, why in DIFFERENCES.items():
        print(f"{allowed[name]:8} allowed for: {name}: {why}")
    sys.exit(0 if comparison.report() else 1)


if __name__ == "__main__":
    main()
