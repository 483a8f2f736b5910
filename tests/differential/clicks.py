"""Random events as InvenioRDM's builders put them into the queue, the same for the same seed.

Each is a dict: what happened ("record-view", "file-download"), and the message. Times are all different, so that of
several clicks in one window it is clear which is the latest.
"""

import random
import re
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from urllib.parse import quote

SITE = "https://repository.example.org"

# A leap day, the end of a year and of a month, a day on which clocks change.
DAYS = [
    datetime(2024, 2, 28), datetime(2024, 2, 29), datetime(2024, 3, 1),
    datetime(2025, 12, 30), datetime(2025, 12, 31), datetime(2026, 1, 1),
    datetime(2026, 3, 29), datetime(2026, 4, 30), datetime(2026, 5, 1),
]

BROWSERS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605",
    "Mozilla/5.0 (Linux; Android 9; CUBOT_X18_Plus) AppleWebKit/537.36 Chrome/96.0 Mobile Safari/537.36",
    "Opera/9.80 (Windows NT 6.1; U; cs) Presto/2.7.62 Version/11.01",
    "Zotero/6.0 — ein Browser mit Ümläuten",
    "Perplexity-User/1.0", "R (4.3.1 x86_64-pc-linux-gnu)", "Java/17.0.2", "x" * 1500, "GPTBot/1.0", "gptbot/1.0",
]
ROBOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "curl/8.5.0", "Wget/1.21",
    "python-requests/2.32", "Go-http-client/1.1", "axios/1.7", "bot", "-", "", "a", "LinkedInBot/1.0", "Scrapy/2.11",
]
ADDRESSES = [
    "188.184.37.205", "128.141.0.1", "8.8.8.8", "131.188.3.67", "192.0.2.7", "10.1.2.3", "127.0.0.1", "203.0.113.9",
    "2001:1458:201:e8::100:1f", "2001:638:a000:4134::ffff:40", "2a00:1450:4001:82a::200e", "fe80::1", "::1",
    "::ffff:188.184.37.205", "::FFFF:8.8.8.8",
]
OFFSETS = ["Z", "+00:00", "+02:00", "-05:30", "+14:00", "-11:00"]


def agents_on_lists():
    """For each pattern of the lists, a user agent with its letters in it."""
    for name in ("robot.txt", "machine.txt"):
        for pattern in (files("counter_robots") / "data" / name).read_text().splitlines():
            yield "agent " + re.sub(r"[\\^$.*+?()\[\]{}|]", "", pattern) + "/1.0"


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.robots = ROBOTS + list(agents_on_lists())
        self.taken = set()
        self.records = [record for number in range(120) for record in self.versions(number)]
        self.visitors = [self.visitor() for _ in range(250)]

    def word(self, length, letters="0123456789abcdefghjkmnpqrstvwxyz"):
        return "".join(self.random.choice(letters) for _ in range(length))

    def versions(self, number):
        """The versions of one record: all of one parent, with files of their own."""
        parent = f"{self.word(5)}-{number:05d}"
        for _ in range(self.random.choice([1, 1, 1, 2, 3, 6])):
            yield {
                "recid": f"{self.word(5)}-{self.word(5)}",
                "parent_recid": parent,
                "bucket_id": self.uuid(),
                "files": [
                    {
                        "file_id": self.uuid(),
                        "file_key": self.random.choice(["data.csv", "Größe 1.pdf", "a b/c&d?.txt", "日本.zip"]),
                        "size": self.random.choice([0, 1, 4096, 123456789, 3 * 2**40]),
                    }
                    for _ in range(self.random.choice([1, 1, 2, 5]))
                ],
            }

    def uuid(self):
        return "-".join(self.word(n, "0123456789abcdef") for n in (8, 4, 4, 4, 12))

    def maybe(self, share, value):
        """The value, or (a share of the time) one of those that stand for none; MISSING leaves the field out."""
        return self.random.choice([None, "", MISSING]) if self.random.random() < share else value

    def visitor(self):
        rnd = self.random
        robot = rnd.random() < 0.2
        agent = rnd.choice(self.robots if robot else BROWSERS)
        return {
            "ip_address": self.maybe(0.2, rnd.choice(ADDRESSES)),
            "user_agent": agent if rnd.random() > 0.1 else rnd.choice([None, MISSING]),
            "user_id": self.maybe(0.7, str(rnd.randrange(1, 40))),
            "session_id": self.maybe(0.6, self.word(16)),
        }

    def moment(self):
        rnd = self.random
        day = rnd.choice(DAYS)
        seconds = rnd.choice([rnd.uniform(0, 86400), rnd.uniform(0, 86400), rnd.uniform(86385, 86400),
                              rnd.uniform(0, 15), 3600 * rnd.randrange(24) + rnd.uniform(-3, 3)])
        return day + timedelta(seconds=min(max(seconds, 0), 86399.999999))

    def free(self, moment):
        """The nearest moment from here on that no event has, of this day."""
        while moment in self.taken:
            moment += timedelta(microseconds=1)
        self.taken.add(moment)
        return moment

    def time_text(self, moment):
        if self.random.random() > 0.15:
            return moment.isoformat()
        offset = self.random.choice(OFFSETS)
        if offset == "Z":
            return moment.isoformat() + "Z"
        zone = datetime.strptime(offset, "%z").tzinfo
        return moment.replace(tzinfo=timezone.utc).astimezone(zone).isoformat()

    def referrer(self, record, file):
        own = f"{SITE}/records/{record['recid']}/preview/{quote(file['file_key'])}"
        return self.random.choice([
            MISSING, None, "", "https://www.example.com/?q=größe", SITE + "/search?q=x", own, own + "?preview=1",
            f"{SITE}/records/{record['recid']}", f"{SITE}/records/{record['recid']}/preview/other.txt",
        ])

    def message(self, kind, record, file, visitor, moment):
        rnd = self.random
        message = {
            "timestamp": self.time_text(moment),
            "recid": record["recid"],
            "parent_recid": record["parent_recid"],
            "referrer": self.referrer(record, file),
            **visitor,
            "via_api": rnd.choice([False] * 8 + [True, MISSING]),
        }
        if kind == "file-download":
            message.update(bucket_id=record["bucket_id"], **file)
            if rnd.random() < 0.02:
                message[rnd.choice(["size", "bucket_id", "file_id"])] = MISSING
        elif rnd.random() < 0.01:
            message["recid"] = MISSING
        if rnd.random() < 0.01:
            message["unheard_of"] = rnd.choice([1, "text", {"a": [None]}])
        return {key: value for key, value in message.items() if value is not MISSING}

    def clicks(self):
        """One visitor on one thing: a click, and often some more within seconds."""
        rnd = self.random
        kind = rnd.choice(["record-view", "file-download"])
        record = self.records[int(len(self.records) * rnd.random() ** 2)]
        file, visitor, moment = rnd.choice(record["files"]), rnd.choice(self.visitors), self.moment()
        for _ in range(rnd.choice([1, 1, 1, 2, 2, 3, 5])):
            moment = moment.replace(microsecond=rnd.choice([0, rnd.randrange(10**6), rnd.randrange(10**6)]))
            moment = self.free(moment)
            yield {"type": kind, "time": moment, "message": self.message(kind, record, file, visitor, moment)}
            moment += timedelta(seconds=rnd.uniform(0, 12))


MISSING = object()


def generate(count, seed):
    """So many events; their order is none."""
    generator, events = Generator(seed), []
    while len(events) < count:
        events.extend(generator.clicks())
    generator.random.shuffle(events)
    return events[:count]
