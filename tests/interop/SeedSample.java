// The platform's documented verification sample. Changed: where the secret and the payload come from,
// and that the result is printed.
import org.apache.commons.codec.binary.Hex;
import java.security.InvalidKeyException;
import java.security.NoSuchAlgorithmException;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import static java.nio.charset.StandardCharsets.UTF_8;
import java.nio.file.Files;
import java.nio.file.Path;

public class SeedSample {
    public static void main(String[] args) throws Exception {
        final var SECRET_KEY = args[0];
        final var payload = Files.readString(Path.of(args[1]), UTF_8);
        try {
            final var mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(SECRET_KEY.getBytes(UTF_8), "HmacSHA256"));
            final byte[] rawHmac = mac.doFinal(payload.getBytes());
            final byte[] hexBytes = new Hex().encode(rawHmac);
            final var signature = new String(hexBytes, UTF_8);
            System.out.println(signature);
        } catch (final NoSuchAlgorithmException | InvalidKeyException e) {
            System.err.println("Error occurred!");
        }
    }
}
