/* policy/backlog.h - the ages by which a backlog is counted.
 *
 * Role:      pure: which column an age belongs to.
 * Units:     ages in wall ms, bounds in seconds.
 * Errors:    none. A wall clock that went back makes an age less than nothing: that is the youngest.
 * Source:    Postfix's qshape: columns whose bounds double, so that a backlog of a minute and one of days
 *            are both seen at a glance. From a minute to what the schedule of retries lasts (3 days).
 */
#ifndef CH_POLICY_BACKLOG_H
#define CH_POLICY_BACKLOG_H

#include <stddef.h>
#include <stdint.h>

#define BACKLOG_AGES 14

size_t backlog_age_of(int64_t age_ms);
/* Ages of the column are less than this, and not less than the one before; -1: it is the last, without an
 * end. */
int64_t backlog_bound_s(size_t age);

#endif
