/** Deliveries, newest first: filters in the address bar, live as attempts happen. */
import { useEffect, useRef, useState } from "preact/hooks";
import {
	address,
	type Delivery,
	type DeliveryPage,
	get,
	type StreamEvent,
	type WebhookList,
} from "../api/client";
import { sayOf, useText } from "../i18n";
import { useAction, useLoad } from "../load";
import { hrefOf, replace } from "../router";
import * as format from "../format";
import { Await, Badge, Button, Empty, Failure, Head, Said, SelectField, Table, TextField } from "../ui/parts";
import { DeliveryBadge, nameOf } from "./states";

const STATES = ["PENDING", "DELIVERING", "DELIVERED", "FAILED", "PARKED", "CANCELED"] as const;
const PAGE = 50;
const NEW_LIST_MS = 1000; // at most so often is the list asked for again
const NAMES = ["webhookId", "state", "callId", "from", "to"] as const;

type Filters = Record<(typeof NAMES)[number], string>;

function filtersOf(query: URLSearchParams): Filters {
	return Object.fromEntries(NAMES.map((n) => [n, query.get(n) ?? ""])) as Filters;
}

function asQuery(f: Filters): Record<string, string> {
	const moment = (text: string): string => (text ? new Date(text).toISOString() : "");
	return { ...f, from: moment(f.from), to: moment(f.to) };
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

function Row({ d, names }: { d: Delivery; names: Map<string, string> }) {
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
}

function FilterBar({ filters, webhooks }: { filters: Filters; webhooks: [string, string][] }) {
	const t = useText();
	const set = (part: Partial<Filters>): void => replace(hrefOf(["deliveries"], { ...filters, ...part }));
	return (
		<form class="filters" role="search" onSubmit={(e) => e.preventDefault()}>
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
		</form>
	);
}

export function DeliveryList({ query }: { query: URLSearchParams }) {
	const t = useText();
	const filters = filtersOf(query);
	const [isLive, setLive] = useState(true);
	const [older, setOlder] = useState<{ of: string; rows: Delivery[]; next: string | null }>();
	const key = JSON.stringify(filters);
	const page = useLoad(`deliveries ${key}`, (signal) =>
		get<DeliveryPage>("v1/deliveries", { ...asQuery(filters), size: PAGE }, signal),
	);
	const webhooks = useLoad("webhooks", (signal) => get<WebhookList>("v1/webhooks", {}, signal));
	const options = (webhooks.data?.content ?? []).map((w): [string, string] => [w.id, nameOf(w)]);
	const refresh = useCalm(page.reload, NEW_LIST_MS);
	const isOpen = useLive(isLive, filters.webhookId, refresh);
	const more = older?.of === key ? older : undefined;
	const next = more ? more.next : (page.data?.next ?? null);
	const loadOlder = useAction(async () => {
		const got = await get<DeliveryPage>("v1/deliveries", { ...asQuery(filters), size: PAGE, after: next });
		setOlder({ of: key, rows: [...(more?.rows ?? []), ...got.content], next: got.next });
	});
	const isFiltered = Object.values(filters).some(Boolean);
	return (
		<div class="view">
			<Head title={t("nav.deliveries")}>
				<Badge tone={isLive && isOpen ? "good" : "none"}>
					{t(isLive && isOpen ? "live.on" : "live.off")}
				</Badge>
				<Button isCompact aria-pressed={!isLive} onClick={() => setLive(!isLive)}>
					{t(isLive ? "live.pause" : "live.go")}
				</Button>
			</Head>
			<FilterBar filters={filters} webhooks={options} />
			<Await of={page}>
				{(data) => {
					const seen = new Set(data.content.map((d) => d.id));
					const rows = [...data.content, ...(more?.rows ?? []).filter((d) => !seen.has(d.id))];
					return rows.length === 0 && next === null ? (
						<Empty title={t("deliveries.none")}>
							<p>{t(isFiltered ? "deliveries.none.filtered" : "deliveries.none.text")}</p>
						</Empty>
					) : (
						<Table
							caption={t("nav.deliveries")}
							heads={["created", "state", "webhook", "call", "attempts", "reason"]}
						>
							{rows.map((d) => (
								<Row key={d.id} d={d} names={new Map(options)} />
							))}
						</Table>
					);
				}}
			</Await>
			{next !== null && (
				<div>
					<Button isBusy={loadOlder.isRunning} onClick={() => void loadOlder.run()}>
						{t("older")}
					</Button>
				</div>
			)}
			<Failure error={loadOlder.error} />
		</div>
	);
}
