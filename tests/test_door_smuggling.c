/*
 * Requests that two programs on one way may read in two ways: each is refused or cut off, and what stands behind it is
 * never taken for a request of its own. And what only looks like one of them is answered, in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "support/door_client.h"
#include "support/message.h"

enum { REPLIES_BYTES = 512 * 1024, WAIT_S = 30, PIPELINED = 1000 };

#define EVENT_BODY "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"user.updated\"}"
#define HOST       "Host: localhost\r\n"
#define CE         "Content-Type: application/cloudevents+json\r\n"
#define POST       "POST /events HTTP/1.1\r\n"
#define LENGTH     "Content-Length: 66\r\n"
#define CHUNKS     "Transfer-Encoding: chunked\r\n"
#define WHOLE      "\r\n" EVENT_BODY
#define CHUNKED    "\r\n42\r\n" EVENT_BODY "\r\n0\r\n\r\n"
#define BEHIND     "GET /hello HTTP/1.1\r\nHost: behind\r\nConnection: close\r\n\r\n"
#define BYTES(x)   x, sizeof(x) - 1

_Static_assert(sizeof EVENT_BODY - 1 == 66, "as LENGTH and CHUNKED say");

/* What differs stands between POST, Host and type, and a body of that form. */
#define WITH_LENGTH(headers) BYTES(POST HOST CE headers WHOLE)
#define WITH_CHUNKS(headers) BYTES(POST HOST CE headers CHUNKED)
#define IN_CHUNKS(body)      BYTES(POST HOST CE CHUNKS "\r\n" body)
#define LINE(line)           BYTES(line "\r\n" HOST CE LENGTH WHOLE)
#define HOSTS(hosts)         BYTES(POST hosts CE LENGTH WHOLE)

struct sent {
    const char *name, *bytes;
    size_t length;
};

