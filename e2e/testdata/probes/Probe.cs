using System;
using System.Diagnostics;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Threading;

// What the runner itself is made of: CoreCLR with its JIT, threads, children, sockets and files.
class Probe
{
    static void Main(string[] args)
    {
        long sum = 0;
        for (int i = 0; i < 30_000_000; i++) sum += i ^ (sum << 1);
        var thread = new Thread(() => sum++);
        thread.Start();
        thread.Join();
        using (var child = Process.Start("/bin/true")) { child.WaitForExit(); if (child.ExitCode != 0) throw new Exception("no child"); }
        var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        using (var client = new TcpClient())
        {
            client.Connect((IPEndPoint)server.LocalEndpoint);
            using (var peer = server.AcceptTcpClient())
            {
                client.GetStream().WriteByte(42);
                if (peer.GetStream().ReadByte() != 42) throw new Exception("no socket");
            }
        }
        File.WriteAllText(Path.Combine(args[0], "coreclr.out"), sum.ToString());
        File.Delete(Path.GetTempFileName());
    }
}
