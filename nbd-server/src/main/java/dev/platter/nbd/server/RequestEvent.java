package dev.platter.nbd.server;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A request in a flight recording. Off unless a recording asks for it by name; costs a read of a flag when off. */
@Name("dev.platter.NbdRequest")
@Label("NBD Request")
@Category({"Platter", "NBD"})
@Description("A request of an NBD client, from its header to its last reply")
@Enabled(false)
@StackTrace(false)
final class RequestEvent extends Event {
    @Label("Export")
    String export = "";

    @Label("Connection")
    long connection;

    @Label("Command")
    String command = "";

    @Label("Offset")
    @DataAmount
    long offset;

    @Label("Length")
    @DataAmount
    long length;

    @Label("Error")
    int error;

    /** Returns whether a recording wants requests; to be asked only where there are recordings. */
    static boolean isWanted() {
        return new RequestEvent().isEnabled();
    }
}
