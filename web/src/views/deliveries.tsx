/** Deliveries, newest first: filters in the address bar, live as attempts happen. */
import { memo } from "preact/compat";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import {
	address,
	type Delivery,
	type DeliveryPage,
	get,
	type Query,
	type StreamEvent,
	type WebhookList,
} from "../api/client";
import { sayOf, useText } from "../i18n";
import { useAction, useLoad } from "../load";
import { hrefOf, replace } from "../router";
import * as format from "../format";
import {
	Await,
	Badge,
	Button,
	Empty,
	Failure,
	Filters,
	Head,
	Said,
	SelectField,
	Table,
	TextField,
} from "../ui/parts";
import { DeliveryBadge, nameOf } from "./states";

const STATES = ["PENDING", "DELIVERING", "DELIVERED", "FAILED", "PARKED", "CANCELED"] as const;
const PAGE = 50;
const ROWS_MAX = 1000; // of a list that grows by itself
const EMPTY_PAGES = 20; // so many in a row are passed over; then the reader decides
const NEW_LIST_MS = 1000; // at most so often is the list asked for again
const NAMES = ["webhookId", "state", "callId", "from", "to"] as const;

type Narrowed = Record<(typeof NAMES)[number], string>;

function filtersOf(query: URLSearchParams): Narrowed {
	return Object.fromEntries(NAMES.map((n) => [n, query.get(n) ?? ""])) as Narrowed;
}

function asQuery(f: Narrowed): Record<string, string> {
	const moment = (text: string): string => (text ? new Date(text).toISOString() : "");
	const callId = format.isId(f.callId) ? f.callId.toLowerCase() : ""; // half typed, it narrows nothing
	return { ...f, callId, from: moment(f.from), to: moment(f.to) };
}

/** A page, or the first that has something: those of a state that few have can be empty though more follow. */
async function getPage(query: Query, signal?: AbortSignal): Promise<DeliveryPage> {
	let got = await get<DeliveryPage>("v1/deliveries", query, signal);
	for (let i = 0; i < EMPTY_PAGES && got.content.length === 0 && got.next; i++)
		got = await get<DeliveryPage>("v1/deliveries", { ...query, after: got.next }, signal);
	return got;
}

/** Tells of attempts as they happen. The browser connects again by itself, and says where it was. */
function useLive(isOn: boolean, webhookId: string, onEvent: (e: StreamEvent) => void): boolean {
	const [isOpen, setOpen] = useState(false);
	const latest = useRef(onEvent);
	latest.current = onEvent;
	useEffect(() => {
		if (!isOn) return undefined;
		const source = new EventSource(address("v1/deliveries/stream", { webhookId }));
		const take = (e: MessageEvent<string>): void => latest.current(JSON.parse(e.data) as StreamEvent);
		source.onopen = () => setOpen(true);
		source.onerror = () => setOpen(false);
		source.onmessage = take;
		source.addEventListener("attempt", take as EventListener);
		return () => {
			source.close();
			setOpen(false);
		};
	}, [isOn, webhookId]);
	return isOpen;
}

/** Calls f soon, but not more often than every so many milliseconds. */
function useCalm(f: () => void, everyMs: number): () => void {
	const timer = useRef<number>();
	useEffect(() => () => clearTimeout(timer.current), []);
	return () => {
		if (timer.current !== undefined) return;
		timer.current = window.setTimeout(() => {
			timer.current = undefined;
			f();
		}, everyMs);
	};
}

