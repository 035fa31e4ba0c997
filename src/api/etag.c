#include "api/etag.h"

#include <string.h>

#include "base/crypto.h"
#include "base/err.h"

void etag_format(const uint8_t sha256[CH_SHA256_BYTES], char out[ETAG_TEXT_MAX])
{
	out[0] = '"';
	ch_hex(sha256, STORE_ETAG_BYTES, out + 1);
	memcpy(out + 1 + 2 * STORE_ETAG_BYTES, "\"", 2);
}

static int add_tag(struct etag_list *l, const char *text, size_t len)
{
	l->seen++;
	if (len != 2 * STORE_ETAG_BYTES)
		return 0;
	for (size_t i = 0; i < len; i++)
		if (text[i] >= 'A' && text[i] <= 'F')
			return 0;
	uint8_t tag[STORE_ETAG_BYTES];
	if (ch_unhex(text, len, tag) != 0)
		return 0;
	if (l->count == STORE_IF_MATCH_MAX)
		return CH_ELIMIT;
	memcpy(l->tags[l->count++], tag, sizeof(tag));
	return 0;
}

/* One entity-tag at *p, which moves behind it. */
static int take_tag(struct etag_list *l, const char **p, bool takes_weak)
{
	bool is_weak = strncmp(*p, "W/", 2) == 0;
	const char *text = *p + (is_weak ? 2 : 0);
	if (*text != '"')
		return CH_EINVAL;
	text++;
	size_t len = 0;
	while (text[len] == '!' || (unsigned char)text[len] > '"')
		len++;
	if (text[len] != '"' || memchr(text, 0x7f, len))
		return CH_EINVAL;
	*p = text + len + 1;
	if (!is_weak || takes_weak)
		return add_tag(l, text, len);
	l->seen++;
	return 0;
}

int etag_parse(const char *header, bool takes_weak, struct etag_list *ret)
{
	struct etag_list l = {0};
	const char *p = header;

	if (strcmp(header, "*") == 0) {
		*ret = (struct etag_list){.is_any = true};
		return 0;
	}
	for (;;) {
		p += strspn(p, " \t");
		if (*p != ',' && *p) {
			int rc = take_tag(&l, &p, takes_weak);
			if (rc)
				return rc;
			p += strspn(p, " \t");
		}
		if (!*p)
			break;
		if (*p++ != ',')
			return CH_EINVAL;
	}
	if (l.seen == 0)
		return CH_EINVAL;
	*ret = l;
	return 0;
}

void digest_format(const uint8_t sha256[CH_SHA256_BYTES], char out[DIGEST_TEXT_LEN + 1])
{
	static const char prefix[] = "sha-256=:";

	memcpy(out, prefix, sizeof(prefix) - 1);
	ch_base64(sha256, CH_SHA256_BYTES, out + sizeof(prefix) - 1);
	memcpy(out + DIGEST_TEXT_LEN - 1, ":", 2);
}

bool etag_names(const char *header, const char *etag)
{
	return header && (strcmp(header, "*") == 0 || strstr(header, etag) != NULL);
}

bool etag_has(const struct etag_list *l, const uint8_t sha256[CH_SHA256_BYTES])
{
	if (l->is_any)
		return true;
	for (size_t i = 0; i < l->count; i++)
		if (memcmp(l->tags[i], sha256, STORE_ETAG_BYTES) == 0)
			return true;
	return false;
}
