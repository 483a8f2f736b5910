/*
 * base/error.h - what went wrong, said to the one who can help.
 *
 * A function that may fail returns bool and fills the caller's struct error, always its last argument. The text
 * gains context on its way up ("where: " before it). Only code with nobody above it logs.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"

enum error_kind {
    ERROR_NONE,
    ERROR_AGAIN,  /* time helps: a peer is gone, busy or full */
    ERROR_INPUT,  /* the sender helps: what came in is wrong */
    ERROR_CONFIG, /* the operator helps: settings, permissions, files */
};

struct error {
    enum error_kind kind;
    char text[512];
    int64_t wait_ms; /* so long the peer asked to be left alone; 0: it did not say */
};

#define ERROR_INIT                                                                                                     \
    {                                                                                                                  \
        ERROR_NONE, "", 0                                                                                              \
    }

/* Both return false, so that a failing function can end with them. */
bool error_set(struct error *err, enum error_kind kind, const char *format, ...) printf_like(3, 4);
bool error_in(struct error *err, const char *format, ...) printf_like(2, 3);

/* The process's exit code for an error that ends it: 69 peer unreachable, 78 configuration, else 1. */
int error_exit_code(const struct error *err);

/* Exit codes of every verb. */
enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_PART_FAILED = 3,
    EXIT_UNREACHABLE = 69,
    EXIT_CONFIGURATION = 78,
};

#endif
