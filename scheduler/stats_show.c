#include "scheduler/stats_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/chart.h"
#include "base/listing.h"
#include "base/text.h"
#include "handlers/record_stats.h"

enum { SOURCES_MOST = 2, LABEL_BYTES = 200, VALUES_MOST = 10000 };

/* --------------------------------------------------------------------------------------------------- what to read */

/* The options of a handler of type record-stats name the aggregations of views and downloads. */
static const char *named_source(const struct settings *s, bool is_downloads)
{
    for (size_t i = 0; i < s->handler_count; i++) {
        const struct record_stats_options *o = s->handlers[i].own;

        if (strcmp(s->handlers[i].type, "record-stats") == 0 && *(is_downloads ? o->downloads : o->views))
            return is_downloads ? o->downloads : o->views;
    }
    return NULL;
}

static bool find_source(const struct settings *s, const char *of, struct totals_source *out, struct error *err)
{
    bool is_downloads = strcmp(of, "downloads") == 0;
    const char *handler = is_downloads || strcmp(of, "views") == 0 ? named_source(s, is_downloads) : of;

    if (!handler)
        return error_set(err, ERROR_CONFIG, "no handler of type record-stats says which aggregation counts %s", of);
    return totals_source_init(out, s, handler, is_downloads, err);
}

/* ----------------------------------------------------------------------------------------------------- printing it */

static void list_real(struct listing *l, int digits, double value)
{
    char text[40];

    snprintf(text, sizeof text, "%.*f", digits, value);
    listing_json(l, text);
}

static void list_percent(struct listing *l, int64_t part, int64_t total)
{
    list_real(l, 1, total > 0 ? 100.0 * (double)part / (double)total : 0.0);
}

static void print(const struct stats_call *s, const struct listing *l)
{
    if (s->csv)
        listing_write_csv(l, stdout);
    else
        listing_write(l, stdout, s->call->json);
}

/* A table without rows leaves open whether a name was mistyped. */
static void say_nothing(const struct stats_call *s, const char *id)
{
    struct buf line = BUF_INIT;

    buf_add_text(&line, s->all_versions ? "no use of the versions of " : "no use of ");
    text_add_escaped(&line, id, strlen(id), LABEL_BYTES);
    fprintf(stderr, "%s is counted%s\n", line.data,
            s->all_versions ? "; --all-versions takes the id that all versions share (parent_recid)" : "");
    buf_release(&line);
}

/* For people only. */
static void draw(const struct stats_call *s, const char *title, const struct figures *f)
{
    struct bar *bars;
    struct buf *labels;

    if (s->csv || s->call->json || f->count == 0)
        return;
    bars = xcalloc(f->count, sizeof *bars);
    labels = xcalloc(f->count, sizeof *labels);
    for (size_t i = 0; i < f->count; i++) {
        const char *key = *f->items[i].key ? f->items[i].key : "-";

        buf_init(&labels[i]);
        text_add_escaped(&labels[i], key, strlen(key), LABEL_BYTES);
        bars[i] = (struct bar){labels[i].data, f->items[i].count};
    }
    printf("\n%s\n", title);
    chart_write(stdout, bars, f->count);
    for (size_t i = 0; i < f->count; i++)
        buf_release(&labels[i]);
    free(labels);
    free(bars);
}

/* --------------------------------------------------------------------------------------------------------- top */

static struct listing *top_listing(const struct totals_source *s, const struct figures *f)
{
    struct listing *l = listing_new(s->volume ? "record count unique volume percent" : "record count unique percent");

    for (size_t i = 0; i < f->count; i++) {
        listing_text(l, f->items[i].key);
        listing_int(l, f->items[i].count);
        listing_int(l, f->items[i].unique);
        if (s->volume)
            list_real(l, 0, f->items[i].volume);
        list_percent(l, f->items[i].count, f->total);
    }
    return l;
}

int stats_show_top(const struct stats_call *s, const char *of)
{
    struct totals_source source = {0};
    struct figures f = FIGURES_INIT;
    struct listing *l;
    struct error err;
    bool ok = find_source(s->call->settings, of, &source, &err) &&
              figures_top(s->client, &source, &s->range, (size_t)s->limit, &f, &err);

    if (ok) {
        l = top_listing(&source, &f);
        print(s, l);
        draw(s, of, &f);
        listing_free(l);
    }
    figures_release(&f);
    totals_source_release(&source);
    return ok ? EXIT_DONE : verb_failed("stats top", &err);
}

