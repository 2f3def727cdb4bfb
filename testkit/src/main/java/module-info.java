/**
 * What the tests of Platter share: the contract of a block device, devices that fail in chosen ways, the runner of
 * reference tools, the corpus of images. The package is open, because JUnit runs the test methods that are inherited from here.
 */
module dev.platter.testkit {
    requires transitive com.fasterxml.jackson.databind;
    requires transitive dev.platter.core;
    requires transitive org.jspecify;
    requires transitive org.junit.jupiter.api;
    requires jdk.management;

    exports dev.platter.testkit;

    opens dev.platter.testkit;
}