/** Only drawn again when it is another: a thousand of them are looked through each time that something happens. */
const Row = memo(function Row({ d, names }: { d: Delivery; names: Map<string, string> }) {
	const t = useText();
	const why = d.reason ?? d.waitsFor;
	return (
		<tr role="row">
			<th scope="row" role="rowheader" class="nowrap">
				<a href={hrefOf(["deliveries", d.id])}>
					<time dateTime={d.created}>{format.time(d.created)}</time>
				</a>
			</th>
			<td role="cell">
				<DeliveryBadge state={d.state} />
			</td>
			<td role="cell" class="break" data-label={t("webhook")}>
				<a href={hrefOf(["webhooks", d.webhookId])}>
					{names.get(d.webhookId) ?? format.shortId(d.webhookId)}
				</a>
			</td>
			<td role="cell" data-label={t("call")}>
				<a href={hrefOf(["calls", d.callId])} class="mono">
					{format.shortId(d.callId)}
				</a>{" "}
				<span class="muted small">{sayOf("call", d.callStatus)}</span>
			</td>
			<td role="cell" class="number" data-label={t("attempts")}>
				{format.number(d.attemptCount)}
			</td>
			<td role="cell" class="break small">
				{why !== null && <Said text={why} />}
			</td>
		</tr>
	);
});

function FilterBar({ filters, webhooks }: { filters: Narrowed; webhooks: [string, string][] }) {
	const t = useText();
	const set = (part: Partial<Narrowed>): void => replace(hrefOf(["deliveries"], { ...filters, ...part }));
	return (
		<Filters inUse={NAMES.filter((n) => filters[n]).length}>
			<SelectField
				label={t("webhook")}
				value={filters.webhookId}
				onValue={(webhookId) => set({ webhookId })}
				options={[["", t("all")], ...webhooks]}
			/>
			<SelectField
				label={t("state")}
				value={filters.state}
				onValue={(state) => set({ state })}
				options={[["", t("all")], ...STATES.map((s): [string, string] => [s, sayOf("delivery", s)])]}
			/>
			<TextField
				label={t("call.id")}
				value={filters.callId}
				wrong={filters.callId && !format.isId(filters.callId) ? t("call.id.wrong") : undefined}
				autocomplete="off"
				onValue={(callId) => set({ callId: callId.trim() })}
			/>
			<TextField
				label={t("from")}
				type="datetime-local"
				value={filters.from}
				onValue={(from) => set({ from })}
			/>
			<TextField label={t("to")} type="datetime-local" value={filters.to} onValue={(to) => set({ to })} />
		</Filters>
	);
}

interface Shown {
	rows: Delivery[]; // newest first
	next: string | null; // where the older ones begin
}

/** The newest page is the truth as far as it goes; what was loaded of the older ones stays below it, unless so many are
 * new that there would be a hole. */
function merged(before: Shown | undefined, page: DeliveryPage): Shown {
	const last = page.content.at(-1)?.id;
	const older = before && last !== undefined ? before.rows.filter((d) => d.id < last) : [];
	const isJoined = before?.rows.some((d) => d.id === last);
	if (page.next === null || !before || !isJoined || older.length === 0 || before.rows.length > ROWS_MAX)
		return { rows: page.content, next: page.next };
	return { rows: [...page.content, ...older], next: before.next };
}

function useDeliveries(filters: Narrowed) {
	const query = asQuery(filters);
	const key = JSON.stringify(query);
	const latest = useRef<Shown & { of: string }>();
	const keep = (shown: Shown): Shown => {
		latest.current = { ...shown, of: key };
		return shown;
	};
	const ask = (after: string | null, signal?: AbortSignal): Promise<DeliveryPage> =>
		getPage({ ...query, size: PAGE, after }, signal);
	const list = useLoad<Shown>(`deliveries ${key}`, async (signal) => {
		const page = await ask(null, signal);
		return keep(merged(latest.current?.of === key ? latest.current : undefined, page));
	});
	const older = useAction(async () => {
		const from = latest.current as Shown;
		const page = await ask(from.next);
		list.set(keep({ rows: [...from.rows, ...page.content], next: page.next }));
	});
	return { list, older };
}

