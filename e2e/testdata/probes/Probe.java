import java.io.*;
import java.net.*;
import java.nio.file.*;

/** What a benchmark on the JVM lives from: JIT, threads, children, sockets, files, and a jcmd that attaches. */
public class Probe {
    public static void main(String[] args) throws Exception {
        long sum = 0;
        for (int i = 0; i < 30_000_000; i++) sum += i ^ (sum << 1);
        if (new ProcessBuilder("/bin/true").start().waitFor() != 0) throw new Exception("no child");
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Socket client = new Socket(server.getInetAddress(), server.getLocalPort());
                Socket peer = server.accept()) {
            client.getOutputStream().write(42);
            if (peer.getInputStream().read() != 42) throw new Exception("no socket");
        }
        Files.writeString(Path.of(args[0], "java.out"), "" + sum);
        Files.delete(Files.createTempFile("probe", ".tmp"));
        Process jcmd = new ProcessBuilder("jcmd", "" + ProcessHandle.current().pid(), "VM.version").redirectErrorStream(true).start();
        String said = new String(jcmd.getInputStream().readAllBytes());
        if (jcmd.waitFor() != 0) throw new Exception("jcmd cannot attach: " + said);
    }
}
