package dev.platter.nbd.tls;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;
import javax.security.auth.x500.X500Principal;
import org.jspecify.annotations.Nullable;

/**
 * Writes distinguished names as the peer tools do, so that what is allowed there is allowed here: in the certificate's order
 * (RFC 4514 has the reverse), without blanks, with the escapes of RFC 4514. Attributes whose name or type of string is not
 * known to them are written as {@code 1.2.3.4=#} and the DER of the value. Source: GnuTLS, {@code gnutls_x509_crt_get_dn}.
 */
public final class DistinguishedNames {
    private static final int UTF8_STRING = 0x0c;
    private static final int NUMERIC_STRING = 0x12;
    private static final int PRINTABLE_STRING = 0x13;
    private static final int TELETEX_STRING = 0x14;
    private static final int IA5_STRING = 0x16;
    private static final int UNIVERSAL_STRING = 0x1c;
    private static final int BMP_STRING = 0x1e;

    /** Any of several types of string. */
    private static final int DIRECTORY_STRING = -1;

    private static final Map<String, Attribute> ATTRIBUTES = Map.ofEntries(
            Map.entry("2.5.4.3", new Attribute("CN", DIRECTORY_STRING)),
            Map.entry("2.5.4.4", new Attribute("surName", DIRECTORY_STRING)),
            Map.entry("2.5.4.5", new Attribute("serialNumber", PRINTABLE_STRING)),
            Map.entry("2.5.4.6", new Attribute("C", PRINTABLE_STRING)),
            Map.entry("2.5.4.7", new Attribute("L", DIRECTORY_STRING)),
            Map.entry("2.5.4.8", new Attribute("ST", DIRECTORY_STRING)),
            Map.entry("2.5.4.9", new Attribute("street", DIRECTORY_STRING)),
            Map.entry("2.5.4.10", new Attribute("O", DIRECTORY_STRING)),
            Map.entry("2.5.4.11", new Attribute("OU", DIRECTORY_STRING)),
            Map.entry("2.5.4.12", new Attribute("title", DIRECTORY_STRING)),
            Map.entry("2.5.4.13", new Attribute("description", DIRECTORY_STRING)),
            Map.entry("2.5.4.15", new Attribute("businessCategory", DIRECTORY_STRING)),
            Map.entry("2.5.4.17", new Attribute("postalCode", DIRECTORY_STRING)),
            Map.entry("2.5.4.20", new Attribute("telephoneNumber", PRINTABLE_STRING)),
            Map.entry("2.5.4.41", new Attribute("name", DIRECTORY_STRING)),
            Map.entry("2.5.4.42", new Attribute("givenName", DIRECTORY_STRING)),
            Map.entry("2.5.4.43", new Attribute("initials", DIRECTORY_STRING)),
            Map.entry("2.5.4.44", new Attribute("generationQualifier", DIRECTORY_STRING)),
            Map.entry("2.5.4.46", new Attribute("dnQualifier", PRINTABLE_STRING)),
            Map.entry("2.5.4.65", new Attribute("pseudonym", DIRECTORY_STRING)),
            Map.entry("0.9.2342.19200300.100.1.1", new Attribute("UID", DIRECTORY_STRING)),
            Map.entry("0.9.2342.19200300.100.1.25", new Attribute("DC", IA5_STRING)),
            Map.entry("1.2.840.113549.1.9.1", new Attribute("EMAIL", IA5_STRING)),
            Map.entry("1.2.840.113556.1.4.656", new Attribute("userPrincipalName", DIRECTORY_STRING)),
            Map.entry("1.3.6.1.5.5.7.8.5", new Attribute("XmppAddr", UTF8_STRING)),
            Map.entry("1.3.6.1.5.5.7.9.2", new Attribute("placeOfBirth", DIRECTORY_STRING)),
            Map.entry("1.3.6.1.5.5.7.9.3", new Attribute("gender", PRINTABLE_STRING)),
            Map.entry("1.3.6.1.5.5.7.9.4", new Attribute("countryOfCitizenship", PRINTABLE_STRING)),
            Map.entry("1.3.6.1.5.5.7.9.5", new Attribute("countryOfResidence", PRINTABLE_STRING)),
            Map.entry(
                    "1.3.6.1.4.1.311.60.2.1.1",
                    new Attribute("jurisdictionOfIncorporationLocalityName", DIRECTORY_STRING)),
            Map.entry(
                    "1.3.6.1.4.1.311.60.2.1.2",
                    new Attribute("jurisdictionOfIncorporationStateOrProvinceName", DIRECTORY_STRING)),
            Map.entry(
                    "1.3.6.1.4.1.311.60.2.1.3",
                    new Attribute("jurisdictionOfIncorporationCountryName", PRINTABLE_STRING)),
            Map.entry("1.2.643.100.1", new Attribute("OGRN", NUMERIC_STRING)),
            Map.entry("1.2.643.100.3", new Attribute("SNILS", NUMERIC_STRING)),
            Map.entry("1.2.643.100.5", new Attribute("OGRNIP", NUMERIC_STRING)),
            Map.entry("1.2.643.3.131.1.1", new Attribute("INN", NUMERIC_STRING)));

