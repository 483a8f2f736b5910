/* base/http_link.h - one request of a link in two halves, for those who wait for several links at a time. */
#ifndef BASE_HTTP_LINK_H
#define BASE_HTTP_LINK_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/http.h"

/* Everything but the waiting; request and reply are lent until http_end, which says what http_send would. */
CURL *http_begin(struct http *h, const struct http_request *request, struct http_reply *reply);
bool http_end(struct http *h, CURLcode code, struct error *err) must_check;

#endif
