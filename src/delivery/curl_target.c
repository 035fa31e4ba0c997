#include "delivery/curl_target.h"

#include <stdio.h>
#include <string.h>

#include "delivery/curl_endpoint.h"

static void target_add(struct curl_post *p, const struct address *a)
{
	if (p->target_count < POST_TARGETS_MAX)
		p->targets[p->target_count++] = *a;
}

/* The address that worked last goes first: a connection to it may be kept. */
static void targets_prefer(struct curl_post *p)
{
	const struct address *liked = &p->endpoint->liked;
	for (int i = 1; i < p->target_count; i++) {
		if (p->targets[i].len == liked->len && memcmp(p->targets[i].b, liked->b, liked->len) == 0) {
			struct address first = p->targets[0];
			p->targets[0] = p->targets[i];
			p->targets[i] = first;
			return;
		}
	}
}

/* The reason a name's addresses were all refused, of the first one. */
static void refused_words(
		const struct curl_post *p, const struct address *a, const char *why, char *out, size_t cap)
{
	char text[ADDRESS_TEXT_MAX];
	address_format(a, text);
	if (p->job->url->is_literal)
		snprintf(out, cap, "%s is refused: %s", text, why);
	else
		snprintf(out, cap, "%.160s resolves to %s, which is refused: %s", p->job->url->host, text,
				why);
}

static void note_found(struct transport_check *check, const struct address *a, const char *why)
{
	if (check->found_count == TRANSPORT_FOUND_MAX)
		return;
	check->found[check->found_count].address = *a;
	check->found[check->found_count++].refusal = why;
}

bool curl_target_choose(
		struct curl_post *p, const struct address *list, size_t count, char *words, size_t cap)
{
	const struct curl_common *c = p->common;
	words[0] = '\0';
	p->target_count = p->target_at = 0;
	for (size_t i = 0; i < count; i++) {
		const char *why = c->proxy == NULL ? address_refusal(&list[i], &c->addresses) : NULL;
		if (p->job->check != NULL && c->proxy == NULL)
			note_found(p->job->check, &list[i], why);
		if (why == NULL)
			target_add(p, &list[i]);
		else if (words[0] == '\0')
			refused_words(p, &list[i], why, words, cap);
	}
	targets_prefer(p);
	return p->target_count > 0;
}
