/** Times, numbers and lengths in the user's language. */
import { locale, say } from "./i18n";

const cache = new Map<string, Intl.DateTimeFormat>();

function dates(kind: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
	const key = locale() + kind;
	let f = cache.get(key);
	if (!f) cache.set(key, (f = new Intl.DateTimeFormat(locale(), options)));
	return f;
}

export function time(iso: string | null | undefined): string {
	return iso ? dates("long", { dateStyle: "medium", timeStyle: "medium" }).format(new Date(iso)) : "–";
}

export function clock(at: Date): string {
	return dates("clock", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(at);
}

/** As short as it can be without doubt: the time alone when it is today's. */
export function moment(iso: string): string {
	const at = new Date(iso);
	return at.toDateString() === new Date().toDateString() ? clock(at) : time(iso);
}

const numbers = new Map<string, Intl.NumberFormat>();

export function number(n: number): string {
	let f = numbers.get(locale());
	if (!f) numbers.set(locale(), (f = new Intl.NumberFormat(locale())));
	return f.format(n);
}

export function percent(ratio: number | null): string {
	if (ratio === null) return "–";
	return new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: 1 }).format(ratio);
}

export function ms(n: number | null | undefined): string {
	if (n === null || n === undefined) return "–";
	if (n < 1000) return `${number(Math.round(n * 10) / 10)} ms`;
	return `${number(Math.round(n / 10) / 100)} s`;
}

/** "3 min 20 s", of whole seconds. */
export function length(seconds: number): string {
	const s = Math.max(0, Math.round(seconds));
	const parts: [number, string][] = [
		[Math.floor(s / 86400), say("unit.day")],
		[Math.floor(s / 3600) % 24, "h"],
		[Math.floor(s / 60) % 60, "min"],
		[s % 60, "s"],
	];
	const first = parts.findIndex(([n]) => n > 0);
	if (first < 0) return "0 s";
	return parts
		.slice(first, first + 2)
		.filter(([n]) => n > 0)
		.map(([n, unit]) => `${n} ${unit}`)
		.join(" ");
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export const isId = (text: string): boolean => UUID.test(text);

export function shortId(id: string): string {
	return id.slice(0, 8) + "…" + id.slice(-4);
}
