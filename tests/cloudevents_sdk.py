"""Events made by a CloudEvents SDK that nobody here wrote, sent to a running door in its three modes.

usage: cloudevents_sdk.py DOOR_URL REDIS_PORT
"""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

door, redis_port = sys.argv[1], sys.argv[2]

TIME = datetime(2026, 11, 20, 22, 40, 5, 250000, tzinfo=timezone(timedelta(hours=1)))
DATA = {"full_name": "Zoë \"Q\" Ångström", "affiliation": None, "n": [1, 2.5, {"deep": True}], "big": 2**53}


def event(number, **more):
    attributes = {
        "id": f"é/{number} 100%",
        "source": "https://repository.example.org/übung?x=1",
        "type": "user.updated",
        "subject": f"users/{number}",
        "time": TIME,
        "datacontenttype": "application/json",
        "revision": str(number),
        "actor": "users/admin",
        "operation": "op-7",
        "colour": "red",
        **more,
    }
    return CloudEvent(attributes=attributes, data=DATA)


def send(headers, body):
    """Status and answer of one POST."""
    request = urllib.request.Request(f"{door}/events", data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def send_message(message):
    return send(message.headers, message.body)


def send_batch(events):
    """The SDK knows no batches: one is the array of its structured events."""
    body = b"[" + b",".join(to_structured_event(one).body for one in events) + b"]"
    return send({"Content-Type": "application/cloudevents-batch+json; charset=utf-8"}, body)


def stream(queue):
    command = ["redis-cli", "-p", redis_port, "--json", "XRANGE", f"crier:{{{queue}}}:stream", "-", "+"]
    entries = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return [dict(zip(fields[::2], fields[1::2])) for _, fields in entries]


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: expected {wanted!r}, got {got!r}")


def check_entry(entry, number):
    expect("id", entry["id"], f"é/{number} 100%")
    expect("source", entry["source"], "https://repository.example.org/übung?x=1")
    expect("type", entry["type"], "user.updated")
    expect("subject", entry["subject"], f"users/{number}")
    expect("time", entry["time"], "2026-11-20T21:40:05.250000Z")
    expect("revision", entry["revision"], str(number))
    expect("actor", entry["actor"], "users/admin")
    expect("operation", entry["operation"], "op-7")
    expect("data", json.loads(entry["data"]), DATA)
    expect("an attribute nobody knows", "colour" in entry, False)


def main():
    accepted = [("accepted", False), ("duplicate", True)]
    for mode, make in ((1, to_structured_event), (2, to_binary_event)):
        for outcome, repeated in accepted:
            status, answer = send_message(make(event(mode)))
            expect(f"status in mode {mode}", status, 202)
            expect(f"id in mode {mode}", answer["id"], f"é/{mode} 100%")
            expect(f"outcome in mode {mode}", answer["outcome"], outcome)
            expect(f"duplicate in mode {mode}", answer.get("duplicate", False), repeated)

    status, answers = send_batch([event(3), event(1), event(4, type="no one.wants"), event(5)])
    expect("status of the batch", status, 202)
    expect("outcomes of the batch", [a["outcome"] for a in answers], ["accepted", "duplicate", "refused", "accepted"])
    expect("an empty batch", send_batch([]), (202, []))

    status, answer = send_message(to_binary_event(event(6, subject="alone")))
    expect("status of a bad event", status, 400)
    expect("its reason", "kind/id" in answer["error"], True)

    entries = stream("changes")
    expect("events in the stream", len(entries), 4)
    for entry, number in zip(entries, (1, 2, 3, 5)):
        check_entry(entry, number)
    print("structured, binary and batched events of the SDK are understood")


main()
