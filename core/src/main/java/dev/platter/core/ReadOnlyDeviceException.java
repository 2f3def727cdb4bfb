package dev.platter.core;

import java.io.IOException;

/** A write was asked of a device that is open for reading only. */
public class ReadOnlyDeviceException extends IOException {
    private static final long serialVersionUID = 1;

    /** Makes the exception for the device of that description. */
    public ReadOnlyDeviceException(String description) {
        super(description + ": the device is open for reading only");
    }
}