/* ------------------------------------------------------------------------------------------------------ a record */

struct history {
    struct totals_source sources[SOURCES_MOST];
    const char *words[SOURCES_MOST];
    struct figures figures[SOURCES_MOST];
    size_t count;
};

static bool read_history(const struct stats_call *s, const char *id, struct history *h, struct error *err)
{
    static const char *const words[SOURCES_MOST] = {"views", "downloads"};

    for (size_t i = 0; i < SOURCES_MOST; i++) {
        if (!named_source(s->call->settings, i == 1))
            continue;
        h->words[h->count] = words[i];
        if (!find_source(s->call->settings, words[i], &h->sources[h->count], err) ||
            !figures_history(s->client, &h->sources[h->count], &s->range, id, s->all_versions, s->interval,
                             &h->figures[h->count], err))
            return false;
        h->count++;
    }
    return h->count > 0 || error_set(err, ERROR_CONFIG, "no handler of type record-stats names what is counted");
}

static struct listing *history_listing(const struct history *h)
{
    struct buf columns = BUF_INIT;
    struct listing *l;

    buf_add_text(&columns, "date");
    for (size_t i = 0; i < h->count; i++)
        buf_printf(&columns, " %s unique_%s%s", h->words[i], h->words[i], h->sources[i].volume ? " volume" : "");
    l = listing_new(columns.data);
    buf_release(&columns);
    return l;
}

/* Dates are in order: at[i] walks through the figures of each source. The next date; NULL: all are listed. */
static const char *next_date(const struct history *h, const size_t at[SOURCES_MOST])
{
    const char *next = NULL;

    for (size_t i = 0; i < h->count; i++)
        if (at[i] < h->figures[i].count && (!next || strcmp(h->figures[i].items[at[i]].key, next) < 0))
            next = h->figures[i].items[at[i]].key;
    return next;
}

static void list_history(struct listing *l, const struct history *h)
{
    size_t at[SOURCES_MOST] = {0};
    const char *date;

    while ((date = next_date(h, at))) {
        listing_text(l, date);
        for (size_t i = 0; i < h->count; i++) {
            const struct figure none = {0}, *f = &none;

            if (at[i] < h->figures[i].count && strcmp(h->figures[i].items[at[i]].key, date) == 0)
                f = &h->figures[i].items[at[i]++];
            listing_int(l, f->count);
            listing_int(l, f->unique);
            if (h->sources[i].volume)
                list_real(l, 0, f->volume);
        }
    }
}

static bool is_empty(const struct history *h)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->figures[i].count > 0)
            return false;
    return true;
}

int stats_show_record(const struct stats_call *s, const char *id)
{
    struct history h = {.count = 0};
    struct listing *l;
    struct error err;
    bool ok = read_history(s, id, &h, &err);

    if (ok) {
        l = history_listing(&h);
        list_history(l, &h);
        print(s, l);
        listing_free(l);
        if (is_empty(&h))
            say_nothing(s, id);
    }
    for (size_t i = 0; i < SOURCES_MOST; i++) {
        if (ok && i < h.count)
            draw(s, h.words[i], &h.figures[i]);
        figures_release(&h.figures[i]);
        totals_source_release(&h.sources[i]);
    }
    return ok ? EXIT_DONE : verb_failed("stats record", &err);
}

/* ---------------------------------------------------------------------------------------------- events by a value */

/* "https://www.example.org:443/a" becomes "www.example.org", in place. */
static void keep_host(char *url)
{
    char *host = strstr(url, "://"), *end;

    host = host ? host + strlen("://") : url;
    end = host + strcspn(host, "/?#:");
    memmove(url, host, (size_t)(end - host));
    url[end - host] = '\0';
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct figure *)a)->key, ((const struct figure *)b)->key);
}

static int by_count(const void *a, const void *b)
{
    int64_t left = ((const struct figure *)a)->count, right = ((const struct figure *)b)->count;

    return left == right ? by_key(a, b) : left < right ? 1 : -1;
}