static int connect_to(struct door_client *c)
{
    struct sockaddr_in to;
    int fd = socket_loopback(&to, door_port(c->door));
    struct timeval wait = {WAIT_S, 0};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* All that comes until the end. */
static const char *read_all(int fd)
{
    static char text[REPLIES_BYTES];
    size_t length = 0;
    ssize_t got;

    while (length < sizeof text - 1 && (got = recv(fd, text + length, sizeof text - 1 - length, 0)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    return text;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    while ((text = strstr(text, part))) {
        text += strlen(part);
        count++;
    }
    return count;
}

/* The request and another behind it, on one connection that is ended for writing. */
static const char *answers_to(struct door_client *c, const struct sent *sent)
{
    int fd = connect_to(c);
    const char *text;

    socket_send(fd, sent->bytes, sent->length);
    socket_send(fd, BYTES(BEHIND));
    shutdown(fd, SHUT_WR);
    text = read_all(fd);
    close(fd);
    return text;
}

/* ------------------------------------------------------------------------------------------------------ refused */

static const struct sent doubtful[] = {
    {"a length and chunks",                    WITH_CHUNKS(LENGTH CHUNKS)                                   },
    {"chunks and a length",                    WITH_LENGTH(CHUNKS LENGTH)                                   },
    {"chunks with a space before the colon",   WITH_CHUNKS("Transfer-Encoding : chunked\r\n")               },
    {"chunks with a tab before the colon",     WITH_CHUNKS("Transfer-Encoding\t: chunked\r\n")              },
    {"another encoding",                       WITH_CHUNKS("Transfer-Encoding: xchunked\r\n")               },
    {"a list of encodings",                    WITH_CHUNKS("Transfer-Encoding: gzip, chunked\r\n")          },
    {"a list that ends otherwise",             WITH_CHUNKS("Transfer-Encoding: chunked, identity\r\n")      },
    {"a list with an empty end",               WITH_CHUNKS("Transfer-Encoding: chunked,\r\n")               },
    {"a list with an empty beginning",         WITH_CHUNKS("Transfer-Encoding: ,chunked\r\n")               },
    {"no encoding",                            WITH_LENGTH("Transfer-Encoding: identity\r\n" LENGTH)        },
    {"an empty encoding",                      WITH_LENGTH("Transfer-Encoding:\r\n" LENGTH)                 },
    {"a quoted encoding",                      WITH_CHUNKS("Transfer-Encoding: \"chunked\"\r\n")            },
    {"an encoding with a vertical tab",        WITH_CHUNKS("Transfer-Encoding: \x0b"
                                                    "chunked\r\n")   },
    {"an encoding with a form feed",           WITH_CHUNKS("Transfer-Encoding: chunked\x0c\r\n")            },
    {"an encoding with a parameter",           WITH_CHUNKS("Transfer-Encoding: chunked;a=b\r\n")            },
    {"an encoding twice",                      WITH_CHUNKS(CHUNKS CHUNKS)                                   },
    {"two encodings",                          WITH_CHUNKS(CHUNKS "Transfer-Encoding: x\r\n")               },
    {"an encoding in the next line",           WITH_CHUNKS("Transfer-Encoding:\r\n chunked\r\n")            },
    {"an encoding that goes on",               WITH_CHUNKS("Transfer-Encoding: chun\r\n\tked\r\n")          },
    {"an encoding behind a carriage return",   WITH_LENGTH("X: y\rTransfer-Encoding: chunked\r\n" LENGTH)   },
    {"an encoding of the old version",         BYTES("POST /events HTTP/1.0\r\n" HOST CE CHUNKS CHUNKED)    },
    {"a length twice",                         WITH_LENGTH(LENGTH LENGTH)                                   },
    {"two lengths",                            WITH_LENGTH(LENGTH "Content-Length: 3\r\n")                  },
    {"two lengths the other way",              WITH_LENGTH("Content-Length: 3\r\n" LENGTH)                  },
    {"a length with a plus",                   WITH_LENGTH("Content-Length: +66\r\n")                       },
    {"a length below nothing",                 WITH_LENGTH("Content-Length: -66\r\n")                       },
    {"a hexadecimal length",                   WITH_LENGTH("Content-Length: 0x42\r\n")                      },
    {"a list of lengths",                      WITH_LENGTH("Content-Length: 66, 66\r\n")                    },
    {"two lengths in a header",                WITH_LENGTH("Content-Length: 66 66\r\n")                     },
    {"a length with a letter",                 WITH_LENGTH("Content-Length: 66x\r\n")                       },
    {"a length with a fraction",               WITH_LENGTH("Content-Length: 66.0\r\n")                      },
    {"a length with an exponent",              WITH_LENGTH("Content-Length: 6e1\r\n")                       },
    {"a quoted length",                        WITH_LENGTH("Content-Length: \"66\"\r\n")                    },
    {"an empty length",                        WITH_LENGTH("Content-Length: \r\n")                          },
    {"a length beyond all numbers",            WITH_LENGTH("Content-Length: 18446744073709551682\r\n")      },
    {"a length with a space before the colon", WITH_LENGTH("Content-Length : 66\r\n")                       },
    {"a length with a tab before the colon",   WITH_LENGTH("Content-Length\t: 66\r\n")                      },
    {"a length in the next line",              WITH_LENGTH("Content-Length:\r\n 66\r\n")                    },
    {"a length that goes on",                  WITH_LENGTH("Content-Length: 6\r\n 6\r\n")                   },
    {"a length with a NUL in its name",        WITH_LENGTH("Content\0-Length: 66\r\n")                      },
    {"a length with a vertical tab",           WITH_LENGTH("Content-Length: \x0b"
                                                 "66\r\n")              },
    {"a header without a colon",               WITH_LENGTH("Foo\r\n" LENGTH)                                },
    {"a header without a name",                WITH_LENGTH(": x\r\n" LENGTH)                                },
    {"a header of two words",                  WITH_LENGTH("Foo bar: x\r\n" LENGTH)                         },
    {"a header with a space before the colon", WITH_LENGTH("Foo : x\r\n" LENGTH)                            },
    {"a control character in a name",          WITH_LENGTH("F\x01oo: a\r\n" LENGTH)                         },
    {"a control character in a value",         WITH_LENGTH("Foo: a\x01z\r\n" LENGTH)                        },
    {"a deletion in a value",                  WITH_LENGTH("Foo: a\x7fz\r\n" LENGTH)                        },
    {"a carriage return in a value",           WITH_LENGTH("Foo: a\rb\r\n" LENGTH)                          },
    {"a letter beyond ASCII in a name",        WITH_LENGTH("F\xc3\xb6o: a\r\n" LENGTH)                      },
    {"a bracket in a name",                    WITH_LENGTH("Foo(x): a\r\n" LENGTH)                          },
    {"a slash in a name",                      WITH_LENGTH("Foo/x: a\r\n" LENGTH)                           },
    {"no host",                                HOSTS("")                                                    },
    {"two hosts",                              HOSTS(HOST "Host: b\r\n")                                    },
    {"the same host twice",                    HOSTS(HOST HOST)                                             },
    {"a list of hosts",                        HOSTS("Host: a, b\r\n")                                      },
    {"hosts side by side",                     HOSTS("Host: a b\r\n")                                       },
    {"a host with a user",                     HOSTS("Host: a@b\r\n")                                       },
    {"a host with a path",                     HOSTS("Host: a/b\r\n")                                       },
    {"a host with a query",                    HOSTS("Host: a?b\r\n")                                       },
    {"a host with a scheme",                   HOSTS("Host: http://a\r\n")                                  },
    {"a chunk longer than it says",            IN_CHUNKS("3f\r\n" EVENT_BODY "\r\n0\r\n\r\n")               },
    {"a chunk without an end",                 IN_CHUNKS("42\r\n" EVENT_BODY "0\r\n\r\n")                   },
    {"a chunk with a space behind",            IN_CHUNKS("42 \r\n" EVENT_BODY "\r\n0\r\n\r\n")              },
    {"a chunk with a space before",            IN_CHUNKS(" 42\r\n" EVENT_BODY "\r\n0\r\n\r\n")              },
    {"a chunk of 0x",                          IN_CHUNKS("0x42\r\n" EVENT_BODY "\r\n0\r\n\r\n")             },
    {"a chunk with a plus",                    IN_CHUNKS("+42\r\n" EVENT_BODY "\r\n0\r\n\r\n")              },
    {"a chunk below nothing",                  IN_CHUNKS("-1\r\n" EVENT_BODY "\r\n0\r\n\r\n")               },
    {"a chunk beyond all numbers",             IN_CHUNKS("10000000000000042\r\n" EVENT_BODY "\r\n0\r\n\r\n")},
    {"a chunk of no length",                   IN_CHUNKS("\r\n" EVENT_BODY "\r\n0\r\n\r\n")                 },
    {"a chunk with an underscore",             IN_CHUNKS("4_2\r\n" EVENT_BODY "\r\n0\r\n\r\n")              },
    {"a chunk with a letter",                  IN_CHUNKS("42g\r\n" EVENT_BODY "\r\n0\r\n\r\n")              },
    {"a chunk with a NUL",                     IN_CHUNKS("42\0\r\n" EVENT_BODY "\r\n0\r\n\r\n")             },
    {"a chunk of carriage returns",            IN_CHUNKS("42\r" EVENT_BODY "\r0\r\r")                       },
    {"a request of the first version",         BYTES("GET /hello\r\n\r\n")                                  },
    {"the same with a space",                  BYTES("GET /hello \r\n\r\n")                                 },
    {"another protocol",                       LINE("POST /events http/1.1")                                },
    {"a version that is none",                 LINE("POST /events HTTP/1.1 ")                               },
    {"a version below",                        LINE("POST /events HTTP/0.9")                                },
    {"a version above",                        LINE("POST /events HTTP/2.0")                                },
    {"tabs in the first line",                 LINE("POST\t/events\tHTTP/1.1")                              },
    {"vertical tabs in the first line",        LINE("POST\x0b/events\x0bHTTP/1.1")                          },
    {"a space in the path",                    LINE("POST /ev ents HTTP/1.1")                               },
    {"a space before all",                     LINE(" POST /events HTTP/1.1")                               },
    {"a carriage return for a line",           BYTES("POST /events HTTP/1.1\r" HOST CE LENGTH WHOLE)        },
    {"an address of another host",             LINE("POST http://b/events HTTP/1.1")                        },
    {"an address of the host",                 LINE("POST http://a/events HTTP/1.1")                        },
    {"an address without a path",              LINE("POST events HTTP/1.1")                                 },
    {"a tunnel",                               BYTES("CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n")               },
    {"a star",                                 BYTES("OPTIONS * HTTP/1.1\r\n" HOST "\r\n")                  },
};

static void what_can_be_read_in_two_ways_is_refused_and_ends_the_connection(void **state)
{
    struct door_client *c = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(doubtful); i++) {
        const char *text = answers_to(c, &doubtful[i]);

        if (strstr(text, "HTTP/1.1 2") || strstr(text, "hello") || strstr(text, "HTTP/1.1 3"))
            fail_msg("%s is answered %s", doubtful[i].name, text);
        if (*text && !strstr(text, "Connection: close"))
            fail_msg("%s may go on: %s", doubtful[i].name, text);
    }
    assert_int_equal(client_stream_length(c, "changes"), 0);
    assert_int_equal(client_post(c, STRUCTURED, EVENT("healthy")), 202);
}

/* ---------------------------------------------------------------------------------------------------- and in order */

/* The status of the first, and whether what stands behind is answered after it, once. */
static const struct {
    struct sent sent;
    long status;
} clear[] = {
    {{"a length", WITH_LENGTH(LENGTH)},                                                                 202},
    {{"chunks", WITH_CHUNKS(CHUNKS)},                                                                   202},
    {{"chunks in capitals behind a tab", WITH_CHUNKS("Transfer-Encoding:\tCHUNKED\r\n")},               202},
    {{"zeros before a length", WITH_LENGTH("Content-Length: 00066\r\n")},                               202},
    {{"a chunk with an extension", IN_CHUNKS("42;a=b\r\n" EVENT_BODY "\r\n0\r\n\r\n")},                 202},
    {{"zeros at the end", IN_CHUNKS("42\r\n" EVENT_BODY "\r\n000\r\n\r\n")},                            202},
    {{"a length behind the body", IN_CHUNKS("42\r\n" EVENT_BODY "\r\n0\r\nContent-Length: 5\r\n\r\n")}, 202},
    {{"chunks behind the body", IN_CHUNKS("42\r\n" EVENT_BODY "\r\n0\r\n" CHUNKS "\r\n")},              202},
    {{"an empty line before", BYTES("\r\n" POST HOST CE LENGTH WHOLE)},                                 202},
    {{"another form of a length's name", WITH_LENGTH("Content_Length: 3\r\n" LENGTH)},                  202},
    {{"a connection's own length", WITH_LENGTH("Connection: Content-Length\r\n" LENGTH)},               202},
    {{"an upgrade", WITH_LENGTH("Upgrade: h2c\r\nConnection: Upgrade\r\n" LENGTH)},                     202},
    {{"a host of version 6 with a port", HOSTS("Host: [::1]:8960\r\n")},                                202},
    {{"letters beyond ASCII and tabs in a value", WITH_LENGTH("Foo: \xc3\xb6\tx\r\n" LENGTH)},          202},
    {{"a NUL in the path", LINE("POST /events%00 HTTP/1.1")},                                           404},
    {{"dots in the path", LINE("POST /x/../events HTTP/1.1")},                                          404},
    {{"two slashes", LINE("POST //events HTTP/1.1")},                                                   404},
    {{"a fragment", LINE("POST /events#x HTTP/1.1")},                                                   404},
    {{"a method in small letters", LINE("post /events HTTP/1.1")},                                      405},
    {{"a method of its own", LINE("BREW /events HTTP/1.1")},                                            405},
};

static void what_is_clear_is_answered_and_what_stands_behind_it_after_it(void **state)
{
    struct door_client *c = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(clear); i++) {
        const char *text = answers_to(c, &clear[i].sent);
        long status = 0;

        sscanf(text, "HTTP/1.1 %ld", &status);
        if (status != clear[i].status || count_of(text, "HTTP/1.1 ") != 2 || count_of(text, "hello") != 1)
            fail_msg("%s is answered %s", clear[i].sent.name, text);
    }
}

/* FT-65: each answer says which event it is of. */
static void a_thousand_requests_sent_at_once_are_answered_in_their_order(void **state)
{
    struct door_client *c = *state;
    struct buf all = BUF_INIT;
    int fd = connect_to(c);
    const char *text;

    for (int i = 0; i < PIPELINED; i++) {
        char body[200];
        int length =
            snprintf(body, sizeof body,
                     "{\"specversion\":\"1.0\",\"id\":\"order-%d\",\"source\":\"/s\",\"type\":\"user.updated\"}", i);

        buf_printf(&all, POST HOST CE "%sContent-Length: %d\r\n\r\n%s",
                   i + 1 == PIPELINED ? "Connection: close\r\n" : "", length, body);
    }
    assert_true(socket_send(fd, all.data, all.length));
    shutdown(fd, SHUT_WR); /* half closed: what was asked for is still answered */
    text = read_all(fd);
    close(fd);
    assert_int_equal(count_of(text, "HTTP/1.1 202"), PIPELINED);
    for (int i = 0; i < PIPELINED; i++) {
        char id[40];

        snprintf(id, sizeof id, "\"order-%d\"", i);
        text = strstr(text, id);
        if (!text)
            fail_msg("%s is not where it should be", id);
    }
    buf_release(&all);
}

/* FT-65: who goes without hearing the answer harms nobody. */
static void who_closes_early_leaves_no_answer_to_another(void **state)
{
    struct door_client *c = *state;

    for (int i = 0; i < 50; i++) {
        int early = connect_to(c);
        struct linger at_once = {1, 0};

        socket_send(early, WITH_LENGTH(LENGTH));
        if (i % 2 == 0)
            setsockopt(early, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); /* a reset */
        close(early);
        assert_int_equal(client_request(c, "GET", "/hello", NULL, NULL, 0), 200);
        assert_non_null(strstr(c->body.data, "hello"));
    }
}

/* Who waits for more of a request is not waited for long. */
static int setup(void **state)
{
    return client_door_open_with(state, "idle = 5s\n");
}

#define AT_THE_DOOR(test) cmocka_unit_test_setup_teardown(test, setup, client_door_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_THE_DOOR(what_can_be_read_in_two_ways_is_refused_and_ends_the_connection),
        AT_THE_DOOR(what_is_clear_is_answered_and_what_stands_behind_it_after_it),
        AT_THE_DOOR(a_thousand_requests_sent_at_once_are_answered_in_their_order),
        AT_THE_DOOR(who_closes_early_leaves_no_answer_to_another),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
