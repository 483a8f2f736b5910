/*
 * handlers/exec.h - events to a program of the operator's: a handler in any language, without a server.
 *
 * The program gets events as CloudEvents JSON, a line each, on its standard input, and says what became of each by a
 * line on its standard output (answer_one of handlers/outside/answer.h), in any order. What it writes to its standard
 * error is logged, a line each, at most 50 lines in 10 s. It runs as crier's user. It is kept for the next events or,
 * with `keep = no`, started for each parcel of them, whose end it sees as the end of its input. Where it ends early,
 * says nothing of use for `timeout` or says too much, it is ended with all that it started, and the events without
 * outcome come again (handlers/outside/trial.h says which of them lose a try).
 */
#ifndef HANDLERS_EXEC_H
#define HANDLERS_EXEC_H

#include "handlers/handler.h"

extern const struct handler_type exec_handler;

#endif
