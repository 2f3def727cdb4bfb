package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockStatusSource;
import dev.platter.core.Copier;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.ZeroMode;
import dev.platter.nbd.client.NbdProtocol.Style;
import dev.platter.nbd.protocol.BlockSizes;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.ReplyHeader.Form;
import dev.platter.nbd.protocol.TransmissionFlags;
import dev.platter.testkit.Contents;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seed;
import dev.platter.testkit.ServerProcess;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Servers that others wrote, and what nbdinfo says of them. */
@Timeout(300)
class ServersDifferentialTest {
    private static final long SIZE = 4 << 20;
    private static final NbdClientOptions WRITABLE =
            NbdClientOptions.builder().writable(true).build();

    @TempDir
    Path folder;

    private @Nullable ServerProcess server;

    @AfterEach
    void stop() {
        if (server != null) {
            server.close();
        }
    }

    private ServerProcess qemuNbd(String... options) throws IOException {
        server = ServerProcess.qemuNbd(folder, options);
        return server;
    }

    private ServerProcess nbdkit(String... options) throws IOException {
        server = ServerProcess.nbdkit(folder, options);
        return server;
    }

    private String raw() throws IOException {
        return TempImages.raw(folder, "disk", Contents.testBytes(SIZE)).toString();
    }

    /** Makes an image with a bitmap, over a backing file, with data, zeros and holes. */
    private String qcow2() throws IOException {
        ReferenceTools.assumeTool("qemu-io");
        Path base = TempImages.qemu(folder, "base.qcow2", "qcow2", SIZE);
        io(base, "write -P 1 0 1M");
        Path top = TempImages.qemu(folder, "top.qcow2", "qcow2", SIZE, "-F", "qcow2", "-b", base.toString());
        io(top, "write -P 2 1M 512k", "write -z 1536k 128k", "write -z -u 512k 64k");
        ReferenceTools.runOk("qemu-img", "bitmap", "--add", top.toString(), "changes");
        io(top, "write -P 3 3M 192k", "write -P 4 100k 1k", "discard 2M 64k");
        return top.toString();
    }

    private static void io(Path image, String... commands) throws IOException {
        List<String> command = new ArrayList<>(List.of("qemu-io", "-f", "qcow2"));
        for (String one : commands) {
            command.addAll(List.of("-c", one));
        }
        command.add(image.toString());
        ReferenceTools.runOk(command.toArray(new String[0]));
    }

