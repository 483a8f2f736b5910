"""Memory and time of an aggregation with very many keys in one day.

usage: many_keys.py CRIER OPENSEARCH_URL REDIS_URL KEYS FOLDER
"""

import json
import os
import sys

from aggregate import CHUNK, PREFIX, Search, clear_aggregates, measure, run_child


def load(search, keys):
    lines = []
    for number in range(keys):
        lines.append(json.dumps({"index": {"_index": f"{PREFIX}events-stats-record-view-2026-12", "_id": f"k{number}"}}))
        lines.append(json.dumps({
            "timestamp": "2026-12-24T12:00:00", "recid": f"k{number}", "parent_recid": f"k{number}",
            "unique_id": f"ui_k{number}", "via_api": False, "is_robot": False, "is_machine": False,
            "visitor_id": "v", "unique_session_id": "s", "updated_timestamp": "2026-12-24T12:00:00.000000+00:00"}))
        if len(lines) >= 2 * CHUNK:
            search.ask("POST", "/_bulk", "\n".join(lines) + "\n", lines=True)
            lines = []
    if lines:
        search.ask("POST", "/_bulk", "\n".join(lines) + "\n", lines=True)
    search.ask("POST", f"/{PREFIX}events-stats-record-view/_refresh")


def main():
    crier, url, redis_url, keys, folder = sys.argv[1:6]
    search = Search(url)
    clear_aggregates(search)
    search.ask("DELETE", f"/{PREFIX}events-stats-record-view-*")
    config = os.path.join(folder, "keys.ini")
    with open(config, "w", encoding="utf-8") as out:
        out.write(f"[redis]\nurl = {redis_url.removesuffix('0')}1\nunsafe = yes\n[opensearch]\nurl = {url}\nprefix = {PREFIX}\n"
                  "[event record-view]\nprofile = invenio-record-view\n"
                  "[handler record-view-agg]\nbookmarks = none\n")
    verb = [crier, "run", "--config", config, "--json"]
    run_child(verb + ["events-stats-record-view"])
    load(search, int(keys))
    result = measure(search, f"crier, {int(keys):,} keys in one day", lambda: run_child(verb + ["record-view-agg"]))
    with open(os.path.join(folder, "many_keys.json"), "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)


if __name__ == "__main__":
    main()
