#include <string.h>

#include "handlers/relation/member.h"
#include "handlers/relation/relation_parts.h"

/* What tells a copy from others: no other content may go there. */
static bool is_reserved(const struct match *m, const char *target)
{
    return member_paths_meet(target, m->id) || (m->revision && member_paths_meet(target, m->revision)) ||
           (m->tombstone && member_paths_meet(target, m->tombstone));
}

static bool target_fits(const struct relation *r, const struct match *m, const char *target, struct error *err)
{
    for (size_t i = 0; i < r->match_count; i++) {
        const struct match *other = &r->matches[i];

        if (is_reserved(other, target) && !(other == m && match_is_whole(m, target)))
            return error_set(err, ERROR_CONFIG,
                             "copy to \"%s\" would change the id, the revision or the tombstone of "
                             "the copy that match \"%s\" finds",
                             target, other->id);
    }
    return true;
}

/* Of two matches one inside the other, both might say what a field is to hold. */
static bool pair_fits(const struct relation *r, const struct match *a, const struct match *b, struct error *err)
{
    for (size_t i = 0; i < r->content_count; i++)
        for (size_t j = 0; a->targets[i] && j < r->content_count; j++)
            if (i != j && b->targets[j] && member_paths_meet(a->targets[i], b->targets[j]))
                return error_set(err, ERROR_CONFIG,
                                 "copy to \"%s\" for match \"%s\" and to \"%s\" for match \"%s\" are "
                                 "one and the same",
                                 a->targets[i], a->id, b->targets[j], b->id);
    return true;
}

bool relation_has_no_conflict(const struct relation *r, struct error *err)
{
    for (size_t i = 0; i < r->match_count; i++) {
        const struct match *m = &r->matches[i];

        for (size_t j = 0; j < r->content_count; j++)
            if (m->targets[j] && !target_fits(r, m, m->targets[j], err))
                return false;
        for (size_t j = 0; j < r->match_count; j++)
            if (i != j && !pair_fits(r, m, &r->matches[j], err))
                return false;
        if (m->tombstone && m->revision && member_paths_meet(m->tombstone, m->revision))
            return error_set(err, ERROR_CONFIG, "tombstone \"%s\" would change the copy's revision", m->tombstone);
    }
    return true;
}