    static Stream<Arguments> servers() {
        return Stream.of(
                Arguments.of("qemu-nbd", List.of("-f", "raw")),
                Arguments.of("qemu-nbd", List.of("-f", "raw", "-r")),
                Arguments.of("qemu-nbd", List.of("-f", "raw", "-e", "5", "-x", "näme", "-D", "what it is")),
                Arguments.of("nbdkit", List.of("file")),
                Arguments.of("nbdkit", List.of("-r", "file")),
                Arguments.of("nbdkit", List.of("--no-sr", "file")),
                Arguments.of("nbdkit", List.of("--mask-handshake=0", "file")),
                Arguments.of("nbdkit", List.of("--mask-handshake=1", "file")),
                Arguments.of("nbdkit", List.of("--filter=nozero", "file", "zeromode=none")),
                Arguments.of("nbdkit", List.of("--filter=nocache", "file", "cachemode=none")),
                Arguments.of("nbdkit", List.of("--filter=multi-conn", "file", "multi-conn-mode=disable")),
                Arguments.of("nbdkit", List.of("--filter=fua", "file", "fuamode=emulate")),
                Arguments.of("nbdkit", List.of("--filter=noextents", "file")),
                Arguments.of(
                        "nbdkit",
                        List.of(
                                "--filter=blocksize-policy",
                                "file",
                                "blocksize-minimum=4096",
                                "blocksize-preferred=65536",
                                "blocksize-maximum=1M",
                                "blocksize-error-policy=error")));
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("servers")
    void exportIsWhatNbdinfoSaysAndHasItsBytes(String program, List<String> options) throws Exception {
        ReferenceTools.assumeTool("nbdinfo");
        List<String> all = new ArrayList<>(options);
        all.add(raw());
        String[] arguments = all.toArray(new String[0]);
        ServerProcess running = program.equals("nbdkit") ? nbdkit(arguments) : qemuNbd(arguments);
        String uri = running.uri(options.contains("-x") ? "n%C3%A4me" : "");
        JsonNode expected = ReferenceTools.run("nbdinfo", "--json", "--no-content", uri)
                .assertSuccess()
                .json();

        try (NbdExport export = NbdClient.to(uri).open()) {
            assertAgrees(expected, export.details(), export.protocol());
            Contents.testBytes(SIZE).assertAll(export);
        }
        if (!options.contains("--mask-handshake=0")) {
            NbdListing described = NbdClient.to(uri).describe();
            ExportDetails details = details(described.exports().get(0));
            assertAgrees(expected, details, described.protocol());
            assertThat(details.contexts()).isEqualTo(texts(expected.at("/exports/0/contexts")));
        }
    }

    private static ExportDetails details(NbdServerExport export) {
        ExportDetails details = export.details();
        if (details == null) {
            throw new AssertionError(export + ": " + export.problem());
        }
        return details;
    }

    private static List<String> texts(JsonNode array) {
        List<String> texts = new ArrayList<>();
        array.forEach(text -> texts.add(text.asText()));
        return texts;
    }

    private static void assertAgrees(JsonNode nbdinfo, ExportDetails details, NbdProtocol protocol) {
        JsonNode export = nbdinfo.at("/exports/0");
        assertThat(protocol.style()).hasToString(nbdinfo.get("protocol").asText());
        assertThat(protocol.tls()).isEqualTo(nbdinfo.get("TLS").asBoolean());
        assertThat(protocol.replies() == Form.STRUCTURED)
                .isEqualTo(nbdinfo.get("structured").asBoolean());
        assertThat(details.size()).isEqualTo(export.get("export-size").asLong());
        assertThat(details.description()).isEqualTo(export.path("description").asText());
        flag(export, "is_read_only", details, TransmissionFlags.READ_ONLY);
        flag(export, "is_rotational", details, TransmissionFlags.ROTATIONAL);
        flag(export, "can_cache", details, TransmissionFlags.SEND_CACHE);
        flag(export, "can_df", details, TransmissionFlags.SEND_DF);
        flag(export, "can_fast_zero", details, TransmissionFlags.SEND_FAST_ZERO);
        flag(export, "can_flush", details, TransmissionFlags.SEND_FLUSH);
        flag(export, "can_fua", details, TransmissionFlags.SEND_FUA);
        flag(export, "can_multi_conn", details, TransmissionFlags.CAN_MULTI_CONN);
        flag(export, "can_trim", details, TransmissionFlags.SEND_TRIM);
        flag(export, "can_zero", details, TransmissionFlags.SEND_WRITE_ZEROES);
        BlockSizes sizes = details.blockSizes();
        assertThat(sizes != null).isEqualTo(export.has("block_size_minimum"));
        if (sizes != null) {
            assertThat(sizes.minimum())
                    .isEqualTo(export.get("block_size_minimum").asLong());
            assertThat(sizes.preferred())
                    .isEqualTo(export.get("block_size_preferred").asLong());
            assertThat(sizes.maximumPayload())
                    .isEqualTo(export.get("block_size_maximum").asLong());
        }
    }

    private static void flag(JsonNode nbdinfo, String name, ExportDetails details, int flag) {
        assertThat(details.has(flag)).as(name).isEqualTo(nbdinfo.get(name).asBoolean());
    }

    @ParameterizedTest
    @CsvSource({"base:allocation", "qemu:allocation-depth", "qemu:dirty-bitmap:changes"})
    void statusOfEachContextIsWhatNbdinfoMaps(String context) throws Exception {
        ReferenceTools.assumeTool("nbdinfo");
        String uri =
                qemuNbd("-r", "-f", "qcow2", "-A", "-B", "changes", qcow2()).uri("");
        JsonNode map = ReferenceTools.run("nbdinfo", "--map=" + context, "--json", uri)
                .assertSuccess()
                .json();
        List<String> expected = new ArrayList<>();
        map.forEach(one -> expected.add(one.get("offset") + "+" + one.get("length") + "=" + one.get("type")));

        try (NbdExport export = NbdClient.to(uri).open()) {
            assertThat(export.contexts())
                    .containsExactly("base:allocation", "qemu:allocation-depth", "qemu:dirty-bitmap:changes");
            assertThat(ranges(export, context, 0, SIZE)).isEqualTo(expected);
            assertThat(ranges(export, context, 65_000, 1_000_000)).isNotEmpty();
        }
    }

    /** Returns the ranges of a context, equal neighbours joined as nbdinfo joins them. */
    private static List<String> ranges(NbdExport export, String context, long offset, long length) throws IOException {
        List<long[]> ranges = new ArrayList<>();
        export.status(context, offset, length, (at, run, status) -> {
            long[] last = ranges.isEmpty() ? new long[3] : ranges.get(ranges.size() - 1);
            if (!ranges.isEmpty() && last[2] == status) {
                last[1] += run;
            } else {
                ranges.add(new long[] {at, run, status});
            }
            return true;
        });
        List<String> texts = new ArrayList<>();
        for (long[] one : ranges) {
            texts.add(one[0] + "+" + one[1] + "=" + one[2]);
        }
        return texts;
    }

    @Test
    void statusOfOneRangeIsThatOfTheWholeMap() throws Exception {
        String uri = qemuNbd("-r", "-f", "qcow2", qcow2()).uri("");
        try (NbdExport export = NbdClient.to(uri).open()) {
            for (long offset = 0; offset < SIZE; offset += 100_003) {
                long at = offset;
                List<Long> whole = new ArrayList<>();
                export.status(BlockStatusSource.BASE_ALLOCATION, at, SIZE - at, (from, length, status) -> {
                    whole.add(status);
                    return false;
                });

                export.statusAt(BlockStatusSource.BASE_ALLOCATION, at, (from, length, status) -> {
                    assertThat(from).isEqualTo(at);
                    assertThat(List.of(status)).isEqualTo(whole);
                    return true;
                });
            }
        }
    }

    @Test
    void exportsAreListedAsNbdinfoListsThem() throws Exception {
        ReferenceTools.assumeTool("nbdinfo");
        String uri = nbdkit(
                        "--filter=exportname",
                        "file",
                        raw(),
                        "exportname-list=explicit",
                        "exportname=",
                        "exportname=b",
                        "exportname=c d",
                        "exportdesc=fixed:about it")
                .uri("");
        JsonNode expected = ReferenceTools.run("nbdinfo", "--list", "--json", "--no-content", uri)
                .assertSuccess()
                .json();

        NbdListing listing = NbdClient.to(uri).list();

        assertThat(listing.exports()).hasSize(expected.get("exports").size());
        for (int i = 0; i < listing.exports().size(); i++) {
            NbdServerExport export = listing.exports().get(i);
            JsonNode same = expected.get("exports").get(i);
            assertThat(export.name()).isEqualTo(same.get("export-name").asText());
            assertThat(export.description()).isEqualTo("about it");
            ExportDetails details = details(export);
            assertThat(details.size()).isEqualTo(same.get("export-size").asLong());
            assertThat(details.contexts()).isEqualTo(texts(same.get("contexts")));
        }
    }

    @Test
    void oldstyleServerIsUsedIfAllowed() throws Exception {
        String uri = nbdkit("-o", "file", raw()).uri("");

        assertThatThrownBy(() -> NbdClient.to(uri).open()).hasMessageContaining("(oldstyle)");
        try (NbdExport export = NbdClient.to(uri)
                .with(NbdClientOptions.builder().oldstyle(true).build())
                .open()) {
            assertThat(export.protocol().style()).isEqualTo(Style.OLDSTYLE);
            Contents.testBytes(SIZE).assertAll(export);
        }
    }

    @Test
    void exportThatIsNotThereIsRefused() throws Exception {
        String qemu = qemuNbd("-f", "raw", raw()).uri("nope");
        assertThatThrownBy(() -> NbdClient.to(qemu).open())
                .isInstanceOfSatisfying(
                        OptionRefusedException.class, e -> assertThat(e.reply()).isEqualTo(OptionReplies.ERR_UNKNOWN))
                .hasMessageContaining("export 'nope' not present");
    }

    @Test
    void exportThatIsNotThereEndsWithoutWordsWhereTheServerHasNone() throws Exception {
        String uri = nbdkit(
                        "--mask-handshake=0",
                        "--filter=exportname",
                        "file",
                        raw(),
                        "exportname=a",
                        "exportname-strict=true")
                .uri("nope");

        assertThatThrownBy(() -> NbdClient.to(uri).open())
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("a server that lacks it hangs up");
    }

    @Test
    void whatIsWrittenIsInTheFileWhenItIsFlushed() throws Exception {
        String file = raw();
        String uri = qemuNbd("-f", "raw", "--discard=unmap", file).uri("");
        byte[] model = TestBytes.of(0, (int) SIZE);
        try (NbdExport export = NbdClient.to(uri).with(WRITABLE).open()) {
            Random random = Seed.random("writes");
            for (int i = 0; i < 300; i++) {
                int length = 1 + random.nextInt(50_000);
                int at = random.nextInt((int) SIZE - length);
                Durability durability = random.nextInt(10) == 0 ? Durability.FUA : Durability.NONE;
                if (random.nextInt(4) == 0) {
                    ZeroMode mode = random.nextBoolean() ? ZeroMode.MAY_UNMAP : ZeroMode.KEEP_ALLOCATION;
                    export.writeZeroes(at, length, mode, durability);
                    java.util.Arrays.fill(model, at, at + length, (byte) 0);
                } else {
                    byte[] bytes = new byte[length];
                    random.nextBytes(bytes);
                    export.write(at, ByteBuffer.wrap(bytes), durability);
                    System.arraycopy(bytes, 0, model, at, length);
                }
            }
            export.flush();

            assertThat(Files.readAllBytes(Path.of(file))).isEqualTo(model);
        }
    }

    @Test
    void discardedRangesOfAFileBecomeHoles() throws Exception {
        String uri = qemuNbd("-f", "raw", "--discard=unmap", raw()).uri("");
        try (NbdExport export = NbdClient.to(uri).with(WRITABLE).open()) {
            export.discard(1 << 20, 1 << 20);
            export.writeZeroes(3 << 20, 1 << 20, ZeroMode.FAST_UNMAP, Durability.NONE);

            assertThat(ranges(export, "base:allocation", 0, SIZE))
                    .containsExactly("0+1048576=0", "1048576+1048576=3", "2097152+1048576=0", "3145728+1048576=3");
        }
    }

    @Test
    void manyRequestsOfManyThreadsAreOnTheirWayAtOnce() throws Exception {
        String uri = nbdkit("--filter=delay", "file", raw(), "rdelay=2ms").uri("");
        try (NbdExport export = NbdClient.to(uri).open()) {
            ExecutorService threads = Executors.newFixedThreadPool(8);
            try {
                List<Future<?>> running = new ArrayList<>();
                for (int thread = 0; thread < 8; thread++) {
                    Random random = Seed.random("thread " + thread);
                    running.add(threads.submit(() -> readMany(export, random)));
                }
                for (Future<?> one : running) {
                    one.get(120, TimeUnit.SECONDS);
                }
            } finally {
                threads.shutdownNow();
            }
        }
    }

    /** Keeps 8 reads on their way. */
    private static @Nullable Object readMany(NbdExport export, Random random) throws Exception {
        for (int round = 0; round < 10; round++) {
            List<CompletableFuture<Void>> reads = new ArrayList<>();
            List<ByteBuffer> buffers = new ArrayList<>();
            List<Long> offsets = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                int length = 512 * (1 + random.nextInt(100));
                long offset = 512L * random.nextInt((int) (SIZE - length) / 512);
                ByteBuffer into =
                        random.nextBoolean() ? ByteBuffer.allocate(length) : ByteBuffer.allocateDirect(length);
                offsets.add(offset);
                buffers.add(into);
                reads.add(export.readAsync(offset, into));
            }
            for (int i = 0; i < 8; i++) {
                reads.get(i).get(60, TimeUnit.SECONDS);
                Contents.testBytes(SIZE).assertMatch(offsets.get(i), buffers.get(i), "read");
            }
        }
        return null;
    }

