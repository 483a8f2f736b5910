/* What can happen next in a schedule, and how often it does. */
#include "base/clock.h"
#include "race/links.h"
#include "race/race_parts.h"

enum {
    DUMP_TURNS = 40,  /* that a dump is under way at most */
    SLEEP_TURNS = 12, /* that a process sleeps at most */
    HURRY = 4,        /* turns after which a request that is not slept over is due */
};

enum move_kind {
    MOVE_CHANGE,
    MOVE_LAND,
    MOVE_GO,
    MOVE_KILL,
    MOVE_SLEEP,
    MOVE_PASS,
    MOVE_CLAIM, /* a pass over events that another has in hand and is slow with */
    MOVE_CLOCK,
    MOVE_REFRESH,
    MOVE_LEAP, /* time passes, until second looks are due; nobody is under way */
};

struct move {
    enum move_kind kind;
    size_t which; /* member of the crew, or task */
};

enum { MOVES_MOST = TASKS_MOST + 4 * CREW + 8 };

struct moves {
    struct move list[MOVES_MOST];
    unsigned weights[MOVES_MOST];
    size_t count;
};

static void add_move(struct moves *m, enum move_kind kind, size_t which, unsigned weight)
{
    m->list[m->count] = (struct move){kind, which};
    m->weights[m->count++] = weight;
}

static bool works(const struct race *r, size_t member)
{
    return actor_works(r->crew->members[member].actor);
}

static bool anybody_works(const struct race *r)
{
    for (size_t i = 0; i < CREW; i++)
        if (works(r, i))
            return true;
    return false;
}

static bool has_clock(const struct race *r)
{
    return crew_has_clock(r->crew) && !r->plan->no_second_look;
}

static void add_landings(const struct race *r, struct moves *moves)
{
    for (size_t i = 0; i < TASKS_MOST; i++)
        if (r->platform.tasks[i].used)
            add_move(moves, MOVE_LAND, i, 2);
}

bool race_is_at_rest(const struct race *r)
{
    return r->changes_left <= 0 && r->clocks_left <= 0 && !anybody_works(r) && platform_tasks(&r->platform) == 0 &&
           crew_waiting(r->crew, false) == 0;
}

/* ------------------------------------------------------------------------------------------------------ by chance */

static void add_work(const struct race *r, struct moves *moves, size_t member)
{
    const struct crew_member *m = &r->crew->members[member];

    if (works(r, member)) {
        if (m->sleeps_until > r->trace.turn)
            return;
        add_move(moves, MOVE_GO, member, 30);
        if (!m->slept)
            add_move(moves, MOVE_SLEEP, member, 2);
        if (r->crew->kills < r->plan->kills)
            add_move(moves, MOVE_KILL, member, 1);
    } else if (m->by_clock) {
        if (has_clock(r))
            add_move(moves, MOVE_CLOCK, member, 4);
    } else if (crew_waiting(r->crew, false) > 0) {
        add_move(moves, MOVE_PASS, member, 12);
    } else if (crew_waiting(r->crew, true) > 0) {
        add_move(moves, MOVE_CLAIM, member, 2);
    }
}

static void add_any(const struct race *r, struct moves *moves)
{
    bool room = platform_tasks(&r->platform) < TASKS_MOST && r->platform.change_count + 2 < CHANGES_MOST;

    if (r->changes_left > 0 && room)
        add_move(moves, MOVE_CHANGE, 0, 8);
    add_landings(r, moves);
    for (size_t i = 0; i < CREW; i++)
        add_work(r, moves, i);
    if (!anybody_works(r) && platform_tasks(&r->platform) == 0)
        add_move(moves, MOVE_LEAP, 0, 6);
    add_move(moves, MOVE_REFRESH, 0, 6);
}

