"""The reference: invenio-stats itself, configured as InvenioRDM configures it."""

import json
import logging
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, urlsplit

from flask import Flask
from invenio_i18n import InvenioI18N
from invenio_rest import InvenioREST
from invenio_search import InvenioSearch, current_search_client
from invenio_stats import InvenioStats, processors, views
from invenio_stats.aggregations import StatAggregator
from invenio_stats.contrib.event_builders import build_file_unique_id
from invenio_stats.queries import DateHistogramQuery, TermsQuery

from clicks import DAYS, SITE

KEYWORDS_OF_EVENTS = ("country visitor_id unique_id unique_session_id referrer ip_address user_agent user_id "
                      "session_id record_id recid parent_id parent_recid")
KEYWORDS_OF_AGGREGATES = "unique_id record_id recid parent_id parent_recid"


def properties(keywords, date_format, **others):
    """A mapping as the platform's templates have it."""
    fields = {name: {"type": "keyword"} for name in keywords.split()}
    fields.update({name: {"type": kind} for name, kind in others.items()})
    return {**fields, "timestamp": {"type": "date", "format": date_format}, "via_api": {"type": "boolean"},
            "updated_timestamp": {"type": "date"}}


FLAGS = {"is_machine": "boolean", "is_robot": "boolean"}
COUNTS = {"count": "integer", "unique_count": "integer"}
MAPPINGS = {
    "events-stats-record-view":
        properties(KEYWORDS_OF_EVENTS + " labels", "strict_date_optional_time", **FLAGS),
    "events-stats-file-download":
        properties(KEYWORDS_OF_EVENTS + " bucket_id file_id file_key", "strict_date_optional_time", **FLAGS,
                   size="double"),
    "stats-record-view":
        properties(KEYWORDS_OF_AGGREGATES, "date_optional_time", **COUNTS),
    "stats-file-download":
        properties(KEYWORDS_OF_AGGREGATES + " bucket_id file_id file_key", "date_optional_time", **COUNTS,
                   volume="double"),
}

UNIQUE_COUNT = ("cardinality", "unique_session_id", {"precision_threshold": 1000})
AGGREGATIONS = {
    "record-view-agg": {
        "event": "record-view",
        "copy_fields": {name: name for name in ("recid", "parent_recid", "via_api")},
        "metric_fields": {"unique_count": UNIQUE_COUNT},
        "query_modifiers": [lambda query, **_: query.filter("term", via_api=False)],
    },
    "file-download-agg": {
        "event": "file-download",
        "copy_fields": {name: name for name in ("file_id", "file_key", "bucket_id", "recid", "parent_recid")},
        "metric_fields": {"unique_count": UNIQUE_COUNT, "volume": ("sum", "size", {})},
    },
}

VIEWS = {"views": ("sum", "count", {}), "unique_views": ("sum", "unique_count", {})}
DOWNLOADS = {"downloads": ("sum", "count", {}), "unique_downloads": ("sum", "unique_count", {}),
             "data_volume": ("sum", "volume", {})}


def query(name, required, kind=TermsQuery, **options):
    copies = ["parent_recid"] if required == "parent_recid" else ["recid", "parent_recid"]
    return {"cls": kind, "permission_factory": None, "params": {
        "index": "stats-record-view" if "view" in name else "stats-file-download",
        "copy_fields": {field: field for field in copies},
        "required_filters": {required: required},
        "metric_fields": VIEWS if "view" in name else DOWNLOADS,
        **options,
    }}


REQUIRED = {"record-view": "recid", "record-view-all-versions": "parent_recid", "record-download": "recid",
            "record-download-all-versions": "parent_recid"}
QUERIES = {name: query(name, required) for name, required in REQUIRED.items()}

# Of the other shapes of an answer the platform uses none; these two are ours, here and in crier's configuration.
REQUIRED.update({"view-histogram": "parent_recid", "download-by-file": "parent_recid"})
QUERIES["view-histogram"] = query("view-histogram", "parent_recid", DateHistogramQuery)
QUERIES["download-by-file"] = query("download-by-file", "parent_recid", aggregated_fields=["file_key", "file_id"])


def build_record_unique_id(event):
    """The platform's own: views of the pages and of the programming interface are told apart."""
    event["unique_id"] = ("api_" if event.get("via_api") else "ui_") + event["recid"]
    return event


