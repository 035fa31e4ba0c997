/** Who is signed in. The session itself is a cookie that scripts cannot read; kept here are only the facts about it that
 * the page shows and goes by. The service decides what is allowed. */
import { ApiError, ask, type Session } from "./api/client";

const KEY = "callhook.session";

export function known(): Session | null {
	try {
		const session = JSON.parse(localStorage.getItem(KEY) ?? "null") as Session | null;
		return session && Date.parse(session.expires) > Date.now() ? session : null;
	} catch {
		return null;
	}
}

export function forget(): void {
	localStorage.removeItem(KEY);
}

function keep(session: Session): Session {
	localStorage.setItem(KEY, JSON.stringify(session));
	return session;
}

export async function signInWithKey(key: string): Promise<Session> {
	return keep(await ask<Session>("POST", "v1/session", { headers: { "X-Api-Key": key } }));
}

export async function signInWithLink(link: string): Promise<Session> {
	return keep(await ask<Session>("POST", "v1/session", { body: { link } }));
}

export async function signOut(): Promise<void> {
	try {
		await ask<void>("DELETE", "v1/session");
	} catch (e) {
		// A session that is over already is what was asked for.
		if (!(e instanceof ApiError) || e.status !== 401) throw e;
	} finally {
		forget();
	}
}

/** The token of a portal link, out of the address; it is taken out of the address bar at once. */
export function takePortalLink(): string | null {
	const found = /^#(?:portal|link)=([^&]+)$/.exec(location.hash);
	if (!found) return null;
	history.replaceState(null, "", location.pathname + location.search + "#/");
	return decodeURIComponent(found[1] as string);
}

export type Permit = Session["permit"][number];
export const may = (session: Session, scope: Session["scopes"][number]): boolean =>
	session.scopes.includes(scope);
export const isPermitted = (session: Session, permit: Permit): boolean => session.permit.includes(permit);
