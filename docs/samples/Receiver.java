// Receives callhook's webhooks and verifies them. The JDK is all it needs (17 or later):
//
//     WEBHOOK_SECRET=whsec_... java Receiver.java 9000

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import java.util.concurrent.Executors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Receiver {
    private static final long TOLERANCE_SECONDS = 300;

    private final byte[] key;

    Receiver(String secret) {
        final var prefix = "whsec_";
        // A secret of your own without the prefix is used as it is.
        key = secret.startsWith(prefix)
                ? Base64.getDecoder().decode(secret.substring(prefix.length()))
                : secret.getBytes(UTF_8);
    }

    /** The body must be the bytes that came: not parsed, not decoded, not written again. */
    boolean isGenuine(Headers headers, byte[] body) throws GeneralSecurityException {
        final var id = headers.getFirst("webhook-id");
        final var timestamp = headers.getFirst("webhook-timestamp");
        final var signatures = headers.getFirst("webhook-signature");
        if (id == null || timestamp == null || signatures == null || !timestamp.matches("[0-9]{1,12}")) {
            return false;
        }
        if (Math.abs(Instant.now().getEpochSecond() - Long.parseLong(timestamp)) > TOLERANCE_SECONDS) {
            return false;
        }
        final var mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        mac.update((id + "." + timestamp + ".").getBytes(UTF_8));
        final var expected = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(body))).getBytes(UTF_8);
        // While a secret is rotated there are two, with a space between them.
        var isGenuine = false;
        for (final var signature : signatures.split(" ")) {
            isGenuine |= MessageDigest.isEqual(expected, signature.getBytes(UTF_8));
        }
        return isGenuine;
    }

    void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            final var body = new ByteArrayOutputStream();
            exchange.getRequestBody().transferTo(body);
            final var isGenuine = isGenuine(exchange.getRequestHeaders(), body.toByteArray());
            if (isGenuine) {
                // Keep the body under its webhook-id here, and do the work afterwards.
                System.out.println("call " + exchange.getRequestHeaders().getFirst("webhook-id"));
            }
            exchange.sendResponseHeaders(isGenuine ? 204 : 401, -1);
        } catch (GeneralSecurityException e) {
            throw new IOException(e);
        }
    }

    public static void main(String[] args) throws IOException {
        final var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 0);
        final var receiver = new Receiver(System.getenv("WEBHOOK_SECRET"));
        server.createContext("/", receiver::handle);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
        System.out.println("listening on port " + server.getAddress().getPort());
    }
}
