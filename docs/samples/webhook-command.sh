#!/usr/bin/env bash
# What webhook.json runs for a request whose X-Webhook-Signature fits. That one does not cover the time, so an old
# request could be sent again: this checks webhook-signature, which does. An exit that is not 0 makes `webhook` answer 500.
set -euo pipefail

tolerance_seconds=300

# The secret's bytes as hex, as openssl wants them.
case $WEBHOOK_SECRET in
whsec_*) key=$(printf %s "${WEBHOOK_SECRET#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n') ;;
*) key=$(printf %s "$WEBHOOK_SECRET" | od -An -v -tx1 | tr -d ' \n') ;;
esac

[[ $WEBHOOK_TIMESTAMP =~ ^[0-9]{1,12}$ ]] || { echo "no timestamp"; exit 1; }
age=$(($(date +%s) - 10#$WEBHOOK_TIMESTAMP))
if ((age > tolerance_seconds || age < -tolerance_seconds)); then
    echo "stale"
    exit 1
fi

expected=v1,$({ printf '%s.%s.' "$WEBHOOK_ID" "$WEBHOOK_TIMESTAMP"; cat "$BODY_FILE"; } |
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64 -w0)
# While a secret is rotated there are two, with a space between them.
case " $WEBHOOK_SIGNATURE " in
*" $expected "*) ;;
*)
    echo "another signature"
    exit 1
    ;;
esac

# Keep "$BODY_FILE" under "$WEBHOOK_ID" here: it is removed when this ends.
echo "call $WEBHOOK_ID"
