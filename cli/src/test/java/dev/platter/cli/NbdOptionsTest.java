package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The command line of {@code platter nbd}, beside that of {@code qemu-nbd} where it is installed. */
final class NbdOptionsTest {
    private static final long MIB = 1 << 20;

    @TempDir
    private Path folder;

    /** {@code {}} stands for the folder. Every line fails, in both programs, with one exit code and one text. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "a b",
                "--bogus a",
                "--bogus=3 a",
                "-W a",
                "-f",
                "-rf",
                "--port",
                "--p 1 a",
                "--list=3",
                "--tls x a",
                "-o 1M a",
                "-o 0x a",
                "-o '' a",
                "-e -1 a",
                "-e 0x a",
                "-e x a",
                "-e 99999999999 a",
                "--cache=foo a",
                "--cach=foo a",
                "-n -n a",
                "-n --cache=none a",
                "--aio foo a",
                "--aio native --aio native a",
                "--aio native -f raw {}/a.raw",
                "--aio native --cache=writeback -f raw {}/a.raw",
                "--discard x a",
                "--discard unmap --discard unmap a",
                "--detect-zeroes foo a",
                "--detect-zeroes unmap a",
                "-k rel a",
                "-L a",
                "-L -x foo",
                "-L -o 1",
                "-L -A",
                "-L -c /dev/nbd0",
                "-L -d",
                "-L -n",
                "-L --fork",
                "-f bogus {}/a.raw",
                "-f qcow2 {}/a.raw",
                "{}/nofile",
                "{}",
                "foo:bar",
                "json:{\"driver\":\"raw\"}",
                "--image-opts -f raw a",
                "--image-opts a",
                "--image-opts driver=raw,file.filename={}/a.raw,bogus=1",
                "--image-opts driver=bogus,file.filename={}/a.raw",
                "--image-opts driver=raw,file.driver=bogus,file.filename={}/a.raw",
                "--image-opts id=x",
                "--image-opts =x",
                "--image-opts driver=raw,,x=1",
                "--image-opts driver=raw,offset=1M,size=20M,file.driver=file,file.filename={}/a.raw",
                "--image-opts driver=raw,offset=20M,file.filename={}/a.raw",
                "--image-opts driver=raw,size=1000,file.filename={}/a.raw",
                "--image-opts driver=raw,read-only=maybe,file.filename={}/a.raw",
                "--image-opts driver=raw,read-only=on,file.filename={}/a.raw",
                "--image-opts driver=file,filename={}/a.raw,bogus=1",
                "--image-opts driver=qcow2,file.filename={}/a.qcow2,bogus=1",
                "--image-opts driver=raw",
                "--image-opts driver=file",
                "--image-opts driver=raw,file.driver=file",
                "--image-opts driver=raw,file=x",
                "--image-opts driver=raw,file.filename={}/nofile",
                "--image-opts driver=raw,discard=foo,file.filename={}/a.raw",
                "--image-opts driver=nbd",
                "nbd:foo",
                "-f raw -o 20971520 {}/a.raw",
                "-l nosnap {}/a.qcow2",
                "-l snapshot.name=x {}/a.qcow2",
                "-l snapshot.id=snap1 {}/a.qcow2",
                "-l snapshot.name=1 {}/a.qcow2",
                "-l snapshot.id=1,snapshot.name=no {}/a.qcow2",
                "-f raw -l snap1 {}/a.raw",
                "-B nob {}/a.qcow2",
                "-f raw -B b0 {}/a.raw",
                "--tls-creds t a",
                "--tls-authz x a",
                "--tls-hostname x a",
                "-c /dev/nbd0 --tls-creds x a",
                "--object foo,id=x a",
                "--object '' a",
                "--object id=x a",
                "--object secret,id a",
                "--object secret,id=1x,data=a a",
                "--object secret,id=s a",
                "--object secret,id=s,data=x,file=y a",
                "--object secret,id=s,data=x,format=foo a",
                "--object secret,id=s,data=*,format=base64 a",
                "--object secret,id=s,data=a,keyid=x a",
                "--object {\"qom-type\":\"secret\",\"id\":\"x\"} a",
                "--object tls-creds-x509 a",
                "--object tls-creds-x509,id=x a",
                "--object tls-creds-x509,id=x,dir={},endpoint=foo a",
                "--object tls-creds-x509,id=x,bogus=1,dir={} a",
                "--object tls-creds-psk,id=t,dir={},endpoint=server a",
                "--object tls-creds-psk,id=t,dir={}/keys,endpoint=server,username=bob a",
                "--object tls-creds-psk,id=t,dir={}/keys,endpoint=client,username=x a",
                "--object tls-creds-psk,id=t,dir={}/keys,username=bob --tls-creds t -f raw {}/a.raw",
                "--object tls-creds-psk,id=t,dir={}/keys,endpoint=server --tls-creds t --tls-hostname x a",
                "--object authz-simple,id=a a",
                "--object authz-simple,id=a,identity=x --tls-creds a a",
                "--object authz-simple,id=a,identity=x --object authz-simple,id=a,identity=y a",
                "--object authz-list,id=a,rules.0.match=x,rules.0.policy=foo a",
                "--object authz-list,id=a,rules.0.policy=allow a",
                "--object authz-list,id=a,rules.0.match=x a",
                "--object authz-list,id=a,policy=maybe a",
                "--pid-file {}/no/pid -p 0 -f raw {}/a.raw",
                "-p abc -f raw {}/a.raw",
                "-p -5 -f raw {}/a.raw",
                "-k {}/no/s -f raw {}/a.raw",
                "--selinux-label foo a",
                "-d {}/nofile",
                "-d a b",
            })
    void failsAsQemuDoes(String line) throws IOException {
        ReferenceTools.assumeTool("qemu-nbd");
        images();
        String[] words = words(line);
        ToolResult theirs = ReferenceTools.runIn(folder, prefixed("qemu-nbd", words));

        Cli ours = Cli.run((Object[]) prefixed("nbd", words));

        ours.assertExit(theirs.exit());
        assertThat(theirs.exit()).isEqualTo(1);
        assertThat(text(ours.err(), "platter nbd")).isEqualTo(text(theirs.stderr(), "qemu-nbd"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "-f bogus {}/a.raw | Unknown driver 'bogus'; known are raw, qcow2",
                "-p 70000 -f raw {}/a.raw | address resolution failed for 0.0.0.0:70000: Servname not supported",
                "--object tls-creds-x509,id=x,dir={},endpoint=server a | Unable to access credentials {}/server-cert.pem: No such file or directory",
                "-P 0 {}/a.raw | Invalid partition '0'",
                "-f raw -P 1 {}/a.raw | Could not find partition 1: there is no partition on this disk",
                "-P 1 -o 512 {}/a.raw | --offset and --partition exclude each other",
                "-c /dev/no-nbd0 -f raw {}/a.raw | -c: a JVM cannot fork: start dev/platter-nbd or platter nbd",
                "-v -c /dev/no-nbd0 -f raw {}/a.raw | Failed to open /dev/no-nbd0: ",
                "-d {}/a.raw | Cannot free {}/a.raw: ",
                "--fork -f raw {}/a.raw | a JVM cannot fork: start dev/platter-nbd or platter nbd",
                "--object tls-creds-anon,id=t a | tls-creds-anon proves nothing",
                "--object authz-pam,id=t a | authz-pam is not there",
                "--object tls-creds-x509,id=t,dir={},priority=SECURE256 a | priority 'SECURE256' cannot be followed",
                "-s --image-opts driver=raw,file.filename={}/a.raw | -s needs the plain name of an image",
                "--image-opts driver=qcow2,backing=,file.filename={}/a.qcow2 | does not support the option 'backing'",
                "--image-opts driver=qcow2,file.driver=raw,file.file.filename={}/a.qcow2 | can only be read; add -r",
                "json:{x | Could not parse the JSON options: JSON parse error",
                "-l snapshot.foo=1 {}/a.qcow2 | Failed in parsing snapshot param `snapshot.foo=1'",
                "--handshake-limit=x a | Invalid handshake limit 'x'",
            })
    void failsWithOneSentence(String line, String text) throws IOException {
        images();

        Cli run = Cli.run((Object[]) prefixed("nbd", words(line))).assertExit(1);

        assertThat(run.err().lines()).as(run.err()).hasSize(1);
        assertThat(run.err()).startsWith("platter nbd: ").contains(text.replace("{}", folder.toString()));
    }

    @Test
    void prefixesMeanWhatTheyMeanThereAlthoughThereAreMoreOptions() throws IOException {
        images();

        // --partition would make --pa ambiguous with nothing, --de is ambiguous there too, --al is not
        Cli.run("nbd", "--pa=0", folder.resolve("a.raw")).assertExit(1);
        assertThat(Cli.run("nbd", "--pers", "--al", "--pa=0", "a").err()).contains("Invalid partition '0'");
        assertThat(Cli.run("nbd", "--de=x", "a").err())
                .contains("option '--de=x' is ambiguous; possibilities: '--description' '--detect-zeroes'");
    }

    @Test
    void helpShowsAllOptionsOfQemu() throws IOException {
        ReferenceTools.assumeTool("qemu-nbd");
        List<String> theirs = ReferenceTools.run("qemu-nbd", "--help")
                .stdout()
                .lines()
                .flatMap(line -> Arrays.stream(line.split("[ ,=]", -1)))
                .filter(word -> word.matches("-[a-zA-Z]|--[a-z-]+"))
                .distinct()
                .toList();

        String ours = Cli.run("nbd", "--help").assertExit(0).out();

        assertThat(theirs)
                .hasSizeGreaterThan(50)
                .allSatisfy(option -> assertThat(ours).containsPattern("[ ,]" + option + "[ ,=]"));
        assertThat(ours).contains("Exit codes:", "  0 ", "  1 ", "Examples:", "  platter nbd ");
        assertThat(ours.lines()).allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(120));
        assertThat(Cli.run("help", "nbd").assertExit(0).out()).isEqualTo(ours);
        assertThat(Cli.run("nbd", "-rh", "--bogus").assertExit(0).out()).isEqualTo(ours);
    }

    @Test
    void versionIsThatOfPlatter() {
        assertThat(Cli.run("nbd", "-V", "--bogus").assertExit(0).out())
                .isEqualTo(Cli.run("--version").out());
    }

    private void images() throws IOException {
        TempImages.sparse(folder, "a.raw", 10 * MIB);
        TempImages.qemu(folder, "a.qcow2", "qcow2", 4 * MIB);
        Path keys = Files.createDirectory(folder.resolve("keys"));
        Files.writeString(keys.resolve("keys.psk"), "bob:00112233445566778899aabbccddeeff\n");
    }

    private String[] words(String line) {
        if (line.isEmpty()) {
            return new String[0];
        }
        String[] words = line.replace("{}", folder.toString()).split(" ", -1);
        for (int i = 0; i < words.length; i++) {
            words[i] = words[i].equals("''") ? "" : words[i];
        }
        return words;
    }

    private static String[] prefixed(String first, String[] words) {
        String[] all = new String[words.length + 1];
        all[0] = first;
        System.arraycopy(words, 0, all, 1, words.length);
        return all;
    }

    /** The text after the program's name, without what we add to it and without hints that we break in other places. */
    private static String text(String messages, String program) {
        return messages.replaceFirst("^(/[a-z/]+/)?" + program + ": ", "")
                .lines()
                .findFirst()
                .orElse("")
                .replaceFirst("; known are .*", "");
    }
}
