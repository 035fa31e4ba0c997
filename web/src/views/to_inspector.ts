/** Taking a request over to the signature inspector; kept in memory only, never in the address. */
import { go } from "../router";

export interface Inspected {
	headers: string;
	body: string;
}

let waiting: Inspected | null = null;

export function inspect(one: Inspected): void {
	waiting = one;
	go("#/inspector");
}

export function takeInspected(): Inspected | null {
	const one = waiting;
	waiting = null;
	return one;
}
