/*
 * tests/support/canary.h - the word in every secret that tests give to crier, and the look for it in all it prints.
 *
 * Whatever a crier that a test started printed, the log of a service and the output of a verb, is searched when it ends
 * (tests/support/server.h), and fails the test that holds a secret. What verbs show on purpose, a new token or the
 * secret of a subscription, is random and has no such word: it is learned where it is shown, and may be in nothing that
 * comes later. What a test program itself prints, what modules log in it included, is searched by ctest
 * (tests/CMakeLists.txt), which knows the word only.
 */
#ifndef TESTS_SUPPORT_CANARY_H
#define TESTS_SUPPORT_CANARY_H

#define CANARY "canarysecret" /* base64 as it is: also the middle of a whsec_ */

/* Fails the test where the text holds it, plain or in base64, or what was learned; where: what the text is. */
void canary_check(const char *where, const char *text);

/* All tokens (crier_ID_SECRET) and signing secrets (whsec_) in the text are secrets from now on. */
void canary_learn(const char *text);

#endif
