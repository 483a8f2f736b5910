/*
 * tests/support/private_net.h - a network of the test's own, in which every address of the world answers: all of them
 * lead to this process, and names are told by it.
 *
 * So an address that is not reached was not tried. Needs a kernel that gives namespaces (as root, or to users).
 */
#ifndef TESTS_SUPPORT_PRIVATE_NET_H
#define TESTS_SUPPORT_PRIVATE_NET_H

#include <stdbool.h>
#include <stddef.h>

/* Enters it, for good: before the first thread. False: why says what the kernel refused. */
bool private_net_enter(const char **why);

/*
 * From now on names are told by answer, in a thread: addresses of a name for A (six: AAAA) queries, separated by
 * spaces, "": it has none, NULL: nothing is said. lookup: how many times the name was asked for by that kind before.
 */
typedef const char *(*private_net_names)(const char *name, bool six, size_t lookup);
void private_net_tell(private_net_names answer);

/* How many queries for the name came, of both kinds. */
size_t private_net_asked(const char *name);

#endif
