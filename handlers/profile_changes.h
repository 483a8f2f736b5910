/*
 * handlers/profile_changes.h - ready-made relations of InvenioRDM: which of its documents hold copies of what, for
 * handlers/profiles.c.
 */
#ifndef HANDLERS_PROFILE_CHANGES_H
#define HANDLERS_PROFILE_CHANGES_H

extern const char profile_users[], profile_groups[], profile_requests[], profile_communities[];
extern const char profile_affiliations[], profile_funders[], profile_awards[], profile_subjects[];
extern const char profile_vocabularies[];

#endif
