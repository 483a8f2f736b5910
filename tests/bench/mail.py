"""Mails a second, processor time of a mail and memory: crier against Python's smtplib, to the same sink.

usage: mail.py CRIER REDIS_URL SINK_PORT DOOR_PORT MAILS ROUNDS FOLDER

crier: a mail to one recipient an event, from a template in text and HTML, at defaults but for tls; from its start with all
events in the stream, until the last mail is noted in Redis. smtplib: the finished message of the same size, over one
connection, and over as many processes with one each as crier has connections; nothing is kept, so nothing would come
again after a crash. Medians of ROUNDS turns.
"""

import json
import multiprocessing
import os
import re
import resource
import signal
import smtplib
import statistics
import subprocess
import sys
import time
import urllib.request

CONNECTIONS = 4  # crier's default
LIMIT_S = 600
TEXT = "".join(f"* A line of news, number {n}, of which there are some\n" for n in range(10))
HTML = "".join(f"<p>A line of news, number {n}, of which there are some</p>\n" for n in range(10))


def write_files(folder, redis_url, sink_port, port):
    templates = os.path.join(folder, "templates")
    os.makedirs(templates, exist_ok=True)
    with open(os.path.join(templates, "user.updated.en.txt"), "w", encoding="utf-8") as out:
        out.write("Subject: News of {data.name}\n\nHello {data.name},\n" + TEXT)
    with open(os.path.join(templates, "user.updated.en.html"), "w", encoding="utf-8") as out:
        out.write("<p>Hello {data.name}</p>\n" + HTML)
    config = os.path.join(folder, "mail.ini")
    with open(config, "w", encoding="utf-8") as out:
        out.write(f"[redis]\nurl = {redis_url}\n[http]\nlisten = 127.0.0.1:{port}\n[queue q]\nevents = user.updated\n"
                  f"[handler mails]\ntype = mail\nqueue = q\nserver = smtp://127.0.0.1:{sink_port}\ntls = none\n"
                  f"from = The Archive <a@example.org>\nto = data.to\ntemplates = {templates}\n")
    return config


def emit(crier, config, first, count):
    lines = "".join(
        json.dumps({"specversion": "1.0", "id": f"e{n}", "source": "bench", "type": "user.updated",
                    "subject": f"users/{n}", "data": {"to": f"u{n}@example.org", "name": f"User {n}"}}) + "\n"
        for n in range(first, first + count))
    subprocess.run([crier, "emit", "--config", config, "-"], input=lines, text=True, check=True,
                   stdout=subprocess.DEVNULL)


def sent(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
            found = re.search(r'crier_mail_attempts_total\{[^}]*outcome="done"[^}]*\} (\d+)', reply.read().decode())
    except OSError:
        return 0
    return int(found.group(1)) if found else 0


def usage_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        peak_kib = int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), peak_kib


def run_crier(crier, config, port, count):
    """Seconds, seconds of processor, KiB at the peak."""
    began = time.monotonic()
    with subprocess.Popen([crier, "serve", "--config", config], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as serve:
        try:
            while sent(port) < count:
                if time.monotonic() - began > LIMIT_S or serve.poll() is not None:
                    raise SystemExit(f"crier sent {sent(port)} of {count} mails")
                time.sleep(0.02)
            took = time.monotonic() - began
            cpu, peak = usage_of(serve.pid)
        finally:
            serve.send_signal(signal.SIGTERM)
    return took, cpu, peak


def message(n):
    boundary = f"=_mail_{n:032x}"
    text = (f"From: The Archive\r\n <a@example.org>\r\nTo: u{n}@example.org\r\nSubject: News of User {n}\r\n"
            "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
            f"Message-ID: <mail_{n:032x}@example.org>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: multipart/alternative;\r\n boundary=\"{boundary}\"\r\n\r\n")
    for kind, body in (("plain", f"Hello User {n},\n{TEXT}"), ("html", f"<p>Hello User {n}</p>\n{HTML}")):
        text += (f"--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
                 "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + body.replace("\n", "\r\n") + "\r\n")
    return text + f"--{boundary}--\r\n"


def send_plain(sink_port, first, count, peaks):
    with smtplib.SMTP("127.0.0.1", sink_port) as link:
        for n in range(first, first + count):
            link.sendmail("a@example.org", [f"u{n}@example.org"], message(n))
    peaks.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def run_plain(sink_port, count, processes):
    def cpu():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before, began, each, peaks = cpu(), time.monotonic(), count // processes, multiprocessing.SimpleQueue()
    crew = [multiprocessing.Process(target=send_plain, args=(sink_port, n * each, each, peaks)) for n in range(processes)]
    for one in crew:
        one.start()
    for one in crew:
        one.join()
    if any(one.exitcode for one in crew):
        raise SystemExit("smtplib could not send all")
    peak_kib = sum(peaks.get() for _ in crew)
    return time.monotonic() - began, cpu() - before, peak_kib


def report(name, runs, count):
    took, cpu, peak = (statistics.median(run[i] for run in runs) for i in range(3))
    print(f"{name:24} {count / took:8.0f} mails/s {cpu / count * 1e6:8.0f} us of processor a mail "
          f"{peak / 1024:8.1f} MiB at the peak", flush=True)
    return count / took


def main():
    crier, redis_url, sink_port, port, count, rounds, folder = sys.argv[1:]
    sink_port, count, rounds = int(sink_port), int(count) // CONNECTIONS * CONNECTIONS, int(rounds)
    config = write_files(folder, redis_url, sink_port, port)
    ours, one, many = [], [], []
    for turn in range(rounds):
        emit(crier, config, turn * count, count)
        ours.append(run_crier(crier, config, port, count))
        one.append(run_plain(sink_port, count, 1))
        many.append(run_plain(sink_port, count, CONNECTIONS))
    print(f"{count} mails of {len(message(1))} bytes, medians of {rounds}")
    rate = report("crier", ours, count)
    alone = report("smtplib, one connection", one, count)
    together = report(f"smtplib, {CONNECTIONS} processes", many, count)
    print(f"crier sends {rate / alone:.2f} times what one connection does, {rate / together:.2f} times what "
          f"{CONNECTIONS} processes do")


if __name__ == "__main__":
    main()
