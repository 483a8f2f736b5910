/*
 * tests/race/verdict.h - whether every copy equals its subject, once all has come to rest.
 */
#ifndef TESTS_RACE_VERDICT_H
#define TESTS_RACE_VERDICT_H

#include <stdbool.h>

#include "race/platform.h"

/*
 * Every dependent of the database is in the index, at its own version and with its own content, and each copy in it is
 * its subject's highest revision (or what on_delete makes of it); no deleted one is. False: the trace says why not.
 */
bool verdict(const struct platform *p);

#endif
