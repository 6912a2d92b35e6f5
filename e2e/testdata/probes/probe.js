// What an action written for Node lives from: JIT, workers, children, sockets, files.
const { execFileSync } = require("child_process");
const { Worker } = require("worker_threads");
const fs = require("fs"), net = require("net"), os = require("os"), path = require("path");

let sum = 0;
for (let i = 0; i < 3e7; i++) sum = (sum + i * 31) | 0;
execFileSync("/bin/true");
fs.writeFileSync(path.join(process.argv[2], "node.out"), String(sum));
fs.rmdirSync(fs.mkdtempSync(path.join(os.tmpdir(), "probe")));
new Worker("require('worker_threads').parentPort.postMessage(1)", { eval: true }).on("message", () => {
  const server = net.createServer((s) => s.end("x")).listen(0, "127.0.0.1", () =>
    net.connect(server.address().port, "127.0.0.1").on("data", () => server.close()));
});
