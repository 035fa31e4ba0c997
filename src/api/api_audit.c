#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/api_core.h"
#include "base/alloc.h"
#include "base/assert.h"

#define DETAIL_MAX_BYTES 4096

static void set_target(struct store_audit *a, const char *id, size_t len)
{
	if (len >= sizeof(a->target_id))
		len = sizeof(a->target_id) - 1;
	if (len > 0)
		memcpy(a->target_id, id, len);
	a->target_id[len] = '\0';
}

static void set_detail(struct api_request *r, char *detail)
{
	ch_free(r->audit->detail);
	r->audit->detail = detail;
	r->has_no_audit |= detail == NULL;
}

void api_audit(struct api_request *r, const char *action, const char *fmt, ...)
{
	char text[DETAIL_MAX_BYTES];
	va_list args;

	store_audit_destroy(&r->audit);
	r->has_no_audit = false;
	struct store_audit *a = ch_calloc(1, sizeof(*a));
	if (!a) {
		r->has_no_audit = true;
		return;
	}
	r->audit = a;
	a->account = STORE_AUDIT_INSTALLATION;
	if (r->caller.account && r->route->caller != ROUTE_OPERATOR)
		a->account = r->caller.account->number;
	a->at_ms = ch_clock_wall(&r->api->conf.clock).ms;
	snprintf(a->actor, sizeof(a->actor), "%s", r->caller.words);
	char address[ADDRESS_TEXT_MAX];
	http_client_address(r->x, address);
	snprintf(a->address, sizeof(a->address), "%s", address);
	snprintf(a->action, sizeof(a->action), "%s", action);
	snprintf(a->target_kind, sizeof(a->target_kind), "%.*s", (int)strcspn(action, "."), action);
	set_target(a, r->param, r->param_len);
	if (!fmt)
		return;
	va_start(args, fmt);
	int len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	CH_ASSERT(len >= 0 && (size_t)len < sizeof(text));
	set_detail(r, ch_strdup(text));
}

void api_audit_target(struct api_request *r, const char *id)
{
	if (r->audit)
		set_target(r->audit, id, strlen(id));
}

void api_audit_detail(struct api_request *r, struct ch_buf *json)
{
	if (r->audit)
		set_detail(r, ch_buf_detach(json));
	ch_buf_fini(json);
}
