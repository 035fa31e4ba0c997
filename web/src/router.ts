/** Where in the page one is: behind the #, so that it works under any path prefix. "#/deliveries?state=FAILED" */
import { useEffect, useState } from "preact/hooks";

export interface Place {
	path: string[]; // without the #: ["deliveries"]
	query: URLSearchParams;
}

export function placeOf(hash: string): Place {
	const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
	return { path: path.split("/").filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query) };
}

export function hrefOf(
	path: (string | undefined)[],
	query: Record<string, string | null | undefined> = {},
): string {
	const search = new URLSearchParams();
	for (const [name, value] of Object.entries(query)) if (value) search.set(name, value);
	const text = search.toString();
	return (
		"#/" +
		path
			.filter((p) => p !== undefined)
			.map(encodeURIComponent)
			.join("/") +
		(text && "?" + text)
	);
}

export function go(href: string): void {
	location.hash = href;
}

/** Without a new entry in the history: a filter changed. */
export function replace(href: string): void {
	history.replaceState(null, "", href);
	dispatchEvent(new HashChangeEvent("hashchange"));
}

export function usePlace(): Place {
	const [place, set] = useState(() => placeOf(location.hash));
	useEffect(() => {
		const on = (): void => set(placeOf(location.hash));
		addEventListener("hashchange", on);
		on(); // it may have changed between the drawing and this
		return () => removeEventListener("hashchange", on);
	}, []);
	return place;
}
