/** One delivery: the time line of its attempts, exact headers and body, and sending it again. */
import { useEffect } from "preact/hooks";
import {
	type ApiError,
	type Attempt,
	type DeliveryDetail,
	get,
	post,
	send,
	type Webhook,
	webhookPath,
} from "../api/client";
import { sayOf, useText } from "../i18n";
import { useAction, useLoad } from "../load";
import { hrefOf } from "../router";
import { may } from "../session";
import * as format from "../format";
import { Await, Button, Card, errorText, Failure, Head, Said } from "../ui/parts";
import { toast } from "../ui/toast";
import { useSession } from "../who";
import { AnswerBox, AttemptFacts, AttemptHead, headersText, RequestBox } from "./attempt";
import { DeliveryBadge, isGood, nameOf } from "./states";
import { inspect } from "./to_inspector";

const WATCH_MS = 2000;

type ItemProps = { attempt: Attempt; body: string | undefined; error: ApiError | undefined };

function AttemptItem({ attempt, body, error }: ItemProps) {
	const t = useText();
	const isSigned = attempt.requestHeaders.some((h) => h.name.toLowerCase() === "x-webhook-signature");
	return (
		<li class={isGood(attempt) ? "good" : "bad"}>
			<AttemptHead attempt={attempt} />
			<AttemptFacts attempt={attempt} />
			<details>
				<summary>{t("attempt.request")}</summary>
				<div class="stack">
					<RequestBox attempt={attempt} body={body} />
					{error && <p class="muted">{errorText(error)}</p>}
					{isSigned && body !== undefined && (
						<div>
							<Button isCompact onClick={() => inspect({ headers: headersText(attempt), body })}>
								{t("inspector.open")}
							</Button>
						</div>
					)}
				</div>
			</details>
			<details>
				<summary>{t("attempt.answer")}</summary>
				<AnswerBox attempt={attempt} />
			</details>
		</li>
	);
}

function Facts({ d, name }: { d: DeliveryDetail; name: string }) {
	const t = useText();
	return (
		<dl class="facts">
			<dt>{t("webhook")}</dt>
			<dd>
				<a href={hrefOf(["webhooks", d.webhookId])}>{name}</a>
			</dd>
			<dt>{t("call")}</dt>
			<dd>
				<a href={hrefOf(["calls", d.callId])} class="mono">
					{d.callId}
				</a>{" "}
				<span class="muted">
					{sayOf("call", d.callStatus)}, {t("version", { n: d.callVersion })}
				</span>
			</dd>
			<dt>webhook-id</dt>
			<dd class="mono">{d.id}</dd>
			<dt>{t("created")}</dt>
			<dd>{format.time(d.created)}</dd>
			{d.due && (
				<>
					<dt>{t("delivery.due")}</dt>
					<dd>{format.time(d.due)}</dd>
				</>
			)}
			{d.finished && (
				<>
					<dt>{t("delivery.finished")}</dt>
					<dd>{format.time(d.finished)}</dd>
				</>
			)}
			<dt>{t("delivery.tries")}</dt>
			<dd>{t("delivery.tries.text", { tries: d.tries, round: d.round + 1, attempts: d.attemptCount })}</dd>
			{(d.reason ?? d.waitsFor) && (
				<>
					<dt>{t("reason")}</dt>
					<dd>
						<Said text={(d.reason ?? d.waitsFor) as string} />
					</dd>
				</>
			)}
		</dl>
	);
}

export function DeliveryView({ id }: { id: string }) {
	const t = useText();
	const session = useSession();
	const delivery = useLoad(`delivery ${id}`, (signal) =>
		get<DeliveryDetail>(`v1/deliveries/${id}`, {}, signal),
	);
	const d = delivery.data;
	const webhook = useLoad(`webhook of ${d?.webhookId ?? ""}`, async (signal) =>
		d ? get<Webhook>(webhookPath(d.webhookId), {}, signal) : null,
	);
	const body = useLoad(`body of ${id}`, async (signal) =>
		may(session, "calls:read")
			? (await send("GET", `v1/deliveries/${id}/body`, { signal })).text()
			: undefined,
	);
	const isMoving = d && (d.state === "PENDING" || d.state === "DELIVERING");
	useEffect(() => {
		if (!isMoving) return undefined;
		const timer = setTimeout(delivery.reload, WATCH_MS);
		return () => clearTimeout(timer);
	}, [d]);
	const resend = useAction(async () => {
		delivery.set(await post<DeliveryDetail>(`v1/deliveries/${id}/resend`));
		toast(t("delivery.resent"));
	});
	return (
		<div class="view">
			<Head title={t("delivery.title")}>
				{d && <DeliveryBadge state={d.state} />}
				{d && may(session, "integrations:write") && (
					<Button isBusy={resend.isRunning} onClick={() => void resend.run()}>
						{t("delivery.resend")}
					</Button>
				)}
			</Head>
			<Failure error={resend.error} />
			<Await of={delivery}>
				{(one) => (
					<>
						<Card title={t("facts")}>
							<Facts d={one} name={webhook.data ? nameOf(webhook.data) : format.shortId(one.webhookId)} />
						</Card>
						<Card title={t("attempts")}>
							{one.attempts.length === 0 ? (
								<p class="muted">{t("attempts.none")}</p>
							) : (
								<ol class="line">
									{one.attempts.map((a) => (
										<AttemptItem key={a.id} attempt={a} body={body.data} error={body.error} />
									))}
								</ol>
							)}
						</Card>
					</>
				)}
			</Await>
		</div>
	);
}
