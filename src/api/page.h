/* api/page.h - the settings page, as it is served.
 *
 * Role:      the files of web/ within the binary: tools/page.py builds and compresses them when the
 *            program is built. The HTML is asked for anew each time and names the others, whose names carry
 *            a hash of what is in them: those are kept for ever.
 * Threads:   constant.
 */
#ifndef CH_API_PAGE_H
#define CH_API_PAGE_H

#include <stddef.h>

struct page_file {
	const char *path; /* "/index.html", "/assets/index-1a2b3c4d.js" */
	const char *content_type;
	const char *etag; /* with its quotes; of the plain bytes */
	const unsigned char *plain;
	size_t plain_len;
	const unsigned char *gzip; /* the same, compressed */
	size_t gzip_len;
};

extern const struct page_file page_files[];
extern const size_t page_file_count;

struct api_request;

/* Replies with the file, or with 304 if the caller has it. policy: its Content-Security-Policy. */
void page_reply(struct api_request *r, const struct page_file *file, const char *cache_control,
		const char *policy);

#endif
