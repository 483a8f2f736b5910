/*
 * notifier/agents.h - what a user agent is by the rules of an [event] section: a person's, a robot's, a machine's.
 *
 * reference  robots and machines are two lists, applied with regard to case, apart from each other
 * cop51      machines are robots, too; without regard to case
 * coprd      a machine is no robot, unless the robots' list names something else in it; likewise
 *
 * Under cop51 and coprd the exceptions are taken out of a user agent before the robots' list is applied; under coprd
 * the words that the machines' list names, too. Lists are read anew when their file is replaced. What was decided is
 * remembered by hashes alone, in a table of fixed size. One thread at a time.
 */
#ifndef NOTIFIER_AGENTS_H
#define NOTIFIER_AGENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"

/* Questions, to be combined; what was not asked for is never true. */
enum { AGENTS_ROBOTS = 1, AGENTS_MACHINES = 2, AGENTS_IGNORED = 4 };

struct agent {
    bool robot, machine;
    bool ignored; /* on the list of those that are never counted */
};

enum { AGENT_CLASS_BYTES = 101 };

struct agents;

/* NULL: ERROR_CONFIG, a list that cannot be read. */
struct agents *agents_new(const struct event_settings *es, unsigned questions, struct error *err) must_check;
void agents_free(struct agents *a);

/* Whether the files are there that agents_new would read. */
bool agents_files_check(const struct event_settings *es, unsigned questions, struct error *err) must_check;

/* UTF-8. */
struct agent agents_judge(struct agents *a, const char *user_agent, size_t length);

/*
 * The class of a user agent: its products' names, without versions and without what tells a person's device, so that
 * another list can be applied to it later ("Mozilla compatible Googlebot"). Returns its length.
 */
size_t agents_class(struct agents *a, const char *user_agent, size_t length, char out[AGENT_CLASS_BYTES]);

/* What a user agent of that class is, by the lists as they are now. A pattern that asks for one version is not found.
 */
struct agent agents_judge_class(struct agents *a, const char *class, size_t length);

/* Tells one state of the robots' and machines' lists from another. Lent until the next call. */
const char *agents_version(struct agents *a);

#endif
