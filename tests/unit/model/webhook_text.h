/* tests/unit/model/webhook_text.h - webhooks from JSON text and back, for their tests.
 *
 * Role:      short ways to say "this text must make a webhook" and "these are its settings".
 */
#ifndef CH_TEST_WEBHOOK_TEXT_H
#define CH_TEST_WEBHOOK_TEXT_H

#include "test_model.h"

#include "model/webhook.h"

#define AGENT_A "00000000-0000-4000-8000-00000000000a"
#define AGENT_B "00000000-0000-4000-8000-00000000000b"
#define URL "\"url\":\"https://example.com/hook\""

extern const struct url_rules webhook_text_rules; /* https only, no exceptions */
extern const char webhook_text_full[]; /* every member, none at its default */

#define DEFAULT_SETTINGS                                                                                     \
	"{\"agentIds\":[],\"statuses\":[\"COMPLETED\",\"FAILED\"],\"headers\":{},\"timeout\":15,"            \
	"\"concurrency\":32,"                                                                                \
	"\"rateLimit\":null}"
#define FULL_SETTINGS                                                                                        \
	"{\"agentIds\":[\"" AGENT_A "\",\"" AGENT_B                                                          \
	"\"],\"statuses\":[\"COMPLETED\",\"NO_ANSWER\"],\"headers\":"                                        \
	"{\"X-B\":\"two words\",\"Authorization\":\"Bearer "                                                 \
	"x\"},\"timeout\":60,\"concurrency\":512,\"rateLimit\":"                                             \
	"{\"count\":10,\"seconds\":1}}"

json_t *webhook_text_load(const char *text);
/* w and p: uninitialised; the caller finishes them whatever comes back. */
int webhook_text_create(const char *text, struct webhook *w, struct problems *p);
int webhook_text_merge(const char *text, struct webhook *w, struct problems *p); /* w: a webhook */
void webhook_text_must_create(const char *text, struct webhook *w);
void webhook_text_must_merge(const char *text, struct webhook *w);
char *webhook_text_of(const struct webhook *w); /* what two webhooks are compared by; to be freed */
void webhook_text_assert_settings(const struct webhook *w, const char *want);

#endif