    /**
     * What is known of an attribute.
     *
     * @param type tag of its string
     */
    private record Attribute(String keyword, int type) {
        boolean isOf(int tag) {
            return type != DIRECTORY_STRING
                    ? tag == type
                    : switch (tag) {
                        case UTF8_STRING, PRINTABLE_STRING, TELETEX_STRING, IA5_STRING, UNIVERSAL_STRING, BMP_STRING ->
                            true;
                        default -> false;
                    };
        }
    }

    private DistinguishedNames() {}

    /**
     * Returns a name as text. It may hold control characters: show it escaped.
     *
     * @throws IOException if it holds what no name should
     */
    public static String render(X500Principal name) throws IOException {
        StringBuilder text = new StringBuilder();
        Der parts = new Der(name.getEncoded()).enter(Der.SEQUENCE);
        while (parts.hasMore()) {
            Der attributes = parts.enter(Der.SET);
            char before = ',';
            while (attributes.hasMore()) {
                if (text.length() > 0) {
                    text.append(before);
                }
                before = '+';
                append(text, attributes.enter(Der.SEQUENCE));
            }
        }
        return text.toString();
    }

    private static void append(StringBuilder text, Der typeAndValue) throws IOException {
        String type = Der.objectIdentifier(typeAndValue.content(Der.OBJECT_IDENTIFIER));
        byte[] value = typeAndValue.element();
        Attribute attribute = ATTRIBUTES.get(type);
        String shown = null;
        if (attribute != null) {
            Der string = new Der(value);
            int tag = string.tag();
            shown = attribute.isOf(tag) ? decoded(tag, string.content(tag)) : null;
        }
        text.append(attribute == null ? type : attribute.keyword()).append('=');
        if (shown == null) {
            text.append('#').append(HexFormat.of().formatHex(value));
        } else {
            appendEscaped(text, shown);
        }
    }

    /** Returns null for what is written as hexadecimal digits of the whole value. */
    private static @Nullable String decoded(int tag, byte[] content) {
        if (tag == UNIVERSAL_STRING || (tag == TELETEX_STRING && !isAscii(content))) {
            return "#" + HexFormat.of().formatHex(content);
        }
        Charset charset = tag == BMP_STRING ? StandardCharsets.UTF_16BE : StandardCharsets.UTF_8;
        try {
            String text = charset.newDecoder().decode(ByteBuffer.wrap(content)).toString();
            return text.isEmpty() || text.indexOf(0) >= 0 ? null : text;
        } catch (CharacterCodingException e) {
            return null;
        }
    }

    private static boolean isAscii(byte[] content) {
        for (byte next : content) {
            if (next < 0x20 || next == 0x7f) {
                return false;
            }
        }
        return true;
    }

    private static void appendEscaped(StringBuilder text, String value) {
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            boolean edge = i == 0 || i == value.length() - 1;
            if (",+\"\\<>;".indexOf(c) >= 0 || (i == 0 && c == '#') || (edge && c == ' ')) {
                text.append('\\');
            }
            text.append(c);
        }
    }
}
