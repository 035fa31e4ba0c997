/* model/address.h - IP addresses, networks, and which of them a webhook may reach.
 *
 * Role:      pure tables and comparisons; the spec's "address safety". Spellings of URLs are
 *            model/url's business: here an address is bytes.
 * Ownership: plain values; an address_policy borrows the array of allowed networks.
 * Errors:    CH_EINVAL for text that is no address or network.
 * Source:    IANA special-purpose address registries (RFC 6890 and updates); RFC 6052 (NAT64).
 */
#ifndef CH_MODEL_ADDRESS_H
#define CH_MODEL_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"

#define ADDRESS_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

struct address {
	uint8_t len; /* 4 or 16 */
	uint8_t b[16]; /* network order */
};

struct network {
	struct address base;
	uint8_t prefix; /* bits: 0..32 or 0..128 */
};

struct address_policy {
	const struct network *allowed; /* exceptions from the table of refused networks */
	size_t allowed_count;
};

int address_parse(
		const char *text, size_t len, struct address *ret) CH_MUST_USE; /* dotted quad or RFC 4291 */
void address_format(const struct address *a, char out[ADDRESS_TEXT_MAX]);
int address_from_sockaddr(const struct sockaddr *sa, struct address *ret) CH_MUST_USE;
/* "10.0.0.0/8", "::1/128"; host bits beyond the prefix are refused. */
int network_parse(const char *text, size_t len, struct network *ret) CH_MUST_USE;
bool network_has(const struct network *n, const struct address *a);

/* NULL when a webhook may be sent there; else a constant saying what the address is ("loopback",
 * "private", "link-local", …). An IPv4-mapped or NAT64 address is judged by the IPv4 inside, and
 * the allowed networks apply to it in both spellings. */
const char *address_refusal(const struct address *a, const struct address_policy *policy);

#endif
