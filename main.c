/*
 * main.c - the command line: which verb, with which configuration.
 *
 * A verb is a row below and a function in the layer it belongs to.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/verb.h"
#include "config/verbs.h"
#include "handlers/webhook.h"
#include "notifier/certificate.h"
#include "notifier/untaken.h"
#include "notifier/verb_deed.h"
#include "notifier/verbs.h"
#include "scheduler/verbs.h"

#define DEFAULT_CONFIG CRIER_SYSCONF_DIR "/crier.ini"

/* Lined up, the columns would go beyond the edge of the page. */
/* clang-format off */
static const struct verb verbs[] = {
    {"serve", "[PART...]",
     "run the service: door, handlers and clock, or the parts named",
     "SIGTERM drains, a second one ends at once; what is unfinished comes again. SIGHUP drains and begins anew with the\n"
     "configuration as it is then; one that check refuses changes nothing. A terminal that is closed ends it like SIGTERM.",
     true, verb_serve},
    {"check", "[--online]",
     "check the configuration, with --online also the servers",
     "Every mistake is shown at once, as file:line.",
     false, verb_check},
    {"config", "reference|sample|show",
     "every key; an annotated file; the values in force",
     "show takes what profiles give as if it stood in the file; secrets are hidden.",
     false, verb_config},
    {"emit", "[FILE|-] | --type TYPE [...] | --notification TYPE PID:UUID:REVISION...",
     "send events from a file, standard input or arguments",
     "--type T --subject S [--id I] [--source S] [--time T] [--revision N] [--actor A] [--data JSON]\n"
     "--notification TYPE [--action A] PID:UUID:REVISION...: records that changed, as the platform tells it; a line of a\n"
     "file may be that, too: [\"users\", [[\"1\", \"1\", 5]]]. --dry-run checks only. Exit 3 where a part was refused.\n"
     "--operation ID|new makes all of them one operation, which is printed; --wait 5s sends them ahead of others and waits\n"
     "until all is done and a search sees it (exit 0), a part is dead (3) or the time is over (1).",
     true, verb_emit},
    {"import", "access-log FILE...",
     "events from the access logs of web servers",
     "Plain or gzipped, - for standard input; each line once, however often its file is given and under what name.\n"
     "--backlog N events may wait in a queue before it pauses (100000); --again takes also what was imported before;\n"
     "--dry-run counts only. Exit 3 where lines were unreadable.",
     true, verb_import},
    {"tokens", "create NAME --scope SCOPES|list|revoke ID",
     "who may ask the door for what",
     "create NAME --scope \"emit stats:read\" [--events PATTERNS] [--expires 90d] shows the token once; scopes are emit,\n"
     "events:read, stats:read, audit:read, metrics:read, webhooks and admin (everything). --events narrows to types.\n"
     "A change counts within a second. [http] access says who needs a token.",
     true, verb_tokens},
    {"status", "",
     "whether all is well: servers, what waits, what is dead",
     NULL, true, verb_status},
    {"queues", "[forget HANDLER [--dry-run]]",
     "the queues and what is in them",
     "forget removes the group of a handler that is no longer configured, with what waited for it: nothing behind it is\n"
     "trimmed as long as it is there.",
     true, verb_queues},
    {"handlers", "",
     "the handlers and what waits for them",
     NULL, true, verb_handlers},
    {"run", "HANDLER",
     "let a handler work off what waits, now and here",
     "--dry-run only counts what waits. Exit 3 where a part went to the dead letters.",
     true, verb_run},
    {"dead", "list|show ID|retry ID...|drop ID...",
     "look at dead letters, try them again, drop them",
     "--queue NAME and --handler NAME narrow; --all for all that are left by that, also to list more than 100;\n"
     "--dry-run counts only.",
     true, verb_dead},
    {"outbox", "list|sql NAME|parked NAME|retry NAME N...|drop NAME N...",
     "events in the platform's database: how many wait, the tables, rows that can be no event",
     "sql prints what makes the tables, index and trigger; parked lists rows with the reason (100 at most, else --all);\n"
     "retry puts them back, drop deletes them: by their numbers, or --all; --dry-run counts only.",
     true, verb_outbox},
    {"operations", "show ID",
     "what became of the events of an operation, handler by handler",
     "ID is what the events carry as operation, or what POST /events?operation=new answered. It is kept as long as\n"
     "[http] operations says.",
     true, verb_operations},
    {"watch", "[ID] [--events PATTERNS]",
     "what becomes of operations, as it happens",
     "Of one operation with what is known already, until all of it is done (0) or dead (1); without ID of all that come,\n"
     "until it is interrupted. --json: an object a line.",
     true, verb_watch},
    {"mail", "preview EVENT.json|test ADDRESS|attempts|preferences ADDRESS [off|at-once|daily|weekly]",
     "the mails an event would give; a mail that tries the server; what was sent; who wants how many",
     "--handler NAME says which [handler] of type mail, where there are several. preview sends nothing; attempts shows the\n"
     "last 100, newest first. preferences are for all handlers, or with --handler for one; an address that is off gets no\n"
     "mail, also none of those that wait; one that is daily or weekly gets those of a day or a week in one.",
     true, verb_mail},
    {"webhooks", "list|add URL|show NAME|attempts NAME|test NAME|pause NAME|resume NAME|resend NAME ID|rotate ID|remove ID",
     "the targets of webhooks: how they fare, what was sent, a test; subscriptions",
     "add URL [--events PATTERNS] [--condition C] [--payload thin] [--headers \"N: V; N: V\"] [--owner WHO]\n"
     "[--owner-mail ADDRESS] subscribes a URL at the [handler] of type webhook that has none of its own (--handler NAME of several), and shows its id and\n"
     "secret once; rotate makes a new secret, with which the one before signs until rotate ID --over.\n"
     "NAME is such an id, or a handler with a url. attempts shows the last 100, newest first, --limit N for others; test sends an\n"
     "event of type crier.webhook.test at once. What comes while a target is paused is kept, for 30 days, and sent when it\n"
     "is resumed; one that is off (it answered 410, or failed for 120 hours) takes nothing until it is resumed. resend sends\n"
     "what waits for another try at once, and what was delivered or given up again, under the same id, where a [handler] of\n"
     "type history has its event; what was given up is among the dead letters, too (crier dead).",
     true, verb_webhooks},
    {"replay", "--handler NAME [...] FOLDER|FILE...|-|--history",
     "send archived events, or those of the history, through chosen handlers again",
     "--handler NAME for each that gets them, and nobody else does; --from T and --to T by the events' own time\n"
     "(2026, 2026-10, 2026-10-31, 2026-10-31T09), --type PATTERNS, --subject KIND/ID or KIND/* narrow.\n"
     "--history [NAME] takes them from the handler of type history instead; --id, --actor and --operation narrow these, too.\n"
     "Every file is compared with its digest first. --rate N events a second; --backlog N may wait in a queue (100000).\n"
     "Killed at any moment, the same with --resume goes on; --dry-run counts only. Exit 3 where lines were left out.",
     true, verb_replay},
    {"aggregations", "list|run|verify|delete [NAME...]",
     "look at aggregates, compute them anew, compare them with the events",
     "--from T and --to T narrow (2026, 2026-10, 2026-10-31): run computes all of that anew, --all everything;\n"
     "verify ends with 1 where something differs; delete needs --yes; list --bookmarks shows invenio-stats' own.",
     true, verb_aggregations},
    {"audit", "search|verify [FILE...]|actions",
     "who did what: look it up, and whether the audit file is as it was written",
     "search --actor KIND/ID --action A --resource KIND/ID --outcome O --from T --to T, each may be left out: the newest\n"
     "first, --limit N of them (100), --csv; KIND/* is all of a kind, in an action * stands for anything;\n"
     "--handler NAME where several keep an audit.\n"
     "verify names the first line that is not as it was written, FILE:LINE, and ends with 1. Without FILE it takes the\n"
     "one of [audit] with all that were moved away; --partial: the first ones may be missing; --key FILE (the oldest\n"
     "first, where it was replaced) instead of the configured one, of Ed25519 the public key is enough;\n"
     "--holds PLACE:DIGEST: that line, noted elsewhere, must be there.\n"
     "actions lists what the service says of itself, crier.*.",
     true, verb_audit},
    {"history", "[show ID]",
     "events of the past, by id, subject, type, actor, operation or time",
     "--id ID, --subject KIND/ID or KIND/*, --type PATTERNS, --actor KIND/ID or KIND/*, --operation ID, --from T, --to T\n"
     "(2026, 2026-10, 2026-10-31, 2026-10-31T09), each may be left out: the newest first, --limit N of them (100) or --all,\n"
     "--csv; show ID shows the whole event. --handler NAME where several keep a history.",
     true, verb_history},
    {"reindex", "INDEX [--source NAME]|--all|status|cancel INDEX",
     "fill an index anew while it is in use, then let it take the old one's place",
     "INDEX is an alias. Documents come from the index itself, or --source NAME (a [source] section, a file of lines,\n"
     "- for standard input). --into NAME for the new index; --rate N documents a second, --parallel N connections;\n"
     "--drop removes the old index at the end, else it is kept. Cut off, the same command (or --resume) goes on;\n"
     "status [INDEX] shows it from elsewhere, cancel INDEX gives it up; --dry-run says what would be done.\n"
     "With --ids FILE, --query JSON, --since TIME or --only stale documents of the source are written into the index\n"
     "that is there; --only stale --relations repairs the copies of all relations in it. --all lists every index that a\n"
     "handler writes to, and how long it takes; with --yes it does them one after the other.",
     true, verb_reindex},
    {"report", "cop51|coprd --report ID --month M",
     "usage reports: PR, IR, IR_A1 (COUNTER 5.1), DSR (research data)",
     "--to MONTH for several months (2026-10), --csv for the tabular form, --out FILE instead of standard output;\n"
     "--send delivers to [report] hub_url; --dry-run gathers and checks only.",
     true, verb_report},
    {"stats", "top|record RECID|country|referrer|robots",
     "what is used most, a record over time, from where and by whom",
     "top [views|downloads|HANDLER]; record RECID [--interval day|week|month|year];\n"
     "record PARENT_RECID --all-versions: all versions together;\n"
     "--from DATE and --to DATE (whole days, UTC) narrow, --limit N, --csv.",
     true, verb_stats},
    {"statistics", "restate|reclassify|reindex|export|import",
     "repair statistics: count a month anew, other lists, longer indices, files",
     "restate --month 2026-10 [--reason TEXT] [HANDLER...]; reclassify [--from T] [--to T] [HANDLER...];\n"
     "reindex HANDLER --suffix %Y [--cancel]: afterwards write the new suffix into the handler's `index`;\n"
     "export --out FOLDER [--from T] [--to T] [HANDLER...]; import --in FOLDER.\n"
     "Each can be run again after it was cut off; --dry-run says what would change.",
     true, verb_statistics},
};
/* clang-format on */

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int print_help(FILE *out)
{
    fputs("crier - what has to happen after a repository platform's own transaction\n\n"
          "usage: crier VERB [--config FILE] [--json] [--dry-run] [--help] ...\n\n",
          out);
    for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++)
        fprintf(out, "  %-12s %s\n", verbs[i].name, verbs[i].help);
    fputs("\nThe configuration is --config, else $CRIER_CONFIG, else " DEFAULT_CONFIG ".\n"
          "Exit codes: 0 done, 1 failed, 2 usage, 3 part failed, 69 peer unreachable, 78 configuration.\n",
          out);
    return out == stdout ? EXIT_DONE : EXIT_USAGE;
}

