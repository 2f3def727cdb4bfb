package dev.platter.nbd.tls;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Names as GnuTLS writes them. Of one part each: certtool writes the parts in reverse order, qemu-nbd does not. */
@Timeout(120)
class DistinguishedNamesDifferentialTest {
    @TempDir
    static Path folder;

    private static TestAuthority authority;

    @BeforeAll
    static void makeAuthority() throws IOException {
        ReferenceTools.assumeTool("certtool");
        authority = TestAuthority.create(folder.resolve("authority"), "Test authority");
        authority.issue(folder.resolve("first.pem"), folder.resolve("key.pem"), "/CN=first");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/CN=simple",
                "/C=GB",
                "/ST=London",
                "/L=City",
                "/O=Example, Org \\+ \"Sons\" <x>; #1 \\\\",
                "/OU=# leading",
                "/OU= blanks ",
                "/OU=é€😀",
                "/emailAddress=me@example.org",
                "/UID=me",
                "/DC=example",
                "/SN=Surname",
                "/GN=Given",
                "/serialNumber=123",
                "/street=Street 1",
                "/title=Dr.",
                "/description=some text",
                "/postalCode=12345",
                "/initials=ab",
                "/generationQualifier=III",
                "/dnQualifier=x",
                "/pseudonym=nobody",
                "/name=name",
                "/businessCategory=trade",
                "/telephoneNumber=123",
                "/jurisdictionL=here",
                "/jurisdictionST=there",
                "/jurisdictionC=GB",
                "/1.3.6.1.5.5.7.9.2=here",
                "/1.3.6.1.5.5.7.9.4=GB",
                "/OGRN=1234567890123",
                "/SNILS=12345678901",
                "/INN=123456789012",
                "/favouriteDrink=tea",
                "/organizationIdentifier=VAT",
                "/userId=x",
                "/CN=a+OU=b+L=c"
            })
    void namesAreWrittenAsGnutlsDoes(String subject) throws IOException {
        Path certificate = folder.resolve("cert.pem");
        authority.sign(certificate, folder.resolve("key.pem"), subject);
        String theirs = ReferenceTools.runOk("certtool", "--certificate-info", "--infile", certificate.toString())
                .stdout()
                .lines()
                .filter(line -> line.startsWith("\tSubject: "))
                .findFirst()
                .orElseThrow()
                .substring("\tSubject: ".length());

        assertThat(DistinguishedNames.render(
                        PemFiles.certificates(certificate).get(0).getSubjectX500Principal()))
                .isEqualTo(theirs);
    }
}
