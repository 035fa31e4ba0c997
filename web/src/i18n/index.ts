/** The page's words. A language without one of the keys does not compile. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { en } from "./en";
import { fr } from "./fr";

export type Key = keyof typeof en;
export type Words = Record<Key, string>;
export type Language = "en" | "fr";
export type Values = Record<string, string | number>;

export const LANGUAGES: [Language, string][] = [
	["en", "English"],
	["fr", "Français"],
];
const KEPT = "callhook.language";
/** In French a line does not break before ":" and the like. */
export const unbroken = (text: string): string => text.replace(/ (?=[:;?!»])|(?<=«) /g, "\u00a0");

const french = Object.fromEntries(Object.entries(fr).map(([key, text]) => [key, unbroken(text)])) as Words;
const words: Record<Language, Words> = { en, fr: french };

function first(): Language {
	const kept = localStorage.getItem(KEPT);
	if (kept === "en" || kept === "fr") return kept;
	for (const wish of navigator.languages ?? []) {
		const base = wish.slice(0, 2).toLowerCase();
		if (base === "en" || base === "fr") return base;
	}
	return "en";
}

let current = first();
document.documentElement.lang = current;
let tell: (l: Language) => void = () => {};

export const LanguageContext = createContext<{ lang: Language; setLang: (l: Language) => void }>({
	lang: current,
	setLang: () => {},
});

export function language(): Language {
	return current;
}

/** With the user's country where the browser tells one: it decides how dates and numbers are written. */
export function locale(): string {
	return navigator.languages?.find((l) => l.slice(0, 2).toLowerCase() === current) ?? current;
}

export function setLanguage(l: Language): void {
	current = l;
	localStorage.setItem(KEPT, l);
	document.documentElement.lang = l;
	tell(l);
}

/** "{count} calls" with its values in place; outside of components. */
export function say(key: Key, values: Values = {}): string {
	return words[current][key].replace(/\{(\w+)\}/g, (whole, name: string) =>
		name in values ? String(values[name]) : whole,
	);
}

/** A key made of parts that come from the service; what is unknown is shown as it is. */
export function sayOf(prefix: string, value: string): string {
	const key = `${prefix}.${value}`;
	return key in en ? say(key as Key) : value;
}

/** Of two forms, the one for this number. */
export function count(one: Key, other: Key, n: number, shown: string): string {
	return say(new Intl.PluralRules(current).select(n) === "one" ? one : other, { count: shown });
}

/** The same within components, which are drawn again when the language changes. */
export function useText(): typeof say {
	const { setLang } = useContext(LanguageContext);
	tell = setLang;
	return say;
}
