/*
 * handlers/post.h - events to an HTTP endpoint of the platform: a handler in any language.
 *
 * A request is a POST of several events, in one of the forms of CloudEvents. Its webhook-id is the same where the same
 * events go together again, webhook-timestamp the seconds since 1970, and with a secret webhook-signature signs both
 * and the body (base/signature.h).
 *
 * What comes of the answer:
 *
 * - 2xx without body: all are done.
 * - 2xx with outcomes: each has its own (handlers/outside/answer.h); those without one are tried again.
 * - 400, 413, 422 and such: fewer at a time, until the one that is refused is alone: dead, with the server's words.
 * - 408, 429, 503: all again, not before Retry-After.
 * - 500, 502, 504, silence: likewise; one alone may be at fault (handlers/outside/trial.h).
 * - 401, 403, 404, 3xx and such: the handler pauses until the operator has put it right.
 */
#ifndef HANDLERS_POST_H
#define HANDLERS_POST_H

#include "handlers/handler.h"

extern const struct handler_type post_handler;

#endif
