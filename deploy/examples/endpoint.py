#!/usr/bin/env python3
"""An endpoint for `type = post`: events in a request, an outcome for each in its answer. The argument is the port."""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def handle(event):
    """What is to be done; an event may come twice, so it must be safe to repeat."""
    if event["type"] == "user.deleted" and "subject" not in event:
        return {"id": event["id"], "outcome": "dead", "reason": "who was deleted?"}  # wrong for ever
    return {"id": event["id"], "outcome": "done"}  # or "retry": time may help


class Endpoint(BaseHTTPRequestHandler):
    def do_POST(self):
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"outcomes": [handle(event) for event in events]}).encode())


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Endpoint).serve_forever()
