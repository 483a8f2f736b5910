/* tests/support/text_file.h - files that a test writes for crier to read. */
#ifndef TESTS_SUPPORT_TEXT_FILE_H
#define TESTS_SUPPORT_TEXT_FILE_H

/* Puts folder/name, all at once in place of what was there. Its path, lent until the next call. */
char *text_file_put(const char *folder, const char *name, const char *text);

#endif