    @Test
    void serverThatIsKilledFailsAllRequestsWithOneMessage() throws Exception {
        ServerProcess running = nbdkit("--filter=delay", "file", raw(), "rdelay=60");
        try (NbdExport export = NbdClient.to(running.uri("")).open()) {
            List<CompletableFuture<Void>> reads = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                reads.add(export.readAsync(0, ByteBuffer.allocate(4096)));
            }

            running.kill();

            List<String> messages = new ArrayList<>();
            for (CompletableFuture<Void> read : reads) {
                assertThatThrownBy(() -> read.get(60, TimeUnit.SECONDS))
                        .isInstanceOf(ExecutionException.class)
                        .cause()
                        .isInstanceOf(BlockIOException.class)
                        .satisfies(e -> messages.add(e.getMessage()));
            }
            assertThatThrownBy(() -> export.read(0, ByteBuffer.allocate(512)))
                    .satisfies(e -> messages.add(e.getMessage()));
            assertThat(messages).hasSize(9).containsOnly(messages.get(0));
            assertThat(messages.get(0)).startsWith(running.uri("") + ": the ").contains("connection");
        }
    }

    @Test
    void failuresOfTheServerAreErrorsOfTheirRequestsAlone() throws Exception {
        String uri = nbdkit(
                        "--filter=error",
                        "file",
                        raw(),
                        "error-pread=EIO",
                        "error-pread-rate=50%",
                        "error-pwrite=ENOSPC",
                        "error-pwrite-rate=100%")
                .uri("");
        int[] failed = {0};
        try (NbdExport export = NbdClient.to(uri).with(WRITABLE).open()) {
            for (int i = 0; i < 200; i++) {
                try {
                    Contents.testBytes(SIZE).assertRead(export, 4096L * i, 4096);
                } catch (BlockIOException e) {
                    assertThat(e).hasMessageContaining("input/output error");
                    failed[0]++;
                }
            }
            assertThat(failed[0]).isBetween(20, 180);
            assertThatThrownBy(() -> export.write(0, ByteBuffer.allocate(512), Durability.NONE))
                    .isInstanceOfSatisfying(
                            BlockIOException.class,
                            e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NO_SPACE));
        }
    }

    @Test
    void largestExportThatThereCanBeIsReadAtItsEnd() throws Exception {
        String uri = nbdkit(
                        "eval", "get_size=echo 9223372036854775807", "pread=printf '%*s' $3 ''", "can_extents=exit 3")
                .uri("");
        try (NbdExport export = NbdClient.to(uri).open()) {
            assertThat(export.size()).isEqualTo(Long.MAX_VALUE);
            ByteBuffer into = ByteBuffer.allocate(5);
            export.read(Long.MAX_VALUE - 5, into);
            assertThat(into.array()).containsOnly(' ');
        }
    }

    @Test
    void severalConnectionsAreUsedOnlyWhereOneFlushCoversAll() throws Exception {
        NbdClientOptions four = NbdClientOptions.builder().connections(4).build();
        String uri = qemuNbd("-f", "raw", "-e", "8", raw()).uri("");
        try (NbdExport export = NbdClient.to(uri).with(four).open()) {
            assertThat(export.connections()).isEqualTo(4);
            Contents.testBytes(SIZE).assertAll(export);
        }
        stop();
        String single = qemuNbd("-f", "raw", folder.resolve("disk").toString()).uri("");
        try (NbdExport export = NbdClient.to(single).with(four).open()) {
            assertThat(export.connections()).isEqualTo(1);
        }
    }

    @Test
    void exportIsCopiedFromAndTo() throws Exception {
        String uri = qemuNbd("-f", "raw", "--discard=unmap", raw()).uri("");
        Path copy = TempImages.sparse(folder, "copy", SIZE);
        OpenOptions writable =
                OpenOptions.builder().format("raw").writable(true).build();

        try (NbdExport export = NbdClient.to(uri).with(WRITABLE).open();
                var target = DiskImages.open(copy, writable)) {
            export.writeZeroes(1 << 20, 1 << 20, ZeroMode.MAY_UNMAP, Durability.NONE);
            Copier.of(export).to(target);
            Contents.ofFile(folder.resolve("disk")).assertAll(target);
            target.write(5, ByteBuffer.wrap(TestBytes.of(1 << 30, 999)), Durability.NONE);

            Copier.of(target).threads(2).writers(2).inOrder(false).to(export);
        }
        assertThat(Files.mismatch(copy, folder.resolve("disk"))).isEqualTo(-1);
    }

    @Test
    void serverThatTakesItsTimeToOpenIsWaitedForUpToTheLimit() throws Exception {
        String uri = nbdkit("--filter=delay", "file", raw(), "delay-open=60").uri("");
        NbdClientOptions impatient = NbdClientOptions.builder()
                .handshakeTimeout(java.time.Duration.ofMillis(300))
                .build();

        assertThatThrownBy(() -> NbdClient.to(uri).with(impatient).open())
                .isInstanceOfSatisfying(
                        BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.TIMEOUT))
                .hasMessageContaining("not done after 300 ms");
    }

    @Test
    void answerThatComesLateIsWaitedForUpToTheLimit() throws Exception {
        String uri = nbdkit("--filter=delay", "file", raw(), "rdelay=1500ms").uri("");
        NbdClientOptions impatient = NbdClientOptions.builder()
                .requestTimeout(java.time.Duration.ofMillis(200))
                .build();

        try (NbdExport export = NbdClient.to(uri).with(impatient).open()) {
            assertThatThrownBy(() -> export.read(0, ByteBuffer.allocate(512)))
                    .isInstanceOfSatisfying(
                            BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.TIMEOUT));
        }
        try (NbdExport export = NbdClient.to(uri).open()) {
            Contents.testBytes(SIZE).assertRead(export, 4096, 512);
        }
    }

    @Test
    void serverThatEndsWithItsLastClientEndsWhenTheExportIsClosed() throws Exception {
        ServerProcess running = nbdkit("--filter=exitlast", "file", raw());
        NbdClientOptions two = NbdClientOptions.builder().connections(2).build();

        try (NbdExport export = NbdClient.to(running.uri("")).with(two).open()) {
            assertThat(export.connections()).isEqualTo(2);
            Contents.testBytes(SIZE).assertAll(export);
        }

        running.awaitEnd();
    }

    @Test
    void lostConnectionIsMadeAgainWhereThatIsAllowed() throws Exception {
        String file = raw();
        String uri = nbdkit("file", file).uri("");
        NbdClientOptions again = NbdClientOptions.builder()
                .writable(true)
                .reconnect(java.time.Duration.ofSeconds(60))
                .build();
        try (NbdExport export = NbdClient.to(uri).with(again).open()) {
            Contents.testBytes(SIZE).assertRead(export, 0, 4096);
            stop();
            Files.delete(folder.resolve("s"));
            nbdkit("file", file);

            Contents.testBytes(SIZE).assertRead(export, 4096, 4096);
            export.write(0, ByteBuffer.allocate(4096), Durability.NONE);
            stop();
            Files.delete(folder.resolve("s"));
            nbdkit("file", file);

            assertThatThrownBy(() -> {
                        export.read(0, ByteBuffer.allocate(512));
                        export.flush();
                    })
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining("they may be lost too");
            export.flush();
        }
    }

    @Test
    void changedExportIsNotTakenForTheOldOne() throws Exception {
        String uri = nbdkit("file", raw()).uri("");
        NbdClientOptions again = NbdClientOptions.builder()
                .reconnect(java.time.Duration.ofSeconds(60))
                .build();
        try (NbdExport export = NbdClient.to(uri).with(again).open()) {
            stop();
            Files.delete(folder.resolve("s"));
            Files.write(folder.resolve("disk"), new byte[512], StandardOpenOption.APPEND);
            nbdkit("file", folder.resolve("disk").toString());

            assertThatThrownBy(() -> export.read(0, ByteBuffer.allocate(512)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("the export is not what it was: 4194304 bytes");
        }
    }
}
