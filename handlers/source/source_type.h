/* handlers/source/source_type.h - what a type of source is: a struct of functions, and a word in source.c. */
#ifndef HANDLERS_SOURCE_SOURCE_TYPE_H
#define HANDLERS_SOURCE_SOURCE_TYPE_H

#include "handlers/source/source.h"

struct source {
    const struct source_type *type;
    const struct settings *settings;
    const struct source_settings *options;
    void *state;            /* the type's, made by open */
    int64_t quiet_until_ms; /* monotonic; it is not asked before */
};

struct source_type {
    bool (*check)(const struct source_settings *o, struct error *err); /* whether the keys fit together */
    void (*open)(struct source *x);
    void (*close)(struct source *x);

    /*
     * As in source.h; out is filled with ids and nothing found. ERROR_INPUT of several ids: asked for by halves, until
     * the one that is refused is alone.
     */
    bool (*get)(struct source *x, const struct span *ids, size_t count, struct arena *arena,
                struct source_document *out, struct error *err);
    bool (*page)(struct source *x, struct source_walk *walk, struct arena *arena, struct source_document **out,
                 size_t *count, struct error *err);
    bool (*count)(struct source *x, int64_t since_us, int64_t *count, struct error *err);
};

extern const struct source_type source_http, source_index, source_postgres;

/* The source asked to be left alone so long. */
void source_be_quiet(struct source *x, int64_t wait_ms);

/* What a document is made of, found in compact text by the section's paths. */
struct source_paths {
    const char *id, *version, *document, *routing; /* id and routing "": not looked for */
};

/*
 * Fills in everything but the id, and that too where paths->id is not "". The text is the arena's. What cannot be used
 * is said in out->wrong.
 */
void source_read(const struct source_paths *paths, struct span text, struct arena *arena, struct source_document *out);

#endif
