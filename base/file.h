/* base/file.h - whole small files, and writes that are all or an error. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"

/* Appends the file's bytes to out; longer than most is an error. ERROR_CONFIG, with path and the system's word. */
bool file_read(const char *path, size_t most, struct buf *out, struct error *err) must_check;

/* All bytes, over short writes and EINTR. ERROR_AGAIN with the system's word. */
bool file_write_all(int fd, const char *bytes, size_t length, struct error *err) must_check;

/* Names made, changed or removed in a folder last from here on. ERROR_AGAIN. */
bool file_folder_sync(const char *folder, struct error *err) must_check;

/* On disk, then under its name, for good: what was written beside it, and the folder. ERROR_AGAIN. */
bool file_settle(int fd, const char *beside, const char *path, struct error *err) must_check;

/* A small file in place of what is there: whoever reads it meanwhile has the old one or the new one, never a part. */
bool file_replace(const char *path, mode_t mode, const char *bytes, size_t length, struct error *err) must_check;

/* A file that ships with crier ("robots.txt"): in CRIER_DATA, beside the program (../share/crier), or where it was
 * installed. The path is written to out; false: nowhere. */
bool file_shipped(const char *name, char *out, size_t size) must_check;

#endif
