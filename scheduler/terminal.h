/*
 * scheduler/terminal.h - the terminal that the service runs in the foreground of, and whether it is gone.
 *
 * A terminal that is closed sends SIGHUP, as who wants another configuration taken does: which of the two it was, the
 * terminal itself tells. The kernel takes it from its processes before it sends the signal.
 */
#ifndef SCHEDULER_TERMINAL_H
#define SCHEDULER_TERMINAL_H

#include <stdbool.h>

/*
 * Before the first thread. The process has one where it has a controlling terminal, it reads from or writes to a
 * terminal, and it was not told to ignore SIGHUP (nohup); also where it had one before it began anew.
 */
void terminal_know(void);

/* The process had one, and it is closed. */
bool terminal_is_closed(void);

#endif
