#include "handlers/mail/mail_templates.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "notifier/pattern.h"

enum { TEMPLATES_MOST = 2000, LANGUAGE_BYTES_MOST = 20 };

struct mail_templates {
    struct mail_template *items;
    size_t count;
    char *language; /* that stands in for others */
};

static bool is_language(const char *text, size_t length)
{
    if (length < 2 || length > LANGUAGE_BYTES_MOST || text[0] == '-' || text[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') || text[i] == '-'))
            return false;
    return true;
}

bool mail_language_check(const char *language, struct error *err)
{
    return is_language(language, strlen(language)) ||
           error_set(err, ERROR_CONFIG, "a language as en or pt-BR, as the names of templates have it");
}

/* ---------------------------------------------------------------------------------------------------- one file */

/* TYPE.LANGUAGE.txt or TYPE.LANGUAGE.html. */
struct file_name {
    struct span type, language;
    bool html;
};

static bool file_name_read(const char *name, struct file_name *out)
{
    const char *end = strrchr(name, '.'), *dot = end;

    if (!end || (strcmp(end, ".txt") != 0 && strcmp(end, ".html") != 0))
        return false;
    while (dot > name && *--dot != '.')
        continue;
    *out = (struct file_name){.html = strcmp(end, ".html") == 0};
    out->type = (struct span){name, (size_t)(dot - name)};
    out->language = (struct span){dot + 1, (size_t)(end - dot - 1)};
    return dot > name && is_language(out->language.text, out->language.length);
}

static struct mail_template *find(const struct mail_templates *t, struct span type, struct span language)
{
    for (size_t i = 0; i < t->count; i++)
        if (span_is(type, t->items[i].type) && span_is(language, t->items[i].language))
            return &t->items[i];
    return NULL;
}

static struct mail_template *find_or_add(struct mail_templates *t, const struct file_name *name)
{
    struct mail_template *m = find(t, name->type, name->language);

    if (m)
        return m;
    t->items = xrealloc(t->items, (t->count + 1) * sizeof *t->items);
    m = &t->items[t->count++];
    *m = (struct mail_template){.type = xstrndup(name->type.text, name->type.length),
                                .language = xstrndup(name->language.text, name->language.length)};
    return m;
}

/* "Subject: ..." and an empty line, then the text. */
static bool read_text(struct mail_template *m, struct span all, struct error *err)
{
    static const char subject[] = "Subject:";
    const char *end = memchr(all.text, '\n', all.length), *line = all.text + strlen(subject);
    size_t blank;

    if (!text_starts(all.text, subject) || !end)
        return error_set(err, ERROR_CONFIG, "1: the first line is to be Subject: and what it is about");
    blank = end[1] == '\r' ? 2 : 1;
    if (end[blank] != '\n')
        return error_set(err, ERROR_CONFIG, "2: the line after the subject is to be empty");
    line += strspn(line, " \t");
    m->subject = mail_text_new((struct span){line, (size_t)(end - line) - (end > line && end[-1] == '\r' ? 1 : 0)},
                               false, 1, err);
    if (m->subject)
        m->text = mail_text_new((struct span){end + blank + 1, all.length - (size_t)(end + blank + 1 - all.text)},
                                false, 3, err);
    return m->text;
}

static bool read_file(struct mail_templates *t, const char *path, const char *base, struct error *err)
{
    struct file_name name;
    struct buf text = BUF_INIT;
    struct error what = ERROR_INIT; /* "LINE: ..." */
    bool ok;

    if (!file_name_read(base, &name))
        return error_set(err, ERROR_CONFIG, "%s: its name is to be TYPE.LANGUAGE.txt or TYPE.LANGUAGE.html", path);
    ok = file_read(path, MAIL_TEXT_BYTES_MOST, &text, err);
    if (ok) {
        struct mail_template *m = find_or_add(t, &name);
        struct span all = {text.data, text.length};

        if (name.html)
            ok = (m->html = mail_text_new(all, true, 1, &what)) != NULL;
        else
            ok = read_text(m, all, &what);
        if (!ok)
            error_set(err, ERROR_CONFIG, "%s:%s", path, what.text);
    }
    buf_release(&text);
    return ok;
}

/* -------------------------------------------------------------------------------------------------- the folder */

static bool is_whole(const struct mail_templates *t, const char *folder, struct error *err)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct mail_template *m = &t->items[i];

        if (!m->text)
            return error_set(err, ERROR_CONFIG, "%s/%s.%s.txt: it is missing beside the .html", folder, m->type,
                             m->language);
        if (!find(t, span_of(m->type), span_of(t->language)))
            return error_set(err, ERROR_CONFIG, "%s/%s.%s.txt: it is missing: %s stands in for all languages", folder,
                             m->type, t->language, t->language);
    }
    return t->count > 0 || error_set(err, ERROR_CONFIG, "%s: there is no template", folder);
}

static bool is_aside(const char *name)
{
    return name[0] == '.' || name[strlen(name) - 1] == '~';
}

static bool read_folder(struct mail_templates *t, const char *folder, struct error *err)
{
    struct dirent **names;
    int count = scandir(folder, &names, NULL, alphasort);
    bool ok = count <= TEMPLATES_MOST || error_set(err, ERROR_CONFIG, "%s: more than %d files", folder, TEMPLATES_MOST);

    if (count < 0)
        return error_set(err, ERROR_CONFIG, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        struct buf path = BUF_INIT;

        buf_printf(&path, "%s/%s", folder, names[i]->d_name);
        ok = ok && (is_aside(names[i]->d_name) || read_file(t, path.data, names[i]->d_name, err));
        buf_release(&path);
        free(names[i]);
    }
    free(names);
    return ok && is_whole(t, folder, err);
}

struct mail_templates *mail_templates_new(const char *folder, const char *language, struct error *err)
{
    struct mail_templates *t = xcalloc(1, sizeof *t);

    t->language = xstrdup(language);
    if (read_folder(t, folder, err))
        return t;
    mail_templates_free(t);
    return NULL;
}

void mail_templates_free(struct mail_templates *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++) {
        free(t->items[i].type);
        free(t->items[i].language);
        mail_text_free(t->items[i].subject);
        mail_text_free(t->items[i].text);
        mail_text_free(t->items[i].html);
    }
    free(t->items);
    free(t->language);
    free(t);
}

const struct mail_template *mail_templates_find(const struct mail_templates *t, struct span type, const char *language)
{
    const struct mail_template *m = find(t, type, span_of(language));

    return m ? m : find(t, type, span_of(t->language));
}

bool mail_templates_cover(const struct mail_templates *t, const char *pattern)
{
    for (size_t i = 0; i < t->count; i++)
        if (patterns_match(pattern, span_of(t->items[i].type)))
            return true;
    return false;
}
