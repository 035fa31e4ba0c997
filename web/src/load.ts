/** What a view needs from the service, and how far it has got. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./api/client";

export interface Loaded<T> {
	data: T | undefined;
	error: ApiError | undefined;
	isLoading: boolean; // old data stays shown meanwhile
	reload: () => void;
	set: (data: T) => void;
}

function asError(e: unknown): ApiError {
	return e instanceof ApiError ? e : new ApiError(0, null);
}

/** Asked again when key changes; an answer that comes too late is dropped. */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
	const [state, setState] = useState<{ key: string; data?: T; error?: ApiError; isLoading: boolean }>({
		key,
		isLoading: true,
	});
	const [turn, setTurn] = useState(0);
	const latest = useRef(load);
	const underWay = useRef<AbortController>();
	latest.current = load;
	useEffect(() => {
		const abort = new AbortController();
		underWay.current = abort;
		setState((s) => (s.key === key ? { ...s, isLoading: true } : { key, isLoading: true }));
		latest.current(abort.signal).then(
			(data) => abort.signal.aborted || setState({ key, data, isLoading: false }),
			(e: unknown) =>
				abort.signal.aborted || setState((s) => ({ ...s, key, error: asError(e), isLoading: false })),
		);
		return () => abort.abort();
	}, [key, turn]);
	const reload = useCallback(() => setTurn((n) => n + 1), []);
	/** What was just heard is newer than an answer that is still on its way. */
	const set = useCallback(
		(data: T) => {
			underWay.current?.abort();
			setState({ key, data, isLoading: false });
		},
		[key],
	);
	const isOf = state.key === key;
	return {
		data: isOf ? state.data : undefined,
		error: isOf ? state.error : undefined,
		isLoading: isOf ? state.isLoading : true,
		reload,
		set,
	};
}

/** Asks again every so often, as long as somebody looks. */
export function useEvery(ms: number, ask: () => void): void {
	const latest = useRef(ask);
	latest.current = ask;
	useEffect(() => {
		const timer = setInterval(() => document.hidden || latest.current(), ms);
		const seen = (): void => void (document.hidden || latest.current());
		document.addEventListener("visibilitychange", seen);
		return () => {
			clearInterval(timer);
			document.removeEventListener("visibilitychange", seen);
		};
	}, [ms]);
}

export interface Action<A extends unknown[]> {
	run: (...args: A) => Promise<void>;
	isRunning: boolean;
	error: ApiError | undefined;
	clear: () => void;
}

/** Something the user asked for: one at a time, its error kept to be shown beside it. */
export function useAction<A extends unknown[]>(action: (...args: A) => Promise<void>): Action<A> {
	const [isRunning, setRunning] = useState(false);
	const [error, setError] = useState<ApiError>();
	const busy = useRef(false);
	const run = async (...args: A): Promise<void> => {
		if (busy.current) return;
		busy.current = true;
		setRunning(true);
		setError(undefined);
		try {
			await action(...args);
		} catch (e) {
			setError(asError(e));
		} finally {
			busy.current = false;
			setRunning(false);
		}
	};
	return { run, isRunning, error, clear: () => setError(undefined) };
}
