package dev.platter.cli;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter nbd}: a disk as a network block device, with the command line of {@code qemu-nbd}. */
final class NbdCommand implements Program {

    @Override
    public void describe(CommandSpec spec) {
        Model.helpOption(spec, "-h", "--help");
        Model.flag(spec, "show the version of platter and of Java", "-V", "--version");
        Model.value(spec, "PORT", "TCP port to listen on, 10809 if not given; 0 for any", "-p", "--port");
        Model.value(spec, "IFACE", "address to listen on, 0.0.0.0 if not given", "-b", "--bind");
        Model.value(spec, "PATH", "listen on a Unix socket instead; an absolute path", "-k", "--socket");
        Model.value(spec, "NUM", "clients at once, 1 if not given; 0 for as many as come", "-e", "--shared");
        Model.flag(spec, "stay when the last client has left", "-t", "--persistent");
        Model.flag(spec, "tell of clients that come and go", "-v", "--verbose");
        Model.value(spec, "NAME", "name of the export, empty if not given", "-x", "--export-name");
        Model.value(spec, "TEXT", "what a person is told of the export", "-D", "--description");
        Model.value(spec, "SECONDS", "how long a client may take to begin, 10; 0 for any", "--handshake-limit");
        Model.value(spec, "OFFSET", "export what lies behind so many bytes", "-o", "--offset");
        Model.value(spec, "NUM", "export a partition: primary, logical or of a GPT", "-P", "--partition");
        Model.flag(
                spec,
                "export every partition and volume too, all read-only, by the names of inspect: sda1, vg0/root",
                "--devices");
        Model.flag(spec, "offer the context qemu:allocation-depth", "-A", "--allocation-depth");
        Model.value(spec, "NAME", "offer a persistent bitmap as a context; can be repeated", "-B", "--bitmap");
        Model.flag(spec, "list what another server exports", "-L", "--list");
        Model.value(
                spec,
                "TYPE,id=ID,...",
                "define a secret, tls-creds-x509, tls-creds-psk, authz-simple or authz-list; can be repeated",
                "--object");
        Model.value(spec, "ID", "the object that is shown in TLS, which is demanded then", "--tls-creds");
        Model.value(spec, "NAME", "the name that the certificate of a server that is listed is for", "--tls-hostname");
        Model.value(spec, "ID", "the object that says who is let in", "--tls-authz");
        Model.value(spec, "PATTERN", "accepted, without effect", "-T", "--trace");
        Model.flag(spec, "serve in the background; return when clients can come", "--fork");
        Model.value(spec, "PATH", "write the number of the process to a file", "--pid-file");
        Model.value(spec, "LABEL", "refused: Java has no call for it", "--selinux-label");
        Model.value(
                spec,
                "DEV",
                "bind a device of the kernel, /dev/nbd0; in the background, unless -v is given",
                "-c",
                "--connect");
        Model.flag(spec, "free the device of the kernel that IMAGE names, /dev/nbd0", "-d", "--disconnect");
        Model.choice(
                spec,
                "FORMAT",
                "format of the image, raw or qcow2; found out if not given",
                List.of("raw", "qcow2"),
                "-f",
                "--format");
        Model.flag(spec, "IMAGE is a list of options: driver=raw,offset=1M,file.filename=disk.img", "--image-opts");
        Model.flag(spec, "let nobody write", "-r", "--read-only");
        Model.flag(spec, "throw away in the end what is written", "-s", "--snapshot");
        Model.value(
                spec,
                "NAME",
                "export an internal snapshot: id, name, or snapshot.id=ID,snapshot.name=NAME",
                "-l",
                "--load-snapshot");
        Model.flag(spec, "--cache=none", "-n", "--nocache");
        Model.choice(
                spec,
                "MODE",
                "writeback (the default) and none: durable when the client asks for it; writethrough and directsync:"
                        + " always; unsafe: never",
                List.of("none", "writeback", "writethrough", "directsync", "unsafe"),
                "--cache");
        Model.choice(spec, "MODE", "accepted, without effect", List.of("threads", "native", "io_uring"), "--aio");
        Model.choice(
                spec,
                "MODE",
                "ignore (the default): space is never given back; unmap: it is",
                List.of("ignore", "unmap"),
                "--discard");
        Model.choice(
                spec,
                "MODE",
                "off (the default), on: zeros that are written take no space; unmap: and give it back",
                List.of("off", "on", "unmap"),
                "--detect-zeroes");
        Model.values(
                spec,
                "DIR",
                "let backing and data files under DIR be opened, besides those in the image's own folder; can be repeated",
                "--allow-references");
        Model.flag(spec, "find out the format of backing files that are stated without one", "--allow-probing");
        Model.parameters(spec, "IMAGE", "0..1", "the image: a file, nbd://HOST/EXPORT, json:{...}; none with -L");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "the last client has left, or a signal ended the server");
        codes.put("1", "error, a command line that makes no sense included");
        Model.help(
                spec,
                "Serves a disk over NBD, with the command line of qemu-nbd, and ends when the last client has left, unless -t"
                        + " says otherwise.",
                codes,
                List.of(
                        "platter nbd -f qcow2 guest.qcow2",
                        "platter nbd -t -r -e 5 -k /run/guest.sock guest.qcow2",
                        "platter nbd -t --devices guest.qcow2     # then nbd://HOST/vg0/root",
                        "platter nbd -L -b backup.example"));
    }

    @Override
    public int run(String name, String[] words, Stdio io) throws IOException {
        String own = "platter " + name;
        return ImitatedProgram.guarded(io.as(own), own, () -> {
            Launcher launcher = Launcher.of(own);
            Stdio named = io.as(launcher.program());
            return ImitatedProgram.guarded(named, launcher.program(), () -> run(launcher, words, named));
        });
    }

    private int run(Launcher launcher, String[] words, Stdio io) throws IOException {
        CommandSpec spec = Commands.spec(this, launcher.program());
        NbdArguments arguments = NbdArguments.read(spec, launcher.program(), words, launcher.sockets());
        switch (arguments.task) {
            case HELP -> io.print(Commands.line(spec).getUsageMessage(CommandLine.Help.Ansi.OFF));
            case VERSION -> io.print(Version.text());
            case LIST -> ExportList.print(arguments, io);
            case DISCONNECT -> NbdBinding.disconnect(arguments.file, io);
            case CONNECT -> {
                // as qemu-nbd: in the background, unless it is to talk
                launcher.requireFork(arguments.fork ? "--fork" : "-c", arguments.fork || !arguments.verbose);
                NbdBinding.run(arguments, launcher, io);
            }
            case SERVE -> {
                launcher.requireFork("--fork", arguments.fork);
                NbdService.run(arguments, launcher, io);
            }
        }
        return ExitCode.WHOLE;
    }
}