/* Those with one key become one. */
static void merge(struct figures *f)
{
    size_t kept = 0;

    if (f->count == 0)
        return;
    qsort(f->items, f->count, sizeof *f->items, by_key);
    for (size_t i = 1; i < f->count; i++)
        if (strcmp(f->items[kept].key, f->items[i].key) == 0) {
            f->items[kept].count += f->items[i].count;
            free(f->items[i].key);
        } else {
            f->items[++kept] = f->items[i];
        }
    f->count = kept + 1;
    qsort(f->items, f->count, sizeof *f->items, by_count);
}

/* The first ones; the rest are only in the total. */
static void cut(struct figures *f, size_t most)
{
    while (f->count > most)
        free(f->items[--f->count].key);
}

static void list_figures(struct listing *l, const char *handler, const struct figures *f)
{
    for (size_t i = 0; i < f->count; i++) {
        listing_text(l, handler);
        listing_text(l, *f->items[i].key ? f->items[i].key : NULL);
        listing_int(l, f->items[i].count);
        list_percent(l, f->items[i].count, f->total);
    }
}

/* One search for each handler whose documents are events. */
struct division {
    const char *verb, *field; /* field NULL: by robots, machines and people */
    bool by_host;
};

static bool divide(const struct stats_call *s, const struct division *d, const struct handler_settings *events,
                   struct figures *f, struct error *err)
{
    if (!d->field)
        return figures_agents(s->client, events, &s->range, f, err);
    if (!figures_values(s->client, events, &s->range, d->field, d->by_host ? VALUES_MOST : (size_t)s->limit, f, err))
        return false;
    for (size_t i = 0; d->by_host && i < f->count; i++)
        keep_host(f->items[i].key);
    if (d->by_host)
        merge(f);
    cut(f, (size_t)s->limit);
    return true;
}

static int show_division(const struct stats_call *s, const struct division *d)
{
    const struct settings *settings = s->call->settings;
    struct figures *found = xcalloc(settings->handler_count + 1, sizeof *found);
    struct buf columns = BUF_INIT;
    struct listing *l;
    struct error err;
    bool ok = true;

    buf_printf(&columns, "events_of %s events percent", d->field ? d->field : "agents");
    l = listing_new(columns.data);
    for (size_t i = 0; ok && i < settings->handler_count; i++) {
        if (strcmp(settings->handlers[i].type, "statistics") != 0)
            continue;
        ok = divide(s, d, &settings->handlers[i], &found[i], &err);
        list_figures(l, settings->handlers[i].name, &found[i]);
    }
    if (ok)
        print(s, l);
    for (size_t i = 0; i < settings->handler_count; i++) {
        if (ok)
            draw(s, settings->handlers[i].name, &found[i]);
        figures_release(&found[i]);
    }
    listing_free(l);
    buf_release(&columns);
    free(found);
    return ok ? EXIT_DONE : verb_failed(d->verb, &err);
}

int stats_show_values(const struct stats_call *s, const char *field, bool by_host)
{
    return show_division(s, &(struct division){by_host ? "stats referrer" : "stats country", field, by_host});
}

static bool has_word(const char *words, const char *wanted)
{
    const char *word;
    size_t length;

    while (text_word(&words, &word, &length))
        if (length == strlen(wanted) && memcmp(word, wanted, length) == 0)
            return true;
    return false;
}

/* What never came in is not in the shares. */
static void say_left_out(const struct settings *s)
{
    for (size_t i = 0; i < s->event_count; i++) {
        const struct event_settings *e = &s->events[i];

        if (has_word(e->prepare, "robots") && e->robots == LIST_DROP)
            fprintf(stderr, "robots are left out of %s at the door (robots = drop)\n", e->type);
        if (has_word(e->prepare, "machines") && e->machines == LIST_DROP)
            fprintf(stderr, "machines are left out of %s at the door (machines = drop)\n", e->type);
    }
}

int stats_show_agents(const struct stats_call *s)
{
    say_left_out(s->call->settings);
    return show_division(s, &(struct division){"stats robots", NULL, false});
}
