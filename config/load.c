#include "config/load.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/text.h"
#include "config/fill.h"
#include "config/hint.h"
#include "config/ini_file.h"
#include "config/mistakes.h"
#include "config/profile.h"
#include "config/section.h"
#include "config/value.h"

struct load {
    const struct ini_file *file;
    const struct config_outside *outside;
    const struct config_kind *kinds;
    const struct config_whole *wholes;
    const struct config_rule *rules;
    struct mistakes *mistakes;
    struct settings *settings;
    struct settings *spare; /* takes sections that are refused, so that their keys are checked all the same */
    int *lines;             /* of the sections without names, in the order of config_sections; 0: not given */
};

static const struct config_kind no_kinds[] = {{0}};
static const struct config_rule no_rules[] = {{0}};

/* -------------------------------------------------------------------------------------------------- handlers */

static const struct ini_key *key_find(const struct ini_section *in, const char *name)
{
    for (const struct ini_key *key = in->keys; key; key = key->next)
        if (text_same(key->name, name))
            return key;
    return NULL;
}

/* The row of the handler's type; NULL: not given, or no such type, which is noted. */
static const struct config_kind *kind_find(struct load *l, const struct ini_section *in)
{
    const struct ini_key *key = key_find(in, "type");
    const struct config_kind *kind = l->kinds;
    struct words known = WORDS_INIT;
    struct buf name = BUF_INIT, text = BUF_INIT;
    struct error err;

    if (!key || key->broken || !config_value_expand(key->value.data, &name, &err) || name.length == 0) {
        buf_release(&name);
        return NULL;
    }
    for (; kind->name && !text_same(kind->name, name.data); kind++)
        words_add(&known, kind->name);
    if (!kind->name) {
        buf_printf(&text, "type: there is no type \"%.80s\"", name.data);
        hint_add(&text, name.data, &known);
        mistake_add(l->mistakes, key->line, "%s", text.data);
    }
    words_release(&known);
    buf_release(&name);
    buf_release(&text);
    return kind->name ? kind : NULL;
}

static void queue_check(struct load *l, const struct fill *f, const struct handler_settings *h)
{
    const struct ini_key *key = key_find(f->in, "queue");
    struct words known = WORDS_INIT;
    struct buf text = BUF_INIT;
    bool found = !key || key->broken || !h->queue[0];

    for (const struct ini_section *in = l->file->sections; in && !found; in = in->next)
        if (text_same(in->kind, "queue")) {
            found = text_same(in->name, h->queue);
            words_add(&known, in->name);
        }
    if (!found) {
        buf_printf(&text, "queue: there is no [queue %.80s]", h->queue);
        hint_add(&text, h->queue, &known);
        mistake_add(l->mistakes, key->line, "%s", text.data);
    }
    words_release(&known);
    buf_release(&text);
}

static void handler_start(struct load *l, struct fill *f, struct handler_settings *h)
{
    const struct config_kind *kind = kind_find(l, f->in);

    if (!kind)
        return;
    f->kind = h->kind = kind;
    h->own = xcalloc(1, kind->size);
    config_defaults(kind->keys, h->own);
    fill_table_add(f, 1, kind->keys, h->own);
}

static void handler_end(struct load *l, const struct fill *f, struct handler_settings *h)
{
    queue_check(l, f, h);
    if (h->kind && (h->kind->traits & KIND_ONE_LANE))
        h->parallel = 1;
    if (h->kind && h->kind->schedule && !key_find(f->in, "schedule")) {
        free(h->schedule);
        h->schedule = xstrdup(h->kind->schedule);
    }
}

/* ------------------------------------------------------------------------------------------ sections of a file */

static const struct config_section *section_find(struct load *l, const struct ini_section *in)
{
    const struct config_section *section = config_section_find(in->kind);
    struct words known = WORDS_INIT;
    struct buf text = BUF_INIT;

    if (section)
        return section;
    for (section = config_sections; section->name; section++)
        words_add(&known, section->name);
    buf_printf(&text, "unknown section [%.80s]", in->kind);
    hint_add(&text, in->kind, &known);
    mistake_add(l->mistakes, in->line, "%s", text.data);
    words_release(&known);
    buf_release(&text);
    return NULL;
}

static bool name_check(struct load *l, const struct config_section *section, const struct ini_section *in)
{
    struct error err;

    if (!section->argument && in->name[0])
        mistake_add(l->mistakes, in->line, "[%s] takes no name: write [%s]", section->name, section->name);
    else if (section->argument && !in->name[0])
        mistake_add(l->mistakes, in->line, "[%s] needs a name: [%s %s]", section->name, section->name,
                    section->argument);
    else if (section->argument && !section->check_name(in->name, &err))
        mistake_add(l->mistakes, in->line, "%s", err.text);
    else
        return true;
    return false;
}

/* The line in which such a section stands already; 0: there is none. Notes this one's. */
static int line_before(struct load *l, const struct config_section *section, const struct ini_section *in)
{
    int *line = &l->lines[section - config_sections], before = *line;
    void *one;

    if (!section->argument) {
        *line = before ? before : in->line;
        return before;
    }
    for (size_t i = 0; (one = section->get(l->settings, i)); i++)
        if (text_same(section->name_of(one), in->name))
            return section->line_of(one);
    return 0;
}

static void *target_of(struct load *l, const struct config_section *section, const struct ini_section *in, bool good)
{
    struct settings *s = good ? l->settings : l->spare;
    void *target;

    if (!section->argument)
        return config_section_get(section, s, 0);
    target = section->add(s, in->name, in->line);
    config_defaults(section->keys, target);
    return target;
}

