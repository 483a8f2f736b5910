"""An SMTP server for tests: it keeps what it is sent as lines of JSON, and behaves as the file "manner" says.

usage: smtp_server.py PORT [--cert FILE --key FILE] [--login USER:PASSWORD]
Manners, one word, read for each message: ok, 450, 550 (of the recipient), 451-data, 554-data (after the message), close
(after the message, without a word), slow (20 s), 450-once (the first time that a recipient is seen), wait (until there
is a file "go"; meanwhile there is one "waiting"), refuse-login (who is in already is out at its next message); of the
second message over a connection: 421-second, drop-second (without a word), hang-up (before it comes; then there is a
file "closed"). A line of the file "connections" stands for each that was opened, one of "farewells" for each that ended
with QUIT.
"""
import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
seen = set()


def manner():
    try:
        with open("manner") as file:
            return file.read().strip()
    except FileNotFoundError:
        return "ok"


def keep(envelope):
    raw = envelope.original_content
    bare = raw.replace(b"\r\n", b"")
    with open("messages", "a") as file:
        file.write(json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "text": raw.decode("utf-8", "replace"),
            "bare": bare.count(b"\n") + bare.count(b"\r"), "longest": max(map(len, raw.split(b"\r\n"))),
        }) + "\n")


def hang_up(transport):
    transport.close()
    open("closed", "w").close()


class Handler:
    async def handle_QUIT(self, server, session, envelope):
        with open("farewells", "a") as file:
            file.write("one\n")
        return "221 Bye"

    async def handle_MAIL(self, server, session, envelope, address, options):
        if getattr(session, "had", False) and manner() == "421-second":
            return "421 4.7.0 that is enough"
        if getattr(session, "had", False) and manner() in ("drop-second", "refuse-login"):
            server.transport.abort()
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, _options):
        how = manner()
        if how == "450" or (how == "450-once" and address not in seen):
            seen.add(address)
            return "450 4.2.1 come back later"
        if how == "550":
            return "550 5.1.1 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        how = manner()
        if how == "slow":
            await asyncio.sleep(20)
        while how == "wait" and not os.path.exists("go"):
            open("waiting", "w").close()
            await asyncio.sleep(0.01)
        if how == "451-data":
            return "451 4.3.0 no room"
        if how == "554-data":
            return "554 5.7.1 not wanted here"
        keep(envelope)
        session.had = True
        if how == "hang-up":
            asyncio.get_running_loop().call_later(0.05, hang_up, server.transport)
        if how == "close":
            server.transport.abort()
        return "250 2.0.0 kept"


def authenticator(server, session, envelope, mechanism, data):
    user, password = options["--login"].encode().split(b":")
    return AuthResult(handled=False, success=manner() != "refuse-login" and (data.login, data.password) == (user, password))


class Server(Controller):
    def factory(self):
        more = {}
        with open("connections", "a") as file:
            file.write("one\n")
        if "--cert" in options:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(options["--cert"], options["--key"])
            more.update(tls_context=context)
        if "--login" in options:
            more.update(authenticator=authenticator, auth_required=True, auth_require_tls=False)
        return SMTP(self.handler, hostname="test", **more)


server = Server(Handler(), hostname="127.0.0.1", port=int(sys.argv[1]))
server.start()
asyncio.new_event_loop().run_forever()
