// Knows how a client that shares nothing with the project talks to a node over WebSocket: by `ws`
// and `cbor-x`. Must not know what is tested: it does what lines of JSON on standard input say,
// and tells what happens in lines of JSON on standard output.
//
//   node client.mjs ADDRESS FORM HELLO      FORM: cbor, cbor-short or json; HELLO: an op, as JSON
//
//   in   {"do": "ask", "op": {...}}         sends it; hex in a field `cid` stands for bytes
//        {"do": "heartbeat"}                a ping of the WebSocket protocol
//   out  {"reply" | "push": {...}}          what came; `cid` in hex again
//        {"heartbeat": true}                the pong of the WebSocket protocol
//        {"closed": CODE, "form": "..."}    the end; the subprotocol that was granted
//
// At the end of its input it closes. Messages are acked as they come.

import { createInterface } from "node:readline";
import { Encoder } from "cbor-x";
import WebSocket from "ws";

const [address, form, hello] = process.argv.slice(2);
const isJson = form === "json";
// As cbor-x has it, lengths of maps take two bytes; `cbor-short` has the shortest. Of itself it
// would make a BigInt of a time, which is longer than 32 bits.
const cbor = new Encoder({
  useRecords: false,
  int64AsNumber: true,
  variableMapSize: form === "cbor-short",
});
const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const bytesIn = (hex) => (isJson ? Buffer.from(hex, "hex").toString("base64url") : Buffer.from(hex, "hex"));
const hexOf = (value) => Buffer.from(value, isJson ? "base64url" : undefined).toString("hex");
const encode = (op) => {
  const said = op.cid === undefined ? op : { ...op, cid: bytesIn(op.cid) };
  return isJson ? JSON.stringify(said) : cbor.encode(said);
};
const shown = (value) =>
  Array.isArray(value)
    ? value.map(shown)
    : value !== null && typeof value === "object"
      ? Object.fromEntries(
          Object.entries(value).map(([name, part]) => [name, name === "cid" ? hexOf(part) : shown(part)]),
        )
      : value;

const socket = new WebSocket(address, `actorchat.v1.${isJson ? "json" : "cbor"}`);
socket.on("open", () => socket.send(encode(JSON.parse(hello))));
socket.on("message", (data, isBinary) => {
  if (isBinary === isJson) throw new Error("a message of the wrong kind");
  const message = isJson ? JSON.parse(data.toString()) : cbor.decode(data);
  if (message.op === "msg") socket.send(encode({ op: "ack", upd: message.upd }));
  tell("re" in message ? { reply: shown(message) } : { push: shown(message) });
});
socket.on("pong", () => tell({ heartbeat: true }));
socket.on("close", (code) => {
  tell({ closed: code, form: socket.protocol });
  process.exit(0);
});
socket.on("error", (error) => {
  tell({ error: error.message });
  process.exit(1);
});

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const wanted = JSON.parse(line);
    if (wanted.do === "heartbeat") socket.ping();
    else socket.send(encode(wanted.op));
  })
  .on("close", () => socket.close(1000));
