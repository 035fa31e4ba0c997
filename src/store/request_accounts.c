#include <string.h>

#include "base/alloc.h"
#include "store/request.h"

#define ZERO(member) memset(&(member), 0, sizeof(member))

void store_audit_fini(struct store_audit *a)
{
	ch_free(a->detail);
	*a = (struct store_audit){0};
}

void store_audit_destroy(struct store_audit **a)
{
	if (*a == NULL)
		return;
	store_audit_fini(*a);
	ch_free(*a);
	*a = NULL;
}

int store_audit_copy(const struct store_audit *from, struct store_audit *ret)
{
	char *detail = NULL;

	if (from->detail != NULL) {
		detail = ch_strdup(from->detail);
		if (detail == NULL)
			return CH_ENOMEM;
	}
	*ret = *from;
	ret->detail = detail;
	return 0;
}

static void clear_audit_list(struct store_audit_list *q)
{
	for (size_t i = 0; i < q->out.count; i++)
		store_audit_fini(&q->out.rows[i]);
	ch_free(q->out.rows);
	ZERO(q->out);
}

static void clear_account_list(struct store_account_list *q)
{
	ch_free(q->out.accounts);
	ZERO(q->out);
}

bool store_accounts_clear_out(struct store_request *r)
{
	switch (r->kind) {
	case STORE_ACCOUNT_CREATE:
		ZERO(r->u.account_create.out);
		return true;
	case STORE_ACCOUNT_DELETE:
		ch_free(r->u.account_delete.out.webhooks);
		ZERO(r->u.account_delete.out);
		return true;
	case STORE_ACCOUNT_SWEEP:
		ZERO(r->u.account_sweep.out);
		return true;
	case STORE_ACCOUNT_UPDATE:
	case STORE_AUDIT_ADD:
	case STORE_SPEND:
		return true;
	case STORE_ACCOUNT_LIST:
		clear_account_list(&r->u.account_list);
		return true;
	case STORE_AUDIT_LIST:
		clear_audit_list(&r->u.audit_list);
		return true;
	case STORE_SPENT_LIST:
		ch_free(r->u.spent_list.out.rows);
		ZERO(r->u.spent_list.out);
		return true;
	default:
		return false;
	}
}

bool store_accounts_free_in(struct store_request *r)
{
	switch (r->kind) {
	case STORE_ACCOUNT_CREATE:
		ZERO(r->u.account_create.in);
		return true;
	case STORE_ACCOUNT_UPDATE:
		ZERO(r->u.account_update.in);
		return true;
	default:
		return false;
	}
}
