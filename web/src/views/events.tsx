/** Where the account's operational events go; their secret is shown once. */
import { useState } from "preact/hooks";
import { type Account, patch } from "../api/client";
import { useText } from "../i18n";
import { useAction } from "../load";
import { may } from "../session";
import { Button, Card, Failure, Notice, Said, SecretBox, TextField } from "../ui/parts";
import { useSession } from "../who";

export function EventsCard({ account, onChange }: { account: Account; onChange: () => void }) {
	const t = useText();
	const [url, setUrl] = useState(account.eventsUrl ?? "");
	const [secret, setSecret] = useState<string | null>(null);
	const mayChange = may(useSession(), "integrations:write");
	const save = useAction(async (wanted: string | null) => {
		const now = await patch<Account>("v1/account", { eventsUrl: wanted });
		setUrl(now.eventsUrl ?? "");
		setSecret(now.eventsSecret);
		onChange();
	});
	return (
		<Card title={t("events.title")}>
			<p>{t("events.text")}</p>
			{account.eventsReason && (
				<Notice tone="bad" title={t("events.off")}>
					<p>
						<Said text={account.eventsReason} />
					</p>
				</Notice>
			)}
			<form
				class="stack"
				onSubmit={(e) => {
					e.preventDefault();
					void save.run(url.trim() || null);
				}}
			>
				<TextField
					label={t("events.url")}
					type="url"
					inputMode="url"
					autocomplete="off"
					placeholder="https://"
					value={url}
					wrong={save.error?.of("/eventsUrl")}
					readOnly={!mayChange}
					onValue={setUrl}
				/>
				{mayChange && (
					<div class="row">
						<Button type="submit" kind="primary" isBusy={save.isRunning}>
							{t("events.save")}
						</Button>
						{account.eventsUrl && (
							<Button isBusy={save.isRunning} onClick={() => void save.run(null)}>
								{t("events.remove")}
							</Button>
						)}
					</div>
				)}
			</form>
			{secret && (
				<Notice tone="good" title={t("events.secret")}>
					<p>{t("secret.new.text")}</p>
					<SecretBox value={secret} />
				</Notice>
			)}
			{!save.error?.of("/eventsUrl") && <Failure error={save.error} />}
		</Card>
	);
}
