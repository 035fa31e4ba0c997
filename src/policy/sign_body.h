/* policy/sign_body.h - the bodies that a receiver may have had before something rewrote them.
 *
 * Role:      a signature that does not fit the body as it is may fit the same JSON written another
 *            way; then the receiver's framework parsed and printed it, and the person can be told so.
 * Ownership: struct sign_body_forms owns its buffers.
 * Errors:    CH_ENOMEM; a body that is not JSON, or no call record, just has fewer forms.
 */
#ifndef CH_POLICY_SIGN_BODY_H
#define CH_POLICY_SIGN_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"

struct sign_body_forms {
	bool is_made;
	struct ch_buf compact; /* without white space outside strings; all else byte for byte */
	struct ch_buf canonical; /* as callhook writes a call record */
	bool has_canonical;
	bool order_differs; /* canonical differs from the body in more than white space and escapes */
};

void sign_body_forms_init(struct sign_body_forms *f);
void sign_body_forms_fini(struct sign_body_forms *f);
int sign_body_forms_make(
		struct sign_body_forms *f, const char *body, size_t len) CH_MUST_USE; /* once is enough */

#endif
