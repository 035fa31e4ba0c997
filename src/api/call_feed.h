/* api/call_feed.h - those who wait for finished calls, for the api itself.
 *
 * Threads:   the api loop's.
 */
#ifndef CH_API_CALL_FEED_H
#define CH_API_CALL_FEED_H

#include <stdint.h>

struct api;

void feeds_init(struct api *a);
void feeds_end(struct api *a); /* the server stops: nobody waits any longer */
void feeds_end_account(struct api *a, int64_t account); /* it was deleted */

#endif
