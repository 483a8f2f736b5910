/*
 * handlers/relation/relation_fits.h - a relation among the other sections of the ini file.
 *
 * Copies must not go round: what one writes into a document is copied out
 * of it by another, and so on back to the first, so that no content is anybody's own and a whole copy grows for ever.
 *
 * Known are the documents that a relation writes (`index`) and those its subjects are (`subjects`, else the index of
 * its [source]). From one word of `copy` to another it goes on where the first one's index is the other's subjects, and
 * the target of the first is, holds or lies in a field that the other reads. So a child may have its parent's title in
 * one and the same index (parent.title<-data.title), but not all of its parent (parent<-data). Where subjects are
 * not known, as with content that comes with the event, nothing is found.
 */
#ifndef HANDLERS_RELATION_RELATION_FITS_H
#define HANDLERS_RELATION_RELATION_FITS_H

#include "config/settings.h"
#include "handlers/relation/relation.h"

/*
 * Whether a handler, whose options begin with those of a relation, fits to the other sections: there is its [source],
 * and its copies do not go round. ERROR_CONFIG names the source that may be meant, or the way round.
 */
bool relation_fits(const struct settings *s, const struct handler_settings *hs, struct error *err);

/* Where its subjects' content comes from, as source_new; *source NULL: from the events. */
struct source;
bool relation_source(const struct relation_options *o, const struct settings *s, struct source **source,
                     struct error *err) must_check;

#endif