static int print_verb_help(const struct verb *v)
{
    printf("usage: crier %s%s%s\n\n%s\n", v->name, *v->arguments ? " " : "", v->arguments, v->help);
    if (v->more)
        printf("%s\n", v->more);
    return EXIT_DONE;
}

static int unknown_verb(const char *name)
{
    const char *names[ARRAY_LENGTH(verbs)];
    const char *nearest;

    for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++)
        names[i] = verbs[i].name;
    nearest = text_nearest(name, names, ARRAY_LENGTH(verbs));
    fprintf(stderr, "crier: no verb \"%s\"%s%s%s\n", name, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
            nearest ? "\"?" : "");
    return print_help(stderr);
}

/* What the verb was about to do, and noted for the audit: how it ended. */
static int note_end(const struct verb *v, int code)
{
    bool done = code == EXIT_DONE || code == EXIT_PART_FAILED;
    struct error err;

    if (!verb_deed_over(done ? NULL : verb_why(), code, &err))
        verb_failed(v->name, &err);
    return code;
}

static int run_with_settings(const struct verb *v, struct verb_call *call)
{
    struct buf mistakes = BUF_INIT;
    struct error err;
    struct settings *s = settings_load(call->config_path, call->outside, &mistakes, &err);
    int code;

    if (s) {
        call->settings = s;
        if (!s->service.core_dumps)
            memory_keep_private();
        code = note_end(v, v->run(call));
    } else {
        fwrite(mistakes.data, 1, mistakes.length, stderr);
        code = verb_failed(v->name, &err);
    }
    settings_free(s);
    buf_release(&mistakes);
    return code;
}

