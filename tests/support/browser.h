/*
 * tests/support/browser.h - a real browser without a window: Chromium, with a profile of its own, in a group of
 * processes of its own.
 */
#ifndef TESTS_SUPPORT_BROWSER_H
#define TESTS_SUPPORT_BROWSER_H

#include <stdbool.h>

struct browser;

/* Whether this machine has one: a test that needs it is skipped (77) where not. */
bool browser_there(void);

/* Opens a page. In the main thread: it ends with the thread that started it. */
struct browser *browser_open(const char *url);
void browser_close(struct browser *b); /* with all its processes; NULL is fine */

/* What it said of itself, for who has to tell why a test failed. */
void browser_print_log(const struct browser *b);

#endif
