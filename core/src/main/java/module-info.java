/**
 * The core of Platter: devices that have bytes, the views on them, the service interfaces of image formats and storages,
 * raw images, and the errors, limits and policies that everything else shares.
 */
module dev.platter.core {
    requires transitive org.jspecify;
    requires com.google.common;

    exports dev.platter.core;

    uses dev.platter.core.DiskImageFormat;
    uses dev.platter.core.StorageProvider;
    uses dev.platter.core.FileFacts;

    provides dev.platter.core.DiskImageFormat with
            dev.platter.core.RawFormat;
    provides dev.platter.core.StorageProvider with
            dev.platter.core.FileStorageProvider;
}
