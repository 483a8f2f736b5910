/*
 * notifier/agent_class.h - the class of a user agent: the names of products in it, each once, separated by spaces.
 *
 * Versions go. Of a comment stay "compatible", the name after it, and parts that are nothing but a product
 * ("bingbot/2.0"): systems, devices, languages and addresses go.
 */
#ifndef NOTIFIER_AGENT_CLASS_H
#define NOTIFIER_AGENT_CLASS_H

#include <stddef.h>

#include "base/buf.h"

#define AGENT_CLASS_FIELD "agent_class" /* of data, and so of a document */

struct agent_class {
    char *text;
    size_t room, length;
};

void agent_class_start(struct agent_class *c);
void agent_class_add_products(struct agent_class *c, const char *user_agent, size_t length);

/* One name, as far as there is room; what is no letter, digit, space, '.', '-' or '_' in it is left out. */
void agent_class_add_name(struct agent_class *c, const char *name, size_t length);

/* The class with a version after each name ("Mozilla/1.1 Googlebot/1.1"), as patterns expect one. */
void agent_class_add_versions(const char *class, size_t length, struct buf *out);

#endif
