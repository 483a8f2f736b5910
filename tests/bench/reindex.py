#!/usr/bin/env python3
"""A reindex of many documents against the bulk of the same documents alone: called by reindex.sh.

The floor is measured before and after each reindex, as machines are not the same from minute to minute; its requests
are made beforehand, and their replies are not looked into beyond their length and whether an item failed.
"""
import http.client
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse

CHUNK = 1000
WARM = 100  # chunks, so that the first floor is not that of a server just started

crier, opensearch, redis, postgres, psql, documents, connections, results, folder = sys.argv[1:]
documents, connections = int(documents), int(connections)
host = urllib.parse.urlparse(opensearch).netloc
mappings = {"properties": {"title": {"type": "text"}, "creators": {"properties": {"name": {"type": "text"},
            "affiliation": {"type": "keyword"}}}, "year": {"type": "integer"}, "keywords": {"type": "keyword"},
            "recid": {"type": "keyword"}, "description": {"type": "text"}}}


def ask(method, path, body=None):
    link = http.client.HTTPConnection(host, timeout=600)
    link.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
    reply = link.getresponse()
    text = reply.read()
    assert reply.status < 300, text[:500]
    return json.loads(text)


def document(n):
    words = "data of measurement %d in the year %d by group %d" % (n % 977, 1990 + n % 36, n % 131)
    return json.dumps({"recid": "r%d" % n, "title": "Record %d: %s" % (n, words),
                       "creators": [{"name": "Person %d" % (n * k % 9973), "affiliation": "aff%d" % (n % 61)} for k in (1, 3)],
                       "year": 1990 + n % 36, "keywords": ["k%d" % (n % 50), "k%d" % (n % 49)],
                       "description": (words + ", ") * 4}, separators=(",", ":"))


def prepare():
    rows = open(folder + "/rows", "w")
    for start in range(0, documents, CHUNK):
        with open("%s/chunk%d" % (folder, start // CHUNK), "w") as chunk:
            for n in range(start, min(start + CHUNK, documents)):
                text = document(n)
                chunk.write('{"index":{"_id":"r%d","version":3,"version_type":"external_gte"}}\n%s\n' % (n, text))
                rows.write("r%d\t3\t%s\n" % (n, text.replace("\\", "\\\\")))
    rows.close()
    return (documents + CHUNK - 1) // CHUNK


def make_index(name):
    ask("PUT", "/" + name, {"settings": {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"},
                            "mappings": mappings})


def floor(name, chunks):
    """Seconds for the bulk alone."""
    make_index(name)
    numbers, lock, failed = iter(range(chunks)), threading.Lock(), []

    def send():
        link = http.client.HTTPConnection(host, timeout=600)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            with open("%s/chunk%d" % (folder, number), "rb") as chunk:
                link.request("POST", "/%s/_bulk?filter_path=errors,items.*.status" % name, chunk.read(),
                             {"Content-Type": "application/x-ndjson"})
            if b'"errors":false' not in link.getresponse().read():
                failed.append(number)

    threads = [threading.Thread(target=send) for _ in range(connections)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.monotonic() - started
    assert not failed
    ask("PUT", "/%s/_settings" % name, {"index": {"refresh_interval": None}})
    ask("POST", "/%s/_refresh" % name)
    return taken


def settle():
    """What the last step left to be merged is not the next one's burden."""
    while True:
        stats = ask("GET", "/_stats/merge")["_all"]["total"]
        if stats.get("merges", {}).get("current", 0) == 0:
            return
        time.sleep(0.5)


def reindex(config, into, *options):
    """Seconds until the alias had changed over, seconds in all, the most memory in MiB, and seconds of CPU."""
    started = time.monotonic()
    process = subprocess.Popen([crier, "reindex", "--config", config, "records", "--into", into, "--parallel",
                                str(connections), "--drop", "--json", *options], stdout=subprocess.PIPE)
    changed = None
    while process.poll() is None and changed is None:
        if into in ask("GET", "/_alias/records"):
            changed = time.monotonic() - started
        time.sleep(0.2)
    _, status, usage = os.wait4(process.pid, 0)
    taken = time.monotonic() - started
    assert status == 0, status
    count = ask("GET", "/records/_count")["count"]
    assert count == documents, count
    return changed or taken, taken, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def main():
    chunks = prepare()
    config = folder + "/crier.ini"
    with open(config, "w") as ini:
        ini.write("[redis]\nurl = %s\n[opensearch]\nurl = %s\n[source db]\ntype = postgres\nurl = %s\n"
                  "query = select id, version, document from records\n" % (redis, opensearch, postgres))
    rows = []

    def floor_again():
        settle()
        taken = floor("floor", chunks)
        ask("DELETE", "/floor")
        return taken

    floor("warm", min(chunks, WARM))
    ask("DELETE", "/warm")
    settle()
    first = floor("records-1", chunks)
    ask("POST", "/_aliases", {"actions": [{"add": {"index": "records-1", "alias": "records"}}]})
    settle()
    from_index = reindex(config, "records-2")
    second = floor_again()
    rows.append(("from an index", from_index, (first + second) / 2))

    subprocess.run([psql, postgres, "-q", "-c", "create table records (id text primary key, version bigint, document "
                    "jsonb)", "-c", "\\copy records from '%s/rows'" % folder, "-c", "analyze records"], check=True)
    settle()
    from_postgres = reindex(config, "records-3", "--source", "db")
    third = floor_again()
    rows.append(("from PostgreSQL", from_postgres, (second + third) / 2))

    print("%d documents, %d connections" % (documents, connections))
    print("%-16s %12s %12s %12s %8s %10s %10s %8s" % ("", "floor s", "to switch s", "in all s", "of it", "docs/s", "peak MiB", "CPU s"))
    for name, (changed, taken, memory, cpu), least in rows:
        print("%-16s %12.1f %12.1f %12.1f %8.2f %10.0f %10.1f %8.1f" %
              (name, least, changed, taken, least / changed, documents / changed, memory, cpu))
    with open(results + "/reindex.json", "w") as out:
        json.dump([{"what": name, "documents": documents, "connections": connections, "floor_s": least,
                    "to_switch_s": changed, "in_all_s": taken, "of_floor": least / changed, "peak_mib": memory, "cpu_s": cpu}
                   for name, (changed, taken, memory, cpu), least in rows], out, indent=1)


main()
