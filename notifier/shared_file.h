/*
 * notifier/shared_file.h - a file in the form it is used in (compiled, mapped), shared by all threads that use it, and
 * made anew when the file is replaced.
 *
 * A new file that is broken leaves what was made of the one before in use, and is logged once. Files are to be replaced
 * by renaming: a mapped file that is written over in place is not safe. Each hold is for one thread at a time.
 */
#ifndef NOTIFIER_SHARED_FILE_H
#define NOTIFIER_SHARED_FILE_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"

/* What is made of a file; the address of the struct tells two forms of one file apart. */
struct file_form {
    void *(*make)(const char *path, struct error *err); /* NULL: ERROR_CONFIG, which names the file */
    void (*unmake)(void *made);
};

struct shared_file;

/* NULL: ERROR_CONFIG. */
struct shared_file *shared_file_hold(const char *path, const struct file_form *form, struct error *err) must_check;
void shared_file_release(struct shared_file *f); /* NULL is fine */

/* Lent until the next shared_file_renew. */
void *shared_file_made(const struct shared_file *f);

/* Looks for a new file, at most once a second; cheap to call for every event. True: what was made is another now. */
bool shared_file_renew(struct shared_file *f);

#endif
