/* model/call_number.h - numbers from JSON's spelling to ECMAScript's.
 *
 * Role:      pure text; independent of the locale.
 * Errors:    CH_EINVAL: an integer beyond 2^53-1 either way, which a receiver could not hold exactly - but
 * for one from 1e21 on that is written with an exponent, as it is printed again: 1e+21; CH_ELIMIT: too large
 * to be a number at all (1e400). Source:    ECMA-262 section 6.1.6.1.20, Number::toString.
 */
#ifndef CH_MODEL_CALL_NUMBER_H
#define CH_MODEL_CALL_NUMBER_H

#include <stddef.h>

#include "base/attr.h"

#define CALL_NUMBER_TEXT_MAX 32 /* the longest is 25: -1.2345678901234567e-100 and the like */

/* token must be a number by JSON's grammar. */
int call_number_canonical(
		const char *token, size_t len, char out[CALL_NUMBER_TEXT_MAX], size_t *ret_len) CH_MUST_USE;
/* value must be finite. Returns the length. */
size_t call_number_text(double value, char out[CALL_NUMBER_TEXT_MAX]);

#endif
