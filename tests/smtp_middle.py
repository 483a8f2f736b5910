"""Who sits between a client and its SMTP server, for tests, and does not want them to speak TLS.

usage: smtp_middle.py PORT SERVER_PORT
What it does says the file "manner", read for each connection: pass; strip (the server's offer of STARTTLS is not passed
on); refuse (STARTTLS is answered 454); inject (replies in the clear come with the server's 220, to be taken for what is
said inside TLS); plain (220, and then replies in the clear instead of TLS). What the client says in the clear stands in
the file "said".
"""
import asyncio
import sys

INJECTED = b"250-evil\r\n250 AUTH PLAIN LOGIN\r\n250 2.0.0 kept\r\n"


def manner():
    with open("manner") as file:
        return file.read().strip()


def note(line):
    with open("said", "ab") as file:
        file.write(line)


async def pour(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def relay_reply(how, server, client, after=b""):
    """The server's reply, all of its lines. False: the server is gone."""
    while line := await server.readline():
        if how != "strip" or b"STARTTLS" not in line:
            client.write(line + (after if line[3:4] == b" " else b""))
        elif line[3:4] == b" ":
            client.write(b"250 OK\r\n")
        if line[3:4] == b" ":
            await client.drain()
            return True
    return False


async def talk(how, client_in, client_out, server_in, server_out):
    alive = await relay_reply(how, server_in, client_out)
    while alive and (line := await client_in.readline()):
        note(line)
        starts = line.strip().upper() == b"STARTTLS"
        if starts and how == "refuse":
            client_out.write(b"454 4.7.0 TLS is not available\r\n")
            continue
        if starts and how == "plain":
            client_out.write(b"220 2.0.0 go on\r\n" + INJECTED)
            continue
        server_out.write(line)
        alive = await relay_reply(how, server_in, client_out, INJECTED if starts and how == "inject" else b"")
        if starts:
            await asyncio.gather(pour(client_in, server_out), pour(server_in, client_out))
            return


async def serve(client_in, client_out):
    how = manner()
    try:
        server_in, server_out = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
        await talk(how, client_in, client_out, server_in, server_out)
        server_out.close()
    except ConnectionError:
        pass
    client_out.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
