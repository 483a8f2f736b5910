#include "notifier/emit.h"
#include "scheduler/searchable.h"
#include "scheduler/verbs.h"

int verb_emit(struct verb_call *call)
{
    return emit(call, searchable_once);
}