def is_preview(message):
    """Whether a download was made by the page that previews this very file."""
    url = urlsplit(message.get("referrer") or "")
    path = f"/records/{message['recid']}/preview/{quote(message['file_key'])}"
    return f"{url.scheme}://{url.netloc}" == SITE and url.path == path


def build(kind, message):
    """What the platform's builders do before the queue; None drops the event. Views by programs get past them here."""
    message.setdefault("via_api", False)
    return None if kind == "file-download" and is_preview(message) else message


class Queue:
    """What the indexer needs of a queue."""

    def __init__(self, kind, messages):
        self.routing_key, self.messages = f"stats-{kind}", messages

    def consume(self):
        return iter(self.messages)


class Losses(logging.Handler):
    """Events that the indexer logs and loses, by the exception that cost them."""

    def __init__(self):
        super().__init__()
        self.counts = {}

    def emit(self, record):
        name = record.exc_info[0].__name__ if record.exc_info else record.levelname
        self.counts[name] = self.counts.get(name, 0) + 1


class Reference:
    def __init__(self, url, prefix, salt_of):
        self.app = Flask("reference")
        self.app.config.update(SEARCH_HOSTS=[url], SEARCH_INDEX_PREFIX=prefix, SEARCH_CLIENT_CONFIG={"timeout": 60},
                               STATS_EVENTS={}, STATS_AGGREGATIONS={}, STATS_QUERIES=QUERIES)
        InvenioSearch(self.app)
        InvenioI18N(self.app)
        InvenioREST(self.app)
        InvenioStats(self.app)
        self.app.register_blueprint(views.blueprint)
        self.losses = Losses()
        self.app.logger.handlers = [self.losses]
        self.app.app_context().push()
        self.client, self.prefix = current_search_client, prefix
        processors.get_anonymization_salt = salt_of
        self.install_templates()

    def install_templates(self):
        for name, fields in MAPPINGS.items():
            mappings = {"dynamic": "strict", "date_detection": False, "properties": fields}
            body = {"index_patterns": [f"{self.prefix}{name}-*"],
                    "template": {"settings": {"index": {"refresh_interval": "5s"}}, "mappings": mappings,
                                 "aliases": {self.prefix + name: {}}}}
            self.client.indices.put_index_template(name=self.prefix + name, body=body)

    def index(self, kind, messages):
        """Messages through the real indexer, in their order."""
        unique = build_record_unique_id if kind == "record-view" else build_file_unique_id
        steps = [processors.filter_robots, processors.flag_machines, processors.anonymize_user, unique]
        built = [m for m in (build(kind, json.loads(json.dumps(m))) for m in messages) if m is not None]
        processors.EventsIndexer(Queue(kind, built), prefix="events", preprocessors=steps).run()
        self.client.indices.refresh(index=self.prefix + "*")

    def aggregate(self):
        for name, options in AGGREGATIONS.items():
            aggregator = StatAggregator(name, field="unique_id", interval="day", index_interval="month", **options)
            for day in sorted({day + timedelta(days=more) for day in DAYS for more in (0, 1)}):  # clicks go on at night
                start = day.replace(tzinfo=timezone.utc)
                aggregator.run(start, start + timedelta(hours=23), update_bookmark=False)
        self.client.indices.refresh(index=self.prefix + "*")

    def stats(self, queries):
        """The answer of the platform's own page: status and body."""
        reply = self.app.test_client().post(views.blueprint.url_prefix, json=queries)
        return reply.status_code, reply.get_json()

    def record_stats(self, recid, parent_recid):
        """What the platform writes into a record document."""
        levels = {"this_version": {"record-view": {"recid": recid}, "record-download": {"recid": recid}},
                  "all_versions": {"record-view-all-versions": {"parent_recid": parent_recid},
                                   "record-download-all-versions": {"parent_recid": parent_recid}}}
        numbers = {}
        for level, queries in levels.items():
            _, answers = self.stats({name: {"stat": name, "params": params} for name, params in queries.items()})
            numbers[level] = {name: value for answer in answers.values() for name, value in answer.items()
                              if name in VIEWS or name in DOWNLOADS}
        return numbers


def as_utc(text):
    """A time with an offset as the platform writes it: in UTC, without one."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat() if moment.tzinfo else text
