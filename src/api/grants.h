/* api/grants.h - lists of scopes and permits, as JSON has them.
 *
 * Role:      reading them from bodies that the document's rules have checked, and writing them.
 * Errors:    a name that is none is passed over: the rules refuse it before.
 */
#ifndef CH_API_GRANTS_H
#define CH_API_GRANTS_H

#include <jansson.h>

#include "api/json_out.h"
#include "policy/scope.h"

scope_set grants_scopes(const json_t *list); /* NULL: none */
permit_set grants_permits(const json_t *list);
void grants_write_scopes(struct json_out *o, const char *key, scope_set scopes);
void grants_write_permits(struct json_out *o, const char *key, permit_set permits);

#endif
