/* base/attr.h - the four compiler attributes this project uses, behind macros.
 *
 * Role:      spelling only; every other attribute stays out of the code.
 */
#ifndef CH_BASE_ATTR_H
#define CH_BASE_ATTR_H

#define CH_MUST_USE __attribute__((warn_unused_result))
#define CH_PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))
#define CH_CLEANUP(fn) __attribute__((cleanup(fn)))
#define CH_NORETURN __attribute__((noreturn))

#endif