/** While somebody points at the list or is in it with the keyboard, no row may move from under them. */
function useStill(rows: Delivery[]) {
	const [still, setStill] = useState<Delivery[]>();
	const isIn = useRef({ pointer: false, focus: false });
	const look = (part: Partial<{ pointer: boolean; focus: boolean }>): void => {
		Object.assign(isIn.current, part);
		const { pointer, focus } = isIn.current;
		setStill((s) => (pointer || focus ? (s ?? rows) : undefined));
	};
	const now = new Map(rows.map((d) => [d.id, d]));
	const known = new Set(still?.map((d) => d.id));
	return {
		rows: still ? still.map((d) => now.get(d.id) ?? d) : rows,
		hasNews: still !== undefined && rows.some((d) => !known.has(d.id)),
		show: () => setStill(undefined),
		handlers: {
			onPointerEnter: () => look({ pointer: true }),
			onPointerLeave: () => look({ pointer: false }),
			onFocusIn: () => look({ focus: true }),
			onFocusOut: () => look({ focus: false }),
		},
	};
}

function Rows({
	shown,
	names,
	onNews,
}: {
	shown: Delivery[];
	names: Map<string, string>;
	onNews: (show: (() => void) | undefined) => void;
}) {
	const t = useText();
	const still = useStill(shown);
	useEffect(() => onNews(still.hasNews ? still.show : undefined), [still.hasNews]);
	useEffect(() => () => onNews(undefined), []);
	return (
		<div {...still.handlers}>
			<Table
				caption={t("nav.deliveries")}
				heads={["created", "state", "webhook", "call", "attempts", "reason"]}
			>
				{still.rows.map((d) => (
					<Row key={d.id} d={d} names={names} />
				))}
			</Table>
		</div>
	);
}

export function DeliveryList({ query }: { query: URLSearchParams }) {
	const t = useText();
	const filters = filtersOf(query);
	const [isLive, setLive] = useState(true);
	const [news, setNews] = useState<{ show: () => void }>();
	const { list, older } = useDeliveries(filters);
	const webhooks = useLoad("webhooks", (signal) => get<WebhookList>("v1/webhooks", {}, signal));
	const options = (webhooks.data?.content ?? []).map((w): [string, string] => [w.id, nameOf(w)]);
	const names = useMemo(() => new Map(options), [webhooks.data]);
	const refresh = useCalm(list.reload, NEW_LIST_MS);
	const isOpen = useLive(isLive, filters.webhookId, refresh);
	const isFiltered = Object.values(filters).some(Boolean);
	return (
		<div class="view">
			<Head title={t("nav.deliveries")}>
				{news && (
					<div class="news">
						<Button
							isCompact
							kind="primary"
							title={t("live.held")}
							onClick={() => {
								news.show();
								scrollTo({ top: 0 });
							}}
						>
							{t("live.show")}
						</Button>
					</div>
				)}
				<Badge isSteady tone={isLive && isOpen ? "good" : "none"}>
					{t(isLive && isOpen ? "live.on" : "live.off")}
				</Badge>
				<Button isCompact aria-pressed={!isLive} onClick={() => setLive(!isLive)}>
					{t(isLive ? "live.pause" : "live.go")}
				</Button>
			</Head>
			<FilterBar filters={filters} webhooks={options} />
			<Await of={list}>
				{({ rows, next }) => (
					<>
						{rows.length === 0 && next === null ? (
							<Empty title={t("deliveries.none")}>
								<p>{t(isFiltered ? "deliveries.none.filtered" : "deliveries.none.text")}</p>
							</Empty>
						) : (
							<Rows
								key={JSON.stringify(filters)}
								shown={rows}
								names={names}
								onNews={(show) => setNews(show && { show })}
							/>
						)}
						{next !== null && (
							<div>
								<Button isBusy={older.isRunning} onClick={() => void older.run()}>
									{t("older")}
								</Button>
							</div>
						)}
					</>
				)}
			</Await>
			<Failure error={older.error} />
		</div>
	);
}
