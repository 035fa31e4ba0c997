/* api/stream.h - the open streams of attempts, for the api itself.
 *
 * Threads:   the api loop's.
 */
#ifndef CH_API_STREAM_H
#define CH_API_STREAM_H

struct api;

void streams_init(struct api *a);
void streams_end(struct api *a); /* the server stops: each ends as soon as its read is back */

#endif
