#include "notifier/service_action.h"

#include <string.h>

const struct service_action service_actions[] = {
    {"aggregations.computed",   "aggregates are computed, by `crier aggregations run`"                   },
    {"aggregations.deleted",    "aggregates of a range are deleted"                                      },
    {"audit.expired",           "entries whose time was over are deleted from the index"                 },
    {"audit.searched",          "somebody reads the audit; what was asked for"                           },
    {"configuration.loaded",    "the service begins with a configuration other than before"              },
    {"configuration.refused",   "the service was to take its configuration anew, which is wrong"         },
    {"copies.repaired",         "copies that were behind, and that nobody told of, are repaired"         },
    {"dead.dropped",            "a dead letter is dropped"                                               },
    {"dead.retried",            "a dead letter is tried again"                                           },
    {"events.replayed",         "events of the past are sent through handlers again"                     },
    {"group.forgotten",         "the group of a handler that is gone is removed, with what waited for it"},
    {"group.remade",            "Redis lost the group of a handler, which is made anew"                  },
    {"handler.ran",             "what the runs of a handler by the clock did"                            },
    {"handler.run",             "a handler works off what waits, by `crier run`"                         },
    {"history.expired",         "events whose time was over are deleted from the history"                },
    {"index.merge_cancelled",   "making indices longer is given up"                                      },
    {"index.merged",            "indices of statistics become longer ones"                               },
    {"lease.lost",              "a process that led does not lead any more"                              },
    {"lease.taken",             "a process leads from now on"                                            },
    {"log.imported",            "events are made of the access logs of web servers"                      },
    {"mail.preference_set",     "how many mails an address gets is another"                              },
    {"mail.tested",             "a mail that tries the server"                                           },
    {"outbox.dropped",          "a row of an outbox that can be no event is deleted"                     },
    {"outbox.retried",          "a row of an outbox that could be no event is tried again"               },
    {"reindex.cancelled",       "filling an index anew is given up"                                      },
    {"reindex.failed",          "filling an index anew came to a stop; why"                              },
    {"reindex.finished",        "an index is filled anew"                                                },
    {"reindex.resumed",         "filling an index anew goes on"                                          },
    {"reindex.started",         "filling an index anew begins"                                           },
    {"report.sent",             "a report of usage goes to the hub"                                      },
    {"statistics.exported",     "statistics are written to files"                                        },
    {"statistics.imported",     "statistics come from files"                                             },
    {"statistics.reclassified", "who was a robot is judged anew"                                         },
    {"statistics.restated",     "a month is counted anew"                                                },
    {"token.created",           "a token for the door is made"                                           },
    {"token.revoked",           "a token for the door is taken back"                                     },
    {"webhook.created",         "a subscription to webhooks is made"                                     },
    {"webhook.disabled",        "a target of webhooks is turned off; why"                                },
    {"webhook.failing",         "a target of webhooks has failed for so long that its owner should know" },
    {"webhook.paused",          "a target of webhooks is paused"                                         },
    {"webhook.removed",         "a subscription to webhooks is removed"                                  },
    {"webhook.resent",          "a webhook is sent again"                                                },
    {"webhook.resumed",         "a target of webhooks is turned on again"                                },
    {"webhook.rotated",         "a subscription gets a new secret, or loses its old one"                 },
    {"webhook.sealed",          "what a subscription keeps secret is encrypted by the newest key"        },
    {"webhook.tested",          "an event that tries a target of webhooks"                               },
    {NULL,                      NULL                                                                     },
};

bool service_action_is(const char *name)
{
    size_t i = 0;

    while (service_actions[i].name && strcmp(service_actions[i].name, name) != 0)
        i++;
    return service_actions[i].name != NULL;
}
