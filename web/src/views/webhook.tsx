/** One webhook: its settings, security, test, state and switch. */
import { useState } from "preact/hooks";
import { get, patch, post, remove, type Webhook, webhookPath } from "../api/client";
import { useText } from "../i18n";
import { useAction, useEvery, useLoad } from "../load";
import { go, hrefOf } from "../router";
import { may } from "../session";
import * as format from "../format";
import { Await, Button, Card, Choice, Confirm, Failure, Head } from "../ui/parts";
import { toast } from "../ui/toast";
import { useSession } from "../who";
import { ReplayCard } from "./replay";
import { SecretCard } from "./secret";
import { LaneBadge, LaneReason, nameOf } from "./states";
import { TestCard } from "./test_call";
import { WebhookForm } from "./webhook_form";

const WATCH_MS = 5000;

export function NewWebhook() {
	const t = useText();
	const create = useAction(async (input: object) => {
		const made = await post<Webhook>("v1/webhooks", input);
		toast(t("webhook.created"));
		go(hrefOf(["webhooks", made.id]));
	});
	return (
		<div class="view">
			<Head title={t("webhooks.add")} />
			<Card title={t("webhook.settings")}>
				<WebhookForm
					webhook={null}
					action={t("webhook.create")}
					error={create.error}
					isBusy={create.isRunning}
					onSubmit={(input) => void create.run(input)}
				/>
			</Card>
		</div>
	);
}

type Props = { webhook: Webhook; onChange: (w: Webhook) => void };

function Enable({ webhook, onChange }: Props) {
	const t = useText();
	const [isDelivering, setDelivering] = useState(true);
	const hasParked = webhook.parked > 0;
	const enable = useAction(async () => {
		onChange(
			await post<Webhook>(webhookPath(webhook.id, "/enable"), { deliverParked: hasParked && isDelivering }),
		);
		toast(t("switch.isOn"));
	});
	return (
		<>
			{hasParked && (
				<Choice
					label={t("switch.deliver", { count: format.number(webhook.parked) })}
					isOn={isDelivering}
					onChange={setDelivering}
				/>
			)}
			<div>
				<Button kind="primary" isBusy={enable.isRunning} onClick={() => void enable.run()}>
					{t("switch.on")}
				</Button>
			</div>
			<Failure error={enable.error} />
		</>
	);
}

function Disable({ webhook, onChange }: Props) {
	const t = useText();
	const disable = useAction(async () => {
		onChange(await post<Webhook>(webhookPath(webhook.id, "/disable")));
		toast(t("switch.isOff"));
	});
	const release = useAction(async () => {
		onChange(await post<Webhook>(webhookPath(webhook.id, "/enable"), { deliverParked: true }));
		toast(t("switch.released"));
	});
	return (
		<>
			<p class="muted">{t("switch.off.text")}</p>
			<div class="row">
				<Button isBusy={disable.isRunning} onClick={() => void disable.run()}>
					{t("switch.off")}
				</Button>
				{webhook.parked > 0 && (
					<Button isBusy={release.isRunning} onClick={() => void release.run()}>
						{t("switch.release", { count: format.number(webhook.parked) })}
					</Button>
				)}
			</div>
			<Failure error={disable.error ?? release.error} />
		</>
	);
}

function StateCard({ webhook, onChange }: Props) {
	const t = useText();
	const canWrite = may(useSession(), "integrations:write");
	return (
		<Card title={t("state")} aside={<LaneBadge state={webhook.state} />}>
			<LaneReason webhook={webhook} />
			<dl class="tiles">
				<div>
					<dt>{t("webhook.inFlight")}</dt>
					<dd>
						{webhook.window === null
							? format.number(webhook.inFlight)
							: t("webhook.inFlight.of", {
									count: format.number(webhook.inFlight),
									most: format.number(webhook.window),
								})}
					</dd>
				</div>
				<div>
					<dt>{t("webhook.parked")}</dt>
					<dd>{format.number(webhook.parked)}</dd>
				</div>
				<div>
					<dt>{t("created")}</dt>
					<dd>{format.time(webhook.created)}</dd>
				</div>
			</dl>
			<div class="row">
				<a href={hrefOf(["deliveries"], { webhookId: webhook.id })}>{t("webhook.deliveries")}</a>
				<a href={hrefOf(["health"], { webhookId: webhook.id })}>{t("webhook.health")}</a>
			</div>
			{canWrite &&
				(webhook.enabled ? (
					<Disable webhook={webhook} onChange={onChange} />
				) : (
					<Enable webhook={webhook} onChange={onChange} />
				))}
		</Card>
	);
}

function DeleteCard({ webhook }: { webhook: Webhook }) {
	const t = useText();
	const [isAsking, setAsking] = useState(false);
	const name = nameOf(webhook);
	const erase = useAction(async () => {
		await remove<void>(webhookPath(webhook.id));
		toast(t("webhook.deleted"));
		go(hrefOf(["webhooks"]));
	});
	return (
		<Card title={t("webhook.delete")}>
			<p class="muted">{t("webhook.delete.text")}</p>
			<div>
				<Button kind="danger" onClick={() => setAsking(true)}>
					{t("webhook.delete")}
				</Button>
			</div>
			{isAsking && (
				<Confirm
					title={t("webhook.delete.title", { name })}
					text={t("webhook.delete.text")}
					action={t("webhook.delete")}
					phrase={name}
					error={erase.error}
					isBusy={erase.isRunning}
					onConfirm={() => void erase.run()}
					onClose={() => setAsking(false)}
				/>
			)}
		</Card>
	);
}

export function WebhookView({ id }: { id: string }) {
	const t = useText();
	const canWrite = may(useSession(), "integrations:write");
	const webhook = useLoad(`webhook ${id}`, (signal) => get<Webhook>(webhookPath(id), {}, signal));
	useEvery(WATCH_MS, webhook.reload);
	const save = useAction(async (input: object) => {
		webhook.set(await patch<Webhook>(webhookPath(id), input));
		toast(t("saved"));
	});
	return (
		<div class="view">
			<Head title={webhook.data ? nameOf(webhook.data) : t("webhook")} />
			<Await of={webhook}>
				{(w) => (
					<>
						<StateCard webhook={w} onChange={webhook.set} />
						<div class="columns">
							<div class="stack">
								<Card title={t("webhook.settings")}>
									<WebhookForm
										webhook={w}
										action={t("save")}
										error={save.error}
										isBusy={save.isRunning}
										isReadOnly={!canWrite}
										onSubmit={(input) => void save.run(input)}
									/>
								</Card>
							</div>
							<div class="stack">
								<SecretCard webhook={w} onChange={webhook.reload} />
								{canWrite && w.enabled && <ReplayCard webhook={w} />}
							</div>
						</div>
						{canWrite && <TestCard webhook={w} onDone={webhook.reload} />}
						{canWrite && <DeleteCard webhook={w} />}
					</>
				)}
			</Await>
		</div>
	);
}
