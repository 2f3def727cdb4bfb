package dev.platter.cli;

/** The command line makes no sense. */
final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final String text;

    /** Makes an exception whose help is added by {@link Main}. */
    UsageException(String text) {
        super(text, null, false, false);
        this.text = text;
    }

    /** @param help the command that helps */
    UsageException(String text, String help) {
        super(text + " (try " + help + ")", null, false, false);
        this.text = text;
    }

    /** Returns what is wrong, without where to find help. */
    String text() {
        return text;
    }

    @Override
    public String getMessage() {
        return String.valueOf(super.getMessage());
    }
}
