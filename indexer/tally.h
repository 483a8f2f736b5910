/* indexer/tally.h - what became of the items of all bulks, as numbers that the service keeps of itself. */
#ifndef INDEXER_TALLY_H
#define INDEXER_TALLY_H

#include <stdint.h>

#include "indexer/bulk.h"

enum { BULK_OUTCOMES = BULK_DEAD + 1 };

/* counts: items of each outcome. */
void tally_items(const int64_t counts[BULK_OUTCOMES]);

/* A reply that did not answer for the items sent: what became of them is unknown. */
void tally_unknown_reply(void);

#endif