static int run_verb(const struct verb *v, int argc, char **argv)
{
    const char *environment = getenv("CRIER_CONFIG");
    struct verb_call call = {
        .config_path = environment && *environment ? environment : DEFAULT_CONFIG,
        .outside = scheduler_outside(),
        .argc = argc,
        .argv = argv,
    };

    if (verb_option(&call, "help", NULL))
        return print_verb_help(v);
    if (verb_option(&call, "config", &call.config_path) && !call.config_path)
        return verb_usage(v->name, "--config needs a file");
    call.json = verb_option(&call, "json", NULL);
    call.dry_run = verb_option(&call, "dry-run", NULL);
    return v->needs_settings ? run_with_settings(v, &call) : v->run(&call);
}

static void say_notes(const struct settings *s, struct buf *out)
{
    untaken_say(s, out);
    webhook_say_unsealed(s, out);
}

int main(int argc, char **argv)
{
    const struct verb *v;

    if (argc < 2)
        return print_help(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return print_help(stdout);
    if (strcmp(argv[1], "--version") == 0) {
        puts("crier " CRIER_VERSION);
        return EXIT_DONE;
    }
    v = find_verb(argv[1]);
    if (!v)
        return unknown_verb(argv[1]);
    signal(SIGPIPE, SIG_IGN); /* a peer that goes away is an error of its link */
    http_global_init();
    verb_check_notes(say_notes);
    verb_check_online(check_online);
    verb_check_look(certificate_check);
    return run_verb(v, argc - 2, argv + 2);
}
