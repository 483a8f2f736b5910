/* notifier/access_log/access_log_text.h - what a web server wrote, back as the client said it. */
#ifndef NOTIFIER_ACCESS_LOG_ACCESS_LOG_TEXT_H
#define NOTIFIER_ACCESS_LOG_ACCESS_LOG_TEXT_H

#include "base/buf.h"
#include "base/text.h"

/* Text as the client sent it: \xHH, \" and \\ (nginx, Apache) undone; what is not UTF-8 becomes U+FFFD. */
void access_text_add(struct span written, struct buf *out);

/* The same for a part of a path: %HH undone. */
void access_path_add(struct span written, struct buf *out);

#endif