/* What only the section as a whole can tell; its keys are good by then. */
static void whole_check(struct load *l, const struct config_section *section, const struct ini_section *in,
                        const void *target)
{
    struct error err;

    for (const struct config_whole *whole = l->wholes; whole && whole->section; whole++)
        if (text_same(whole->section, section->name) && !whole->check(target, &err))
            mistake_add(l->mistakes, in->line, "%s", err.text);
}

static void section_fill(struct load *l, const struct config_section *section, const struct ini_section *in,
                         void *target, bool whole)
{
    struct handler_settings *h = text_same(section->name, "handler") ? target : NULL;
    size_t before = l->mistakes->count;
    struct fill f = {
        .in = in,
        .section = section,
        .kinds = l->kinds,
        .rules = l->rules,
        .arena = l->file->arena,
        .mistakes = l->mistakes,
    };

    fill_table_add(&f, 0, section->keys, target);
    if (h)
        handler_start(l, &f, h);
    fill_keys(&f);
    if (h)
        handler_end(l, &f, h);
    if (whole)
        fill_required_check(&f);
    if (l->mistakes->count == before)
        whole_check(l, section, in, target);
    fill_release(&f);
}

static void section_load(struct load *l, const struct ini_section *in)
{
    const struct config_section *section = in->broken ? NULL : section_find(l, in);
    struct buf label = BUF_INIT;
    int before;
    bool good;

    if (!section)
        return;
    good = name_check(l, section, in);
    before = good ? line_before(l, section, in) : 0;
    if (before) {
        section_add_label(&label, in);
        mistake_add(l->mistakes, in->line, "%s is given twice; the first is in line %d", label.data, before);
        buf_release(&label);
    }
    section_fill(l, section, in, target_of(l, section, in, good && !before), !before);
}

/* -------------------------------------------------------------------------------------------------- the whole */

static void opensearch_check(struct load *l)
{
    const struct opensearch_settings *o = &l->settings->opensearch;
    int line = l->lines[config_section_find("opensearch") - config_sections];

    if (o->password[0] && !o->user[0])
        mistake_add(l->mistakes, line, "[opensearch] has a password, but no user");
}

static void http_check(struct load *l)
{
    struct http_settings *h = &l->settings->http;

    h->line = l->lines[config_section_find("http") - config_sections];
    if (!h->certificate[0] != !h->private_key_file[0])
        mistake_add(l->mistakes, h->line, "[http] has %s, but no %s",
                    h->certificate[0] ? "a certificate" : "a private_key_file",
                    h->certificate[0] ? "private_key_file" : "certificate");
}

/* The address as the url says, with the password of its own key. The url was checked with its key. */
static void address_make(struct redis_address *a, const char *url, const char *password)
{
    struct error err;

    if (redis_address_parse(url, a, &err) && password[0]) {
        free(a->password);
        a->password = xstrdup(password);
    }
}

/* Both were checked with their keys. */
static void redis_make(struct settings *s)
{
    struct error ignored;

    address_make(&s->redis.address, s->redis.url, s->redis.password);
    if (s->platform.url[0])
        address_make(&s->platform.address, s->platform.url, s->platform.password);
    if (s->redis.sealing_key[0])
        s->redis.seal = seal_new(s->redis.sealing_key, &ignored);
}

static void handlers_fit(struct load *l)
{
    struct error err;

    for (size_t i = 0; i < l->settings->handler_count; i++)
        if (!l->outside->handler_fits(l->settings, &l->settings->handlers[i], &err))
            mistake_add(l->mistakes, l->settings->handlers[i].line, "%s", err.text);
}

static void file_load(struct load *l)
{
    for (const struct ini_section *in = l->file->sections; in; in = in->next)
        section_load(l, in);
    opensearch_check(l);
    http_check(l);
    if (l->mistakes->count == 0 && l->outside && l->outside->handler_fits)
        handlers_fit(l);
    if (l->mistakes->count == 0)
        redis_make(l->settings);
}

static size_t section_count(void)
{
    size_t count = 0;

    while (config_sections[count].name)
        count++;
    return count;
}

struct settings *settings_parse(const char *path, const char *text, size_t length, const struct config_outside *outside,
                                struct buf *mistakes, struct error *err)
{
    struct mistakes found;
    struct ini_file file;
    struct load l = {
        .file = &file,
        .outside = outside,
        .kinds = outside && outside->kinds ? outside->kinds : no_kinds,
        .rules = outside && outside->rules ? outside->rules : no_rules,
        .wholes = outside ? outside->wholes : NULL,
        .mistakes = &found,
    };

    mistakes_init(&found, path);
    ini_file_read(&file, text, length, &found);
    profiles_merge(&file, outside ? outside->profiles : NULL, &found);
    l.settings = settings_new(path);
    l.spare = settings_new(path);
    l.lines = xcalloc(section_count(), sizeof *l.lines);
    file_load(&l);
    if (found.count > 0) {
        mistakes_write(&found, mistakes);
        error_set(err, ERROR_CONFIG, "%s: %zu mistake%s", path, found.count, found.count > 1 ? "s" : "");
        settings_free(l.settings);
        l.settings = NULL;
    }
    free(l.lines);
    settings_free(l.spare);
    ini_file_release(&file);
    mistakes_release(&found);
    return l.settings;
}
