/* model/url.h - webhook URLs: parsed once, by the parser that will also connect.
 *
 * Role:      syntax and static safety of a URL. libcurl's URL parser does the work, so that what is
 *            checked here and what libcurl later connects to cannot differ. No name look-up here.
 * Units:     bytes.
 * Ownership: struct url owns its texts; url_fini frees them.
 * Errors:    CH_EINVAL with the reason in err ("URL must not contain a user name or password");
 *            CH_ENOMEM.
 */
#ifndef CH_MODEL_URL_H
#define CH_MODEL_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "model/address.h"

#define URL_MAX_BYTES 2048

struct url {
	char *text; /* normalised, as it is sent to libcurl and shown */
	char *host; /* lower case; without brackets; a numeric IPv4 in dotted form; NUL-terminated */
	uint16_t port;
	bool is_tls;
	bool is_literal; /* host is an address, and literal holds it */
	struct address literal;
};

struct url_rules {
	bool allow_http;
	const struct address_policy *addresses; /* NULL: literals are not checked (an egress proxy does) */
};

/* text is NUL-free, 1..URL_MAX_BYTES bytes or it is refused. */
int url_parse(const char *text, size_t len, const struct url_rules *rules, struct url *ret,
		struct ch_err *err) CH_MUST_USE;
void url_fini(struct url *u);

#endif
