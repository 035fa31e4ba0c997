/* delivery/curl_target.h - which of a host's addresses are tried, and in which order.
 *
 * Role:      keeps those that the policy allows, at most POST_TARGETS_MAX; the one that worked last first.
 * Ownership: fills the post's targets.
 * Errors:    false when none is left; words then name the first address and why it is refused.
 */
#ifndef CH_DELIVERY_CURL_TARGET_H
#define CH_DELIVERY_CURL_TARGET_H

#include "delivery/curl_post.h"

bool curl_target_choose(
		struct curl_post *p, const struct address *list, size_t count, char *words, size_t cap);

#endif
