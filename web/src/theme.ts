/** Light, dark, or as the system has it. */
export type Theme = "system" | "light" | "dark";
const KEY = "callhook.theme";

export function theme(): Theme {
	const kept = localStorage.getItem(KEY);
	return kept === "light" || kept === "dark" ? kept : "system";
}

function show(t: Theme): void {
	if (t === "system") document.documentElement.removeAttribute("data-theme");
	else document.documentElement.dataset["theme"] = t;
}

export function setTheme(t: Theme): void {
	localStorage.setItem(KEY, t);
	show(t);
}

export function startTheme(): void {
	show(theme());
}
