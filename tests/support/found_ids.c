#include "support/found_ids.h"

#include "base/buf.h"
#include "base/json.h"

char *found_ids(const json_t *found)
{
    struct buf ids = BUF_INIT;

    buf_add_text(&ids, "");
    for (size_t i = 0; i < json_array_size(found); i++)
        buf_printf(&ids, "%s ", json_member_text(json_array_get(found, i), "id", "?"));
    return buf_take(&ids);
}
