package dev.platter.interop;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReader;
import java.lang.module.ModuleReference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.jar.JarFile;
import org.junit.jupiter.api.Test;

/** The arrows between the modules, and the services, by the module descriptors that the build made. */
class ArchitectureTest {
    private static final String PREFIX = "dev.platter.";
    private static final String CORE = PREFIX + "core";
    private static final String INSPECT = PREFIX + "inspect";
    private static final String NBD = PREFIX + "nbd.";
    private static final String NBD_PROTOCOL = NBD + "protocol";
    private static final String LINUX = PREFIX + "linux";
    private static final String CLI = PREFIX + "cli";
    /** What may know the front door. */
    private static final Set<String> ABOVE_INSPECT = Set.of(CLI, PREFIX + "benchmarks", PREFIX + "examples");

    private final Map<String, ModuleReference> modules = new TreeMap<>();

    ArchitectureTest() throws IOException {
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
            Path path = Path.of(entry);
            if (!entry.isEmpty() && hasDescriptor(path)) {
                for (ModuleReference module : ModuleFinder.of(path).findAll()) {
                    if (module.descriptor().name().startsWith(PREFIX)) {
                        modules.put(module.descriptor().name(), module);
                    }
                }
            }
        }
    }

    private static boolean hasDescriptor(Path path) throws IOException {
        if (Files.isDirectory(path)) {
            return Files.exists(path.resolve("module-info.class"));
        }
        if (!Files.isRegularFile(path)) {
            return false;
        }
        try (JarFile jar = new JarFile(path.toFile())) {
            return jar.getEntry("module-info.class") != null;
        }
    }

    private Set<String> requiredBy(String name) {
        ModuleReference module = Objects.requireNonNull(modules.get(name), name);
        Set<String> names = new TreeSet<>();
        for (ModuleDescriptor.Requires requires : module.descriptor().requires()) {
            if (requires.name().startsWith(PREFIX)) {
                names.add(requires.name());
            }
        }
        return names;
    }

    @Test
    void modulesAreFound() {
        assertThat(modules)
                .containsKeys(
                        CORE,
                        INSPECT,
                        PREFIX + "qcow2",
                        PREFIX + "partition",
                        PREFIX + "lvm",
                        PREFIX + "filesystem",
                        PREFIX + "testkit",
                        NBD_PROTOCOL,
                        NBD + "client",
                        NBD + "server");
    }

    @Test
    void coreKnowsNoModule() {
        assertThat(requiredBy(CORE)).isEmpty();
    }

    @Test
    void readersKnowCoreAndNoSibling() {
        for (String module : modules.keySet()) {
            if (!module.equals(CORE)
                    && !module.equals(INSPECT)
                    && !ABOVE_INSPECT.contains(module)
                    && !module.equals(LINUX)
                    && !isNbdEnd(module)) {
                assertThat(requiredBy(module)).as(module).containsExactly(CORE);
            }
        }
    }

    private static boolean isNbdEnd(String module) {
        return module.startsWith(NBD) && !module.equals(NBD_PROTOCOL);
    }

    @Test
    void nothingButTheCommandKnowsTheOperatingSystem() {
        assertThat(requiredBy(LINUX)).containsExactlyInAnyOrder(CORE, NBD + "client", NBD + "server");
        for (String module : modules.keySet()) {
            if (!module.equals(CLI)) {
                assertThat(requiredBy(module)).as(module).doesNotContain(LINUX);
            }
        }
    }

    @Test
    void bothEndsOfNbdKnowTheProtocolAndNotEachOther() {
        for (String module : modules.keySet()) {
            if (isNbdEnd(module)) {
                assertThat(requiredBy(module)).as(module).contains(NBD_PROTOCOL).isSubsetOf(CORE, NBD_PROTOCOL);
            }
        }
    }

    @Test
    void onlyTheFrontDoorKnowsAllReaders() {
        assertThat(requiredBy(INSPECT))
                .containsExactlyInAnyOrder(
                        CORE, PREFIX + "qcow2", PREFIX + "partition", PREFIX + "lvm", PREFIX + "filesystem");
    }

    @Test
    void everyModuleExportsItsOnePackageAndNothingElse() {
        modules.forEach((name, module) -> {
            // TLS is another matter than the wire, and both ends need both.
            if (!ABOVE_INSPECT.contains(name) && !name.equals(NBD_PROTOCOL)) {
                assertThat(module.descriptor().exports())
                        .as(name)
                        .singleElement()
                        .satisfies(exported -> {
                            assertThat(exported.source()).isEqualTo(name);
                            assertThat(exported.isQualified()).isFalse();
                        });
            }
        });
    }

    @Test
    void servicesAreDeclaredForBothPaths() throws IOException {
        for (ModuleReference module : modules.values()) {
            Map<String, Set<String>> onModulePath = new TreeMap<>();
            for (ModuleDescriptor.Provides provides : module.descriptor().provides()) {
                onModulePath.put(provides.service(), new TreeSet<>(provides.providers()));
            }

            assertThat(servicesOnClassPath(module))
                    .as(module.descriptor().name())
                    .isEqualTo(onModulePath);
        }
    }

    private static Map<String, Set<String>> servicesOnClassPath(ModuleReference module) throws IOException {
        String folder = "META-INF/services/";
        Map<String, Set<String>> services = new TreeMap<>();
        try (ModuleReader reader = module.open()) {
            List<String> files = reader.list()
                    .filter(name -> name.startsWith(folder) && !name.endsWith("/"))
                    .toList();
            for (String file : files) {
                Optional<InputStream> content = reader.open(file);
                try (InputStream in = content.orElseThrow()) {
                    String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
                    Set<String> providers = new TreeSet<>();
                    Arrays.stream(text.split("\n", -1))
                            .map(line -> line.replaceFirst("#.*", "").strip())
                            .filter(line -> !line.isEmpty())
                            .forEach(providers::add);
                    services.put(file.substring(folder.length()), providers);
                }
            }
        }
        return services;
    }
}
