/* base/err.h - how a function says that it failed.
 *
 * Role:      one set of codes and one struct for the words. A function that can
 *            fail returns 0 or a negative CH_E code; the words go into a
 *            struct ch_err, last parameter, NULL allowed, filled once, where the
 *            cause is known.
 * Ownership: fixed text inside the struct; nothing to free.
 * Threads:   no shared state.
 */
#ifndef CH_BASE_ERR_H
#define CH_BASE_ERR_H

#include "base/attr.h"

enum {
	CH_OK = 0,
	CH_ENOMEM = -1, /* an allocation failed */
	CH_EINVAL = -2, /* the input is malformed or breaks a rule */
	CH_ELIMIT = -3, /* a configured or hard limit is reached */
	CH_ENOENT = -4, /* what was asked for is not there */
	CH_EEXIST = -5, /* it is there already */
	CH_ECONFLICT = -6, /* it changed meanwhile, or its state forbids this */
	CH_EPRECOND = -7, /* a precondition given by the caller does not hold */
	CH_EBUSY = -8, /* held by somebody else */
	CH_EFULL = -9, /* no space left on the device */
	CH_EIO = -10, /* the system or a device refused */
	CH_EVERSION = -11, /* made by a newer version than this one */
	CH_ECRYPT = -12, /* decryption or a check of authenticity failed */
	CH_ETIME = -13, /* a deadline passed */
	CH_ECANCELED = -14, /* given up because the owner is stopping */
	CH_EAGAIN = -15, /* not now; trying again later may work */
	CH_EDAMAGED = -16, /* what is stored can't be used, and trying again does not help */
	CH_EGONE = -17 /* it was there, and was removed for good */
};

struct ch_err {
	int code; /* 0 or a CH_E code */
	char text[256]; /* NUL-terminated, one line, no secret */
};

/* Fills err (if not NULL) with code and words, and returns code, so that a
 * caller can write: return ch_err_set(err, CH_EINVAL, "..."). Longer text is cut. */
int ch_err_set(struct ch_err *err, int code, const char *fmt, ...) CH_PRINTF(3, 4);

/* "CH_EINVAL" and the like; "CH_E?" for a code that is none. Never NULL. */
const char *ch_err_name(int code);

#endif
