/** One call: the record as data and as bytes, its deliveries, and erasing it. */
import { useState } from "preact/hooks";
import {
	type AgentPage,
	type Call,
	type DeliveryPage,
	type Extractor,
	get,
	remove,
	send,
} from "../api/client";
import { sayOf, useText } from "../i18n";
import { useAction, useLoad } from "../load";
import { go, hrefOf } from "../router";
import { isPermitted, may } from "../session";
import * as format from "../format";
import { Await, Button, Card, Confirm, Copy, Head } from "../ui/parts";
import { toast } from "../ui/toast";
import { useSession } from "../who";
import { CallBadge, DeliveryBadge } from "./states";

function Extractors({ list }: { list: Extractor[] }) {
	return (
		<dl class="facts">
			{list.map((x, i) => [
				<dt key={`${i} name`}>{x.name}</dt>,
				<dd key={`${i} value`}>
					{x.value.every((v) => typeof v === "string") ? (
						(x.value as string[]).join(", ")
					) : (
						<Extractors list={x.value.filter((v) => typeof v !== "string") as Extractor[]} />
					)}
				</dd>,
			])}
		</dl>
	);
}

function Data({ c, agent }: { c: Call; agent: string | undefined }) {
	const t = useText();
	const context = Object.entries(c.context ?? {});
	return (
		<div class="columns">
			<Card title={t("facts")} aside={<CallBadge status={c.status} />}>
				<dl class="facts">
					<dt>{t("call.id")}</dt>
					<dd class="mono">{c.id}</dd>
					<dt>{t("agent")}</dt>
					<dd>
						{agent && <div>{agent}</div>}
						<span class="mono">{c.agentId}</span>
					</dd>
					<dt>{t("call.phone")}</dt>
					<dd>{c.phone ?? t(c.anonymous ? "call.anonymous" : "none")}</dd>
					<dt>{t("call.type")}</dt>
					<dd>{sayOf("type", c.type)}</dd>
					<dt>{t("call.duration")}</dt>
					<dd>{c.duration === null ? "–" : format.length(c.duration)}</dd>
					<dt>{t("call.start")}</dt>
					<dd>{format.time(c.startTime)}</dd>
					<dt>{t("call.end")}</dt>
					<dd>{format.time(c.endTime)}</dd>
					<dt>{t("call.recorded")}</dt>
					<dd>{t(c.recorded ? "yes" : "no")}</dd>
				</dl>
				{c.summary && (
					<>
						<h3>{t("call.summary")}</h3>
						<p class="break">{c.summary}</p>
					</>
				)}
			</Card>
			<div class="stack">
				<Card title={t("call.extractors")}>
					{c.extractors.length ? <Extractors list={c.extractors} /> : <p class="muted">{t("none")}</p>}
				</Card>
				<Card title={t("call.classifiers")}>
					{c.classifiers.length ? (
						<dl class="facts">
							{c.classifiers.map((one, i) => [
								<dt key={`${i} name`}>{one.name}</dt>,
								<dd key={`${i} value`}>
									{one.value} <span class="muted small">{sayOf("classifier", one.type)}</span>
								</dd>,
							])}
						</dl>
					) : (
						<p class="muted">{t("none")}</p>
					)}
				</Card>
				{context.length > 0 && (
					<Card title={t("call.context")}>
						<dl class="facts">
							{context.map(([name, value]) => [
								<dt key={`${name} name`}>{name}</dt>,
								<dd key={`${name} value`}>{typeof value === "string" ? value : JSON.stringify(value)}</dd>,
							])}
						</dl>
					</Card>
				)}
			</div>
		</div>
	);
}

const LINE: Record<string, string> = { DELIVERED: "good", FAILED: "bad" };

function Deliveries({ id }: { id: string }) {
	const t = useText();
	const page = useLoad(`deliveries of ${id}`, (signal) =>
		get<DeliveryPage>("v1/deliveries", { callId: id, size: 50 }, signal),
	);
	return (
		<Card title={t("nav.deliveries")}>
			<Await of={page}>
				{(data) =>
					data.content.length === 0 ? (
						<p class="muted">{t("call.deliveries.none")}</p>
					) : (
						<ul class="line">
							{data.content.map((d) => (
								<li key={d.id} class={LINE[d.state]}>
									<div class="row">
										<DeliveryBadge state={d.state} />
										<a href={hrefOf(["deliveries", d.id])}>{format.time(d.created)}</a>
										<span class="muted small">{t("version", { n: d.callVersion })}</span>
									</div>
								</li>
							))}
						</ul>
					)
				}
			</Await>
		</Card>
	);
}

function EraseCard({ id }: { id: string }) {
	const t = useText();
	const [isAsking, setAsking] = useState(false);
	const erase = useAction(async () => {
		await remove<void>(`v1/calls/${id}`);
		toast(t("call.erased"));
		go(hrefOf(["calls"]));
	});
	return (
		<Card title={t("call.erase")}>
			<p class="muted">{t("call.erase.text")}</p>
			<div>
				<Button kind="danger" onClick={() => setAsking(true)}>
					{t("call.erase")}
				</Button>
			</div>
			{isAsking && (
				<Confirm
					title={t("call.erase")}
					text={t("call.erase.text")}
					action={t("call.erase")}
					phrase={id.slice(0, 8)}
					error={erase.error}
					isBusy={erase.isRunning}
					onConfirm={() => void erase.run()}
					onClose={() => setAsking(false)}
				/>
			)}
		</Card>
	);
}

export function CallView({ id }: { id: string }) {
	const t = useText();
	const session = useSession();
	const record = useLoad(`call ${id}`, async (signal) => {
		// The names with the record, so that nothing moves; without them it is shown too.
		const named = get<AgentPage>("v1/agents", { size: 100 }, signal).catch(() => null);
		const text = await (await send("GET", `v1/calls/${encodeURIComponent(id)}`, { signal })).text();
		const call = JSON.parse(text) as Call;
		const one = (await named)?.content.find((a) => a.id === call.agentId);
		return { text, call, agent: one && one.name !== one.id ? one.name : undefined };
	});
	return (
		<div class="view">
			<Head title={t("call.title", { id: format.shortId(id) })} />
			<Await of={record}>
				{({ text, call, agent }) => (
					<>
						<Data c={call} agent={agent} />
						<Card title={t("call.bytes")} aside={<Copy text={text} />}>
							<p class="muted">{t("call.bytes.text", { count: format.number(new Blob([text]).size) })}</p>
							<pre tabIndex={0}>{text}</pre>
						</Card>
						{may(session, "integrations:read") && <Deliveries id={call.id} />}
						{may(session, "calls:write") && isPermitted(session, "erase") && <EraseCard id={call.id} />}
					</>
				)}
			</Await>
		</div>
	);
}
