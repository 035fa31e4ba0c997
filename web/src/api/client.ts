/** Talking to the API: one function a request, errors as problems (RFC 9457). */
import { said } from "../said";
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Account = Schemas["Account"];
export type Agent = Schemas["Agent"];
export type AgentPage = Schemas["AgentPage"];
export type Attempt = Schemas["Attempt"];
export type Call = Schemas["Call"];
export type CallPage = Schemas["CallPage"];
export type CheckResult = Schemas["CheckResult"];
export type Delivery = Schemas["Delivery"];
export type DeliveryDetail = Schemas["DeliveryDetail"];
export type DeliveryPage = Schemas["DeliveryPage"];
export type Extractor = Schemas["Extractor"];
export type NewKey = Schemas["NewKey"];
export type Problem = Schemas["Problem"];
export type Replay = Schemas["Replay"];
export type ReplayPage = Schemas["ReplayPage"];
export type RevealedSecret = Schemas["RevealedSecret"];
export type RotatedSecret = Schemas["RotatedSecret"];
export type Secret = Schemas["Secret"];
export type Session = Schemas["Session"];
export type Stats = Schemas["Stats"];
export type StreamEvent = Schemas["StreamEvent"];
export type TestResult = Schemas["TestResult"];
export type Webhook = Schemas["Webhook"];
export type WebhookInput = Schemas["WebhookInput"];
export type WebhookList = Schemas["WebhookList"];
export type WebhookPatch = Schemas["WebhookPatch"];

/** status 0: the service could not be reached. */
export class ApiError extends Error {
	constructor(
		readonly status: number,
		readonly problem: Problem | null,
		readonly retryAfterSeconds: number | null = null,
	) {
		super(problem?.detail ?? problem?.title ?? `HTTP ${status}`);
	}

	/** What is wrong with one member of the body: "/url". */
	of(pointer: string): string | undefined {
		const found = this.problem?.errors?.find(
			(e) => e.pointer === pointer || e.pointer.startsWith(pointer + "/"),
		);
		return found && said(found.detail).text;
	}
}

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface RequestOptions {
	query?: Query;
	body?: unknown;
	type?: string;
	headers?: Record<string, string>;
	signal?: AbortSignal;
}

let onSignedOut: () => void = () => {};
/** Called when the service no longer knows the session. */
export function whenSignedOut(f: () => void): void {
	onSignedOut = f;
}

export const signedOut = (): void => onSignedOut();

export function address(path: string, query: Query = {}): string {
	const url = new URL(path, document.baseURI.replace(/#.*$/, ""));
	for (const [name, value] of Object.entries(query))
		if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
	return url.href;
}

async function problemOf(response: Response): Promise<Problem | null> {
	if (!(response.headers.get("Content-Type") ?? "").includes("json")) return null;
	try {
		return (await response.json()) as Problem;
	} catch {
		return null;
	}
}

export async function send(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
	const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
	const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
	if (options.signal) init.signal = options.signal;
	if (options.body !== undefined) {
		headers["Content-Type"] = options.type ?? "application/json";
		init.body = JSON.stringify(options.body);
	}
	let response: Response;
	try {
		response = await fetch(address(path, options.query), init);
	} catch (e) {
		if (options.signal?.aborted) throw e;
		throw new ApiError(0, null);
	}
	if (response.ok) return response;
	const error = new ApiError(
		response.status,
		await problemOf(response),
		Number(response.headers.get("Retry-After")) || null,
	);
	if (error.status === 401 && path !== "v1/session") onSignedOut();
	throw error;
}

export async function ask<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
	const response = await send(method, path, options);
	return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Asks without consequence: a session that is over stays on the screen. */
export async function isSignedIn(): Promise<boolean> {
	const answer = await fetch(address("v1/account"), { credentials: "same-origin", cache: "no-store" });
	return answer.status !== 401;
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
	ask<T>("GET", path, { ...(query && { query }), ...(signal && { signal }) });
export const post = <T>(path: string, body?: unknown): Promise<T> =>
	ask<T>("POST", path, body === undefined ? {} : { body });
export const patch = <T>(path: string, body: unknown): Promise<T> =>
	ask<T>("PATCH", path, { body, type: "application/merge-patch+json" });
export const remove = <T>(path: string): Promise<T> => ask<T>("DELETE", path);
export const webhookPath = (id: string, rest = ""): string => `v1/webhooks/${encodeURIComponent(id)}${rest}`;
