/*
 * handlers/outside/answer.h - what a program outside says of the events it got.
 *
 * Of one: {"id":ID,"outcome":"done"|"retry"|"dead","reason":TEXT}, where the reason may be absent. Of several: an array
 * of these, by itself or as the member "outcomes" of an object; where every element is without id, there is one for
 * each event, in their order. Other members are left aside. What is said first of an event counts.
 */
#ifndef HANDLERS_OUTSIDE_ANSWER_H
#define HANDLERS_OUTSIDE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/outside/parcel.h"

/* Both give events their outcomes. ERROR_INPUT: it is not understood; events that were named before it have theirs. */
bool answer_one(struct parcel *p, const char *bytes, size_t length, struct error *err) must_check;
bool answer_all(struct parcel *p, const char *bytes, size_t length, struct error *err) must_check;

#endif
