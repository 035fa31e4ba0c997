/** The account's two API keys: rotated apart, so that nothing has to stop; and where its events go. */
import { useState } from "preact/hooks";
import { type Account, get, isSignedIn, type NewKey, post, signedOut } from "../api/client";
import { type Key, useText } from "../i18n";
import { useAction, useLoad } from "../load";
import { isPermitted, may } from "../session";
import * as format from "../format";
import { Await, Button, Card, Confirm, Head, Notice, SecretBox } from "../ui/parts";
import { useSession } from "../who";
import { EventsCard } from "./events";

type Slot = "primary" | "secondary";

function KeyCard({ slot, created }: { slot: Slot; created: string | null }) {
	const t = useText();
	const [made, setMade] = useState<NewKey>();
	const [isOver, setOver] = useState(false);
	const [isAsking, setAsking] = useState(false);
	const since = made?.created ?? created;
	const name = t(`keys.${slot}` satisfies Key);
	const session = useSession();
	const mayRotate = may(session, "integrations:write") && isPermitted(session, "keys");
	const rotate = useAction(async () => {
		setMade(await post<NewKey>(`v1/account/keys/${slot}/rotate`));
		setAsking(false);
		// With the key one's own session may have ended. The new key is shown nowhere else: it has to stay.
		setOver(!(await isSignedIn().catch(() => true)));
	});
	return (
		<Card title={name}>
			<p class="muted">{since ? t("keys.created", { time: format.time(since) }) : t("keys.unset")}</p>
			{made && (
				<Notice tone="good" title={t("keys.new")}>
					<p>{t("keys.new.text")}</p>
					<SecretBox value={made.key} />
					{isOver && (
						<>
							<p>{t("keys.over")}</p>
							<div>
								<Button isCompact onClick={signedOut}>
									{t("session.again")}
								</Button>
							</div>
						</>
					)}
				</Notice>
			)}
			{mayRotate && (
				<div>
					<Button kind="danger" onClick={() => setAsking(true)}>
						{t("keys.rotate")}
					</Button>
				</div>
			)}
			{isAsking && (
				<Confirm
					title={`${t("keys.rotate")}: ${name}`}
					text={t("keys.rotate.text")}
					action={t("keys.rotate")}
					error={rotate.error}
					isBusy={rotate.isRunning}
					onConfirm={() => void rotate.run()}
					onClose={() => setAsking(false)}
				/>
			)}
		</Card>
	);
}

export function Keys() {
	const t = useText();
	const account = useLoad("account", (signal) => get<Account>("v1/account", {}, signal));
	return (
		<div class="view">
			<Head title={t("nav.keys")} />
			<p>{t("keys.text")}</p>
			<Await of={account}>
				{(a) => (
					<>
						<div class="columns">
							<KeyCard slot="primary" created={a.keys.primary.created} />
							<KeyCard slot="secondary" created={a.keys.secondary.created} />
						</div>
						<EventsCard account={a} onChange={account.reload} />
					</>
				)}
			</Await>
		</div>
	);
}
