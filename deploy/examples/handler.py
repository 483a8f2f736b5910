#!/usr/bin/env python3
"""A handler for `type = exec`: an event a line on standard input, an outcome a line on standard output."""
import json
import sys


def handle(event):
    """What is to be done; an event may come twice, so it must be safe to repeat."""
    if event["type"] == "user.deleted" and "subject" not in event:
        raise ValueError("who was deleted?")
    print(f"{event['type']} of {event.get('subject')}", file=sys.stderr)  # to crier's log


for line in sys.stdin:
    event = json.loads(line)
    try:
        handle(event)
        answer = {"id": event["id"], "outcome": "done"}
    except ValueError as error:  # wrong for ever: to the dead letters
        answer = {"id": event["id"], "outcome": "dead", "reason": str(error)}
    except OSError as error:  # time may help: again later
        answer = {"id": event["id"], "outcome": "retry", "reason": str(error)}
    print(json.dumps(answer), flush=True)
