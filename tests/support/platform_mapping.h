/*
 * tests/support/platform_mapping.h - indices as InvenioRDM makes them: strict mappings, with the fields in which its
 * documents hold copies of users, groups, requests, communities and vocabularies, and the aliases of its searches.
 */
#ifndef TESTS_SUPPORT_PLATFORM_MAPPING_H
#define TESTS_SUPPORT_PLATFORM_MAPPING_H

#include "base/arena.h"

/* Bodies for the creation of an index, in the arena; kind ends the name of the narrower alias. */
const char *platform_members_mapping(struct arena *arena, const char *prefix, const char *kind); /* communitymembers */
const char *platform_records_mapping(struct arena *arena, const char *prefix, const char *kind); /* rdmrecords */

/* Of an index of the subjects' own documents (affiliations, vocabularies): any members, texts are keywords. */
extern const char platform_subjects_mapping[];

#endif