/* What has waited for long is done now. */
static bool is_overdue(const struct race *r, struct move *out)
{
    for (size_t i = 0; i < TASKS_MOST; i++)
        if (r->platform.tasks[i].used && r->trace.turn - r->platform.tasks[i].taken >= DUMP_TURNS) {
            *out = (struct move){MOVE_LAND, i};
            return true;
        }
    for (size_t i = 0; i < CREW; i++) {
        const struct crew_member *m = &r->crew->members[i];

        if (works(r, i) && m->sleeps_until <= r->trace.turn && r->trace.turn - m->waits_since >= HURRY) {
            *out = (struct move){MOVE_GO, i};
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------------------------------------------- every order */

/* The one that ran goes on as long as no other may take its turn, where turns are counted. */
static bool keeps_turn(const struct race *r, size_t member)
{
    return r->plan->switches == 0 || r->switches_left > 0 || r->ran_last == member || r->ran_last == CREW ||
           !works(r, r->ran_last);
}

static void add_every_work(const struct race *r, struct moves *moves, size_t member)
{
    const struct crew_member *m = &r->crew->members[member];

    if (!keeps_turn(r, member))
        return;
    if (works(r, member)) {
        add_move(moves, MOVE_GO, member, 1);
        if (r->crew->kills < r->plan->kills)
            add_move(moves, MOVE_KILL, member, 1);
    } else if (m->by_clock && r->clocks_left > 0 && (r->plan->kills == 0 || crew_waiting(r->crew, true) == 0)) {
        add_move(moves, MOVE_CLOCK, member, 1);
    } else if (!m->by_clock && member == 0 && crew_waiting(r->crew, false) > 0) {
        add_move(moves, MOVE_PASS, member, 1);
    }
}

static void add_every(const struct race *r, struct moves *moves)
{
    if (r->changes_left > 0)
        add_move(moves, MOVE_CHANGE, 0, 1);
    add_landings(r, moves);
    for (size_t i = 0; i < CREW; i++)
        add_every_work(r, moves, i);
    if (r->refreshes_left > 0)
        add_move(moves, MOVE_REFRESH, 0, 1);
}

/* --------------------------------------------------------------------------------------------------------- a move */

void race_pass_time(struct race *r, int64_t seconds)
{
    r->now_us += seconds * US_PER_SECOND;
    links_set_time(r->now_us);
    if (links_time_is_asked())
        links_keep_time(r->scene->redis);
}

static void change(struct race *r)
{
    r->changes_left--;
    if (r->plan->scenario == SCENARIO_ANY)
        platform_change(&r->platform);
    else
        platform_change_subject(&r->platform, 0);
}

static void sleep_over(struct race *r, struct crew_member *m)
{
    m->slept = true;
    m->sleeps_until = r->trace.turn + 1 + (long)choose(r->choice, SLEEP_TURNS);
    m->waits_since = m->sleeps_until;
    trace_line(&r->trace, actor_name(m->actor), "sleeps until turn %ld", m->sleeps_until);
}

static void go_on(struct race *r, size_t member, enum order order)
{
    r->switches_left -= r->ran_last != CREW && r->ran_last != member && works(r, r->ran_last);
    r->ran_last = member;
    crew_go(r->crew, member, order);
    if (r->crew->members[member].by_clock && !works(r, member) && order == ORDER_GO)
        r->clocks_left--;
}

/* Killed on its way, or not; then it begins again. */
static void kill_one(struct race *r, size_t member)
{
    r->crew->kills++;
    go_on(r, member, choose(r->choice, 2) ? ORDER_CUT_BEFORE : ORDER_CUT_AFTER);
}

static void make_move(struct race *r, struct move move)
{
    switch (move.kind) {
    case MOVE_CHANGE:
        change(r);
        break;
    case MOVE_LAND:
        platform_land(&r->platform, move.which);
        break;
    case MOVE_GO:
        go_on(r, move.which, ORDER_GO);
        break;
    case MOVE_KILL:
        kill_one(r, move.which);
        break;
    case MOVE_SLEEP:
        sleep_over(r, &r->crew->members[move.which]);
        break;
    case MOVE_PASS:
    case MOVE_CLAIM:
    case MOVE_CLOCK:
        crew_start(r->crew, move.which, move.kind == MOVE_CLAIM);
        break;
    case MOVE_REFRESH:
        r->refreshes_left--;
        trace_line(&r->trace, "refresh", "of the index");
        platform_refresh(&r->platform);
        break;
    case MOVE_LEAP:
        trace_line(&r->trace, "time", "passes: %d s", SECOND_LOOK_S);
        race_pass_time(r, SECOND_LOOK_S);
        break;
    }
}

/* Redis loses what the handler keeps. */
static void forget(struct race *r)
{
    trace_line(&r->trace, "Redis", "forgets all");
    scene_redis(r->scene, "FLUSHDB");
    links_keep_time(r->scene->redis);
}

void race_turn(struct race *r)
{
    struct moves moves = {.count = 0};
    struct move move;
    bool any = r->plan->scenario == SCENARIO_ANY;

    r->trace.turn++;
    race_pass_time(r, 1);
    if (r->plan->forgets && chance(r->choice, 20))
        forget(r);
    if (!any || !is_overdue(r, &move)) {
        (any ? add_any : add_every)(r, &moves);
        move = moves.list[choose_weighted(r->choice, moves.weights, moves.count)];
    }
    make_move(r, move);
}
